// SPDX-License-Identifier: MIT
//
// Tasks that do nothing but give way to each other, in a row for two of them and one for 1,000.
#ifndef BENCH_ROWS_YIELD_H
#define BENCH_ROWS_YIELD_H

#include <weft.h>

static int yield_often(void *arg) {
    for (long i = *(long *)arg; i > 0; i--)
        weft_yield();
    return 0;
}

static inline long yield_among(int tasks, long count) {
    weft_scope scope = {0};
    long each = count / tasks + 1;
    for (int i = 0; i < tasks; i++)
        weft_must(weft_go(&scope, yield_often, &each));
    weft_must(weft_join(&scope));
    return each * tasks;
}

#endif

// SPDX-License-Identifier: MIT
//
// A crowd: many tasks that have started and sleep, each with a timer, until they are sent home.
#ifndef BENCH_ROWS_CROWD_H
#define BENCH_ROWS_CROWD_H

#include <errno.h>
#include <weft.h>

static _Atomic long crowd_asleep;

static int crowd_sleep(void *arg) {
    (void)arg;
    crowd_asleep++;
    int result = weft_sleep(WEFT_HOUR);
    return result == -ECANCELED ? 0 : result;
}

// Returns when the last of them sleeps.
static inline void crowd_gather(weft_scope *scope, long count) {
    crowd_asleep = 0;
    for (long i = 0; i < count; i++)
        weft_must(weft_go(scope, crowd_sleep, NULL));
    while (crowd_asleep < count)
        weft_must(weft_sleep(WEFT_MILLISECOND));
}

static inline void crowd_dismiss(weft_scope *scope) {
    weft_cancel(scope);
    weft_must(weft_join(scope));
}

#endif

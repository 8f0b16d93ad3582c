// SPDX-License-Identifier: MIT
//
// The bare switch from one stack to another, without a scheduler: half of a there-and-back.
#include "measure.h"
#include "task/context.h"

enum { STACK_SIZE = 65536 };

static struct weft__context here, there;

static void answer(void *arg) {
    (void)arg;
    for (;;)
        weft__context_switch(&there, &here);
}

static long run(long count) {
    for (long i = 0; i < count; i += 2)
        weft__context_switch(&here, &there);
    return count;
}

int main(int argc, char **argv) {
    static _Alignas(16) char stack[STACK_SIZE];
    double count;
    weft__context_adopt(&here);
    weft__context_make(&there, stack, STACK_SIZE, stack + STACK_SIZE, answer, NULL);
    struct bench_span span = bench_repeat(run, &count);
    bench_print(bench_row(argc, argv), "weft", count, span, NULL);
    return EXIT_SUCCESS;
}

// SPDX-License-Identifier: MIT
//
// The bare switch from one stack to another, without a scheduler: half of a there-and-back. Once
// between contexts that stop in the same place of the program, as tasks do, all of which stop in
// their scheduler; and once between two places, where the processor predicts less.
#include "measure.h"
#include "task/context.h"

#include <limits.h>

enum { STACK_SIZE = 65536 };

static struct weft__context here, same, apart;

static __attribute__((noinline)) void bounce(struct weft__context *self,
                                             struct weft__context *other, long count) {
    for (; count > 0; count--)
        weft__context_switch(self, other);
}

static void answer_from_the_same_place(void *arg) {
    (void)arg;
    bounce(&same, &here, LONG_MAX);
}

static void answer_from_another(void *arg) {
    (void)arg;
    for (;;)
        weft__context_switch(&apart, &here);
}

static long run_same(long count) {
    bounce(&here, &same, count / 2);
    return count / 2 * 2;
}

static long run_apart(long count) {
    bounce(&here, &apart, count / 2);
    return count / 2 * 2;
}

int main(int argc, char **argv) {
    static _Alignas(16) char stacks[2][STACK_SIZE];
    double count;
    weft__context_adopt(&here);
    weft__context_make(&same, stacks[0], STACK_SIZE, stacks[0] + STACK_SIZE,
                       answer_from_the_same_place, NULL);
    weft__context_make(&apart, stacks[1], STACK_SIZE, stacks[1] + STACK_SIZE, answer_from_another,
                       NULL);
    struct bench_span span = bench_repeat(run_apart, &count);
    double apart_ns = span.cpu_ns / count;
    span = bench_repeat(run_same, &count);
    bench_print(bench_row(argc, argv), "weft", count, span,
                (struct bench_fact[]){{"apart_cpu_ns", apart_ns}, {NULL, 0}});
    return EXIT_SUCCESS;
}

// SPDX-License-Identifier: MIT
//
// A timer set and taken back, among 100,000 others. In weft that is what a deadline adds to a wait
// that ends in time: the wait, for a child to end, is done with and without one, and the difference
// is the figure.
#include "crowd.h"
#include "row.h"

enum { OTHERS = 100000, PARTS = 10 };

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static long wait_without(long count) {
    weft_scope scope = {0};
    for (long i = 0; i < count; i++) {
        weft_must(weft_go(&scope, nothing, NULL));
        weft_must(weft_join(&scope));
    }
    return count;
}

static long wait_with(long count) {
    weft_scope scope = {0};
    for (long i = 0; i < count; i++) {
        weft_must(weft_go(&scope, nothing, NULL));
        weft_within(10 * WEFT_SECOND);
        weft_must(weft_join(&scope));
    }
    return count;
}

static void add(struct bench_span *sum, long (*run)(long), long count) {
    struct bench_span begin = bench_begin();
    (void)run(count);
    struct bench_span span = bench_since(begin);
    sum->wall_ns += span.wall_ns;
    sum->cpu_ns += span.cpu_ns;
}

int main(int argc, char **argv) {
    weft_scope others = {0};
    double count;
    struct bench_span with = {0, 0}, without = {0, 0};
    weft_must(weft_start(NULL));
    crowd_gather(&others, bench_count(OTHERS));
    (void)bench_repeat(wait_with, &count);
    for (int i = 0; i < PARTS; i++) { // in turns, so that both see the same machine
        add(&without, wait_without, (long)count / PARTS);
        add(&with, wait_with, (long)count / PARTS);
    }
    count = (double)((long)count / PARTS * PARTS);
    struct bench_span added = {with.wall_ns - without.wall_ns, with.cpu_ns - without.cpu_ns};
    bench_print(bench_row(argc, argv), "weft", count, added,
                (struct bench_fact[]){{"with_cpu_ns", with.cpu_ns / count},
                                      {"without_cpu_ns", without.cpu_ns / count},
                                      {NULL, 0}});
    crowd_dismiss(&others);
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// SPDX-License-Identifier: MIT
//
// 100,000 tasks, each sleeps once until its timer fires: starting it, sleeping, ending, per task.
// All sleep at once, for half a second at least, and their timers fire over another half. Done
// twice, so that the figure is that of a program that has its memory already; the first time is
// told too.
#include "row.h"

enum { COUNT = 100000, SPREAD_NS = 500000000 };

static _Atomic long asleep;
static double last_asleep_ns;
static long count;

static int sleep_once(void *arg) {
    if (++asleep == count)
        last_asleep_ns = bench_clock(CLOCK_MONOTONIC);
    return weft_sleep(*(int64_t *)arg);
}

static struct bench_span sleep_all(const int64_t *durations) {
    weft_scope scope = {0};
    asleep = 0;
    struct bench_span begin = bench_begin();
    for (long i = 0; i < count; i++)
        weft_must(weft_go(&scope, sleep_once, (void *)&durations[i]));
    weft_must(weft_join(&scope));
    struct bench_span span = bench_since(begin);
    last_asleep_ns -= begin.wall_ns;
    return span;
}

int main(int argc, char **argv) {
    static int64_t durations[COUNT];
    count = bench_count(COUNT);
    for (long i = 0; i < count; i++) // not in the order in which they are started
        durations[i] = SPREAD_NS + i * 7919 % count * (SPREAD_NS / count);
    weft_must(weft_start(NULL));
    struct bench_span first = sleep_all(durations);
    struct bench_span span = sleep_all(durations);
    bench_print(bench_row(argc, argv), "weft", (double)count, span,
                (struct bench_fact[]){{"first_cpu_ns", first.cpu_ns / (double)count},
                                      {"all_at_once", last_asleep_ns < SPREAD_NS},
                                      {NULL, 0}});
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

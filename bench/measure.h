// SPDX-License-Identifier: MIT
//
// What the benchmark programs in C and C++ measure with, weft's and the peers' alike: two clocks,
// the process's memory as the kernel tells it, and the one JSON line that a program prints. A
// program is called with the name of the row, and is divided by BENCH_DIVIDE for a quick look.
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench_span {
    double wall_ns, cpu_ns; // cpu: of all threads of the process
};

// One more number in the line.
struct bench_fact {
    const char *name; // NULL ends a list of facts
    double value;
};

static inline double bench_clock(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline struct bench_span bench_begin(void) {
    struct bench_span now;
    now.wall_ns = bench_clock(CLOCK_MONOTONIC);
    now.cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
    return now;
}

static inline struct bench_span bench_since(struct bench_span begin) {
    struct bench_span span = bench_begin();
    span.wall_ns -= begin.wall_ns;
    span.cpu_ns -= begin.cpu_ns;
    return span;
}

// A number from the environment, or `otherwise`.
static inline long bench_number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

// `count`, or a part of it when only a quick look is wanted.
static inline long bench_count(long count) {
    long part = count / bench_number("BENCH_DIVIDE", 1);
    return part > 10 ? part : 10;
}

// The number in a line of /proc/self/status.
static inline double bench_status(const char *what) {
    char line[256];
    double value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, what, strlen(what)) == 0 && line[strlen(what)] == ':')
            value = strtod(line + strlen(what) + 1, NULL);
    (void)fclose(file);
    return value;
}

// In bytes: VmRSS, VmHWM (the peak of it), VmSize.
static inline double bench_memory(const char *what) {
    return bench_status(what) * 1024;
}

static inline const char *bench_row(int argc, char **argv) {
    return argc > 1 ? argv[1] : "?";
}

static inline void bench_print(const char *row, const char *who, double count,
                               struct bench_span span, const struct bench_fact *facts) {
    printf("{\"row\": \"%s\", \"who\": \"%s\", \"count\": %.0f, \"ns_per_op\": %.2f, "
           "\"cpu_ns_per_op\": %.2f, \"wall_ms\": %.3f, \"cpu_ms\": %.3f, \"peak_mb\": %.1f, "
           "\"threads\": %.0f",
           row, who, count, span.wall_ns / count, span.cpu_ns / count, span.wall_ns / 1e6,
           span.cpu_ns / 1e6, bench_memory("VmHWM") / 1e6, bench_status("Threads"));
    for (; facts && facts->name; facts++)
        printf(", \"%s\": %.2f", facts->name, facts->value);
    puts("}");
    (void)fflush(stdout);
}

// Says that this row cannot be done here, and why; ends the process at once, whatever still runs.
static inline void bench_fail(const char *row, const char *who, const char *what, const char *why) {
    printf("{\"row\": \"%s\", \"who\": \"%s\", \"fails\": \"%s: %s\"}\n", row, who, what, why);
    (void)fflush(stdout);
    _Exit(EXIT_SUCCESS);
}

// Measures `run(count)`, which does about `count` operations and returns how many: with as many as
// take half a second of the processor, after shorter runs that find that number and warm everything
// up.
static inline struct bench_span bench_repeat(long (*run)(long), double *ret_count) {
    double enough_ns = 5e8 / (double)bench_number("BENCH_DIVIDE", 1);
    struct bench_span begin, span;
    for (long count = 1000;;) {
        begin = bench_begin();
        *ret_count = (double)run(count);
        span = bench_since(begin);
        if (span.cpu_ns >= 0.7 * enough_ns)
            return span;
        double factor = enough_ns / (span.cpu_ns + 1);
        count = (long)((double)count * (factor < 10 ? factor * 1.1 : 10));
    }
}

#endif

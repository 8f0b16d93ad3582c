// SPDX-License-Identifier: MIT
// Runs a program in simulations, seed after seed in one process, each twice: the two must be one
// run.
//   prove PROGRAM [FIRST COUNT]
// With WEFT_SIM_SEED it runs that one, as the line says that a failed run prints.
#include "prove.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    int (*world)(weft_sim *sim, void *arg);
} programs[] = {{"echo", echo_world}, {"chat", chat_world}, {"relay", relay_world}};

static int (*world)(weft_sim *sim, void *arg);

struct outcome {
    uint64_t hash, steps;
};

static int watch(weft_sim *sim, void *arg) {
    struct outcome *outcome = arg;
    int result = world(sim, NULL);
    *outcome = (struct outcome){weft_sim_hash(sim), weft_sim_step(sim)};
    return result;
}

static struct outcome run(uint64_t seed) {
    struct outcome outcome = {0};
    int result = weft_sim_run((&(weft_sim){.seed = seed, .chaos = 1}), watch, &outcome);
    if (result >= 0)
        return outcome;
    fprintf(stderr, "prove: seed %llu: %s\n", (unsigned long long)seed, weft_strerror(result));
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// ---- One call fails -------------------------------------------------------------------------

enum { ERRORS = 6, NTH_MAX = 100000 };

// The errors are those of the man pages.
static const struct {
    const char *kind;
    int is_seen; // by whoever made the call: nobody in between tries again or does without
    int errors[ERRORS];
} failures[] = {
    {"alloc", 0, {ENOMEM}},
    {"stack", 0, {ENOMEM}},
    {"read", 1, {ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH}},
    {"write", 1, {ECONNRESET, EPIPE, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH}},
    {"accept", 0, {ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO}},
    {"connect", 0, {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ENOBUFS, ENOMEM}},
    {"resolve", 0, {WEFT_ENAME, WEFT_ENAMEFAIL, ENOMEM}},
    {"ctl", 0, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
};

// How many calls there were to fail, or -1.
static long fail_each(const char *kind, int error, int is_seen, int workers) {
    for (long n = 1; n < NTH_MAX; n++) {
        weft_sim sim = {
            .workers = workers, .fail = kind, .fail_nth = (uint64_t)n, .fail_error = -error};
        struct outcome outcome = {0};
        error_made = -error;
        was_error_seen = 0;
        int result = weft_sim_run(&sim, watch, &outcome);
        if (!is_expected(result)) {
            fprintf(stderr, "prove: %s %ld fails with %s: the run with %s\n", kind, n,
                    weft_strerror(-error), weft_strerror(result));
            return -1;
        }
        if (!weft_sim_fail_was_met())
            return n - 1;
        if (is_seen && !was_error_seen) {
            fprintf(stderr, "prove: %s %ld fails with %s: nobody is told\n", kind, n,
                    weft_strerror(-error));
            return -1;
        }
    }
    return -1;
}

// How many runs it took, or -1.
static long fail_all(int workers) {
    long runs = 0;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        for (size_t j = 0; j < ERRORS && failures[i].errors[j] != 0; j++) {
            long calls =
                fail_each(failures[i].kind, failures[i].errors[j], failures[i].is_seen, workers);
            if (calls < 0)
                return -1;
            runs += calls + 1;
        }
    return runs;
}

static int prove_nth(const char *program) {
    long one = fail_all(1), three = one < 0 ? -1 : fail_all(3), runs = one + three;
    if (three < 0)
        return 1;
    printf("%s: each call failed with each error, with one worker and with three: %ld runs\n",
           program, runs);
    return 0;
}

// ---- Seeds ----------------------------------------------------------------------------------

static int prove_seeds(const char *program, uint64_t first, uint64_t count) {
    uint64_t steps = 0;
    double began = seconds();
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct outcome one = run(seed), other = run(seed);
        steps += one.steps + other.steps;
        if (one.hash == other.hash && one.steps == other.steps)
            continue;
        fprintf(stderr, "prove: seed %llu is not one run: %llu and %llu steps\n",
                (unsigned long long)seed, (unsigned long long)one.steps,
                (unsigned long long)other.steps);
        return 1;
    }
    printf("%s: %llu seeds from %llu, each twice: %llu steps, %.0f runs a second\n", program,
           (unsigned long long)count, (unsigned long long)first, (unsigned long long)steps,
           2 * (double)count / (seconds() - began));
    return 0;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof programs / sizeof *programs; i++)
        if (strcmp(argv[1], programs[i].name) == 0)
            world = programs[i].world;
    bool is_nth = argc == 3 && strcmp(argv[2], "nth") == 0;
    if (!world || (argc != 2 && argc != 4 && !is_nth)) {
        fprintf(stderr, "usage: prove echo|chat|relay [FIRST COUNT | nth]\n");
        return 2;
    }
    if (is_nth)
        return prove_nth(argv[1]);
    return prove_seeds(argv[1], argc == 4 ? strtoull(argv[2], NULL, 10) : 1,
                       argc == 4 ? strtoull(argv[3], NULL, 10) : 1);
}

// SPDX-License-Identifier: MIT
// Runs a program in simulations, seed after seed in one process, each twice: the two must be one
// run.
//   prove PROGRAM [FIRST COUNT]
// With WEFT_SIM_SEED it runs that one, as the line says that a failed run prints.
#include "prove.h"

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

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof programs / sizeof *programs; i++)
        if (strcmp(argv[1], programs[i].name) == 0)
            world = programs[i].world;
    if (!world || (argc != 2 && argc != 4)) {
        fprintf(stderr, "usage: prove echo|chat|relay [FIRST COUNT]\n");
        return 2;
    }
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[3], NULL, 10) : 1, steps = 0;
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
    double took = seconds() - began;
    printf("%s: %llu seeds from %llu, each twice: %llu steps, %.0f runs a second\n", argv[1],
           (unsigned long long)count, (unsigned long long)first, (unsigned long long)steps,
           2 * (double)count / took);
    return 0;
}

// SPDX-License-Identifier: MIT
//
// A program of tests/sim in simulations: how many seeds, and how many events, a second of the
// processor is good for. With all faults by seed, as the tests run it. Called with the name of the
// row, sim_PROGRAM.
#include "measure.h"
#include "prove.h"

static int (*world)(weft_sim *sim, void *arg);
static double events; // of the last run

static int count_events(weft_sim *sim, void *unused) {
    int result = world(sim, unused);
    events += (double)weft_sim_step(sim);
    return result;
}

static long run(long count) {
    events = 0;
    for (long seed = 1; seed <= count; seed++)
        weft_must(
            weft_sim_run((&(weft_sim){.seed = (uint64_t)seed, .chaos = 1}), count_events, NULL));
    return count;
}

int main(int argc, char **argv) {
    const char *row = bench_row(argc, argv);
    world = strcmp(row, "sim_echo") == 0    ? echo_world
            : strcmp(row, "sim_relay") == 0 ? relay_world
                                            : NULL;
    if (!world)
        bench_fail(row, "weft", "no such program", row);
    (void)setenv("WEFT_LOG", "off", 1); // shortages are logged, and there are many
    double count;
    struct bench_span span = bench_repeat(run, &count);
    struct bench_fact facts[] = {{"seeds_per_cpu_s", count / span.cpu_ns * 1e9},
                                 {"events_per_cpu_s", events / span.cpu_ns * 1e9},
                                 {"events_per_seed", events / count},
                                 {NULL, 0}};
    bench_print(row, "weft", count, span, facts);
    return EXIT_SUCCESS;
}

// SPDX-License-Identifier: MIT
// Runs a world with many seeds, with one worker and with more, each twice: the two are one run. For
// worlds that put weft_sim_hash where their argument points.
#ifndef TESTS_UNIT_SIM_TWICE_H
#define TESTS_UNIT_SIM_TWICE_H

#include <weft/sim.h>

static inline uint64_t hash_of(uint64_t seed, int workers, int (*world)(weft_sim *, void *)) {
    uint64_t hash = 0;
    expect(weft_sim_run((&(weft_sim){.seed = seed, .workers = workers}), world, &hash), 0);
    return hash;
}

static inline void run_twice(int (*world)(weft_sim *, void *)) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        int workers = 1 + (int)(seed % 3);
        uint64_t hash = hash_of(seed, workers, world);
        assert_int_not_equal(hash, 0);
        assert_int_equal(hash_of(seed, workers, world), hash);
    }
}

#endif

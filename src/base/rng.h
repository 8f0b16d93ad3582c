// SPDX-License-Identifier: MIT
// Repeatable random numbers: the same seed gives the same sequence on every machine. They drive the
// scheduler's and the simulator's choices and the tests.
// Not for secrets: those come from the operating system.
#ifndef WEFT__RNG_H
#define WEFT__RNG_H

#include <stdint.h>

// Seed before use: an all-zero state would give zeros for ever.
struct weft__rng {
    uint64_t state[4];
};

// Starts the sequence of `seed`; any value is a good seed. For independent streams from one seed,
// seed each with weft__mix64(seed + n) for a different n.
void weft__rng_seed(struct weft__rng *rng, uint64_t seed);

// 64 random bits.
uint64_t weft__rng_next(struct weft__rng *rng);

// A number from 0 to n - 1, each equally likely; n must not be 0.
uint64_t weft__rng_below(struct weft__rng *rng, uint64_t n);

// Scatters the bits of a number (the finaliser of splitmix64): a one-to-one map in which every bit
// of the input changes about half the bits of the output. Also the step of hash functions.
static inline uint64_t weft__mix64(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif

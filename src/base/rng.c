// SPDX-License-Identifier: MIT
// xoshiro256** 1.0 seeded by splitmix64, as published by David Blackman and Sebastiano Vigna
// (https://prng.di.unimi.it). Small, fast and without a short cycle; predictable by design.
#include "base/rng.h"

#include "base/assert.h"

static uint64_t rotate_left(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

void weft__rng_seed(struct weft__rng *rng, uint64_t seed) {
    // splitmix64: its state advances by the golden ratio, which weft__mix64 adds itself. Four
    // different states cannot all map to 0, so the forbidden all-zero state never arises.
    for (int i = 0; i < 4; i++)
        rng->state[i] = weft__mix64(seed + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t weft__rng_next(struct weft__rng *rng) {
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t weft__rng_below(struct weft__rng *rng, uint64_t n) {
    ASSERT(n > 0);
    // 2^64 is rarely a multiple of n. The first (2^64 mod n) values are drawn again, so that every
    // remainder stands for equally many values; fewer than two draws are needed on average.
    uint64_t surplus = (UINT64_MAX - n + 1) % n;
    uint64_t value;
    do
        value = weft__rng_next(rng);
    while (value < surplus);
    return value % n;
}

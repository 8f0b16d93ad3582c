// SPDX-License-Identifier: MIT
// Unit tests of base/rng.c: the published test vectors, repeatability, and fair small ranges.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

static void the_generator_is_xoshiro256_starstar(void **state) {
    (void)state;
    // The reference implementation from state {1, 2, 3, 4}.
    const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct weft__rng rng = {{1, 2, 3, 4}};
    for (int i = 0; i < 10; i++)
        assert_true(weft__rng_next(&rng) == expected[i]);
}

static void seeding_is_splitmix64(void **state) {
    (void)state;
    // The reference implementation from 1477776061723855037.
    const uint64_t expected[] = {
        UINT64_C(1985237415132408290),
        UINT64_C(2979275885539914483),
        UINT64_C(13511426838097143398),
        UINT64_C(8488337342461049707),
    };
    struct weft__rng rng;
    weft__rng_seed(&rng, UINT64_C(1477776061723855037));
    for (int i = 0; i < 4; i++)
        assert_true(rng.state[i] == expected[i]);
    assert_true(weft__mix64(UINT64_C(1477776061723855037)) == expected[0]);
}

static void the_same_seed_gives_the_same_sequence(void **state) {
    (void)state;
    struct weft__rng a;
    struct weft__rng b;
    struct weft__rng other;
    int equal = 0;
    weft__rng_seed(&a, 7);
    weft__rng_seed(&b, 7);
    weft__rng_seed(&other, 8);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = weft__rng_next(&a);
        assert_true(value == weft__rng_next(&b));
        equal += value == weft__rng_next(&other);
    }
    assert_int_equal(equal, 0);
}

static void below_stays_below(void **state) {
    (void)state;
    const uint64_t limits[] = {
        1, 2, 3, 10, 1000, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    struct weft__rng rng;
    weft__rng_seed(&rng, 3);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        for (int draw = 0; draw < 1000; draw++)
            assert_true(weft__rng_below(&rng, limits[i]) < limits[i]);
}

static void below_is_fair(void **state) {
    (void)state;
    enum { DRAWS = 60000 };
    int seen[6] = {0};
    struct weft__rng rng;
    weft__rng_seed(&rng, 4);
    for (int i = 0; i < DRAWS; i++)
        seen[weft__rng_below(&rng, 6)]++;
    // The seed is fixed, so this cannot fail by chance; 400 is 4.4 standard deviations.
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], DRAWS / 6 - 400, DRAWS / 6 + 400);
}

// With n = 3/4 of 2^64 a plain remainder would give the lowest third twice as often.
static void below_has_no_bias_towards_small_numbers(void **state) {
    (void)state;
    enum { DRAWS = 30000 };
    const uint64_t n = UINT64_C(3) << 62;
    int low = 0;
    struct weft__rng rng;
    weft__rng_seed(&rng, 5);
    for (int i = 0; i < DRAWS; i++)
        low += weft__rng_below(&rng, n) < n / 3;
    assert_in_range(low, DRAWS / 3 - 400, DRAWS / 3 + 400);
}

static uint64_t inverse(uint64_t odd) {
    uint64_t x = odd; // right in the lowest 3 bits; each step doubles them
    for (int i = 0; i < 5; i++)
        x *= 2 - odd * x;
    return x;
}

// A generator whose next output is `value`: xoshiro's output function run backwards.
static struct weft__rng about_to_say(uint64_t value) {
    uint64_t x = value * inverse(9);
    x = (x >> 7) | (x << 57);
    return (struct weft__rng){{1, x * inverse(5), 3, 4}};
}

// 2^64 = 1 * (2^63 + 1) + (2^63 - 1): the lowest 2^63 - 1 values would come twice, so that many are
// drawn again, and not one more.
static void below_draws_again_exactly_what_is_surplus(void **state) {
    (void)state;
    const uint64_t n = (UINT64_C(1) << 63) + 1;
    const uint64_t surplus = (UINT64_C(1) << 63) - 1;
    struct weft__rng rng = about_to_say(surplus);
    assert_true(weft__rng_below(&rng, n) == surplus);
    rng = about_to_say(surplus + 2);
    assert_true(weft__rng_below(&rng, n) == 0);
    rng = about_to_say(surplus - 1);
    struct weft__rng after = rng;
    (void)weft__rng_next(&after);
    assert_true(weft__rng_below(&rng, n) != surplus - 1);
    // What was drawn again left the generator at least two steps further on.
    assert_memory_not_equal(&rng, &after, sizeof rng);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_is_xoshiro256_starstar),
        cmocka_unit_test(seeding_is_splitmix64),
        cmocka_unit_test(the_same_seed_gives_the_same_sequence),
        cmocka_unit_test(below_stays_below),
        cmocka_unit_test(below_is_fair),
        cmocka_unit_test(below_has_no_bias_towards_small_numbers),
        cmocka_unit_test(below_draws_again_exactly_what_is_surplus),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}

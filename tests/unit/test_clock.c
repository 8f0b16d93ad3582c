// SPDX-License-Identifier: MIT
// Unit tests of os/clock.c: both clocks count nanoseconds, and are the system's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "os/os.h"

static void the_monotonic_clock_never_runs_back(void **state) {
    (void)state;
    int64_t last = weft__clock_monotonic_ns();
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        int64_t now = weft__clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void the_wall_clock_counts_from_1970(void **state) {
    (void)state;
    const int64_t year_2020_s = 1577836800, year_2200_s = 7258118400;
    int64_t now_s = weft__clock_wall_ns() / 1000000000;
    assert_true(now_s > year_2020_s && now_s < year_2200_s);
}

static int64_t ns_of(clockid_t id) {
    struct timespec now;
    assert_int_equal(clock_gettime(id, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void the_monotonic_clock_is_that_of_the_system(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        int64_t before = ns_of(CLOCK_MONOTONIC), now = weft__clock_monotonic_ns();
        assert_in_range(now, before, ns_of(CLOCK_MONOTONIC));
    }
}

// Somebody may set it back between two looks, but not all the time.
static void the_wall_clock_is_that_of_the_system(void **state) {
    (void)state;
    int between = 0;
    for (int i = 0; i < 100; i++) {
        int64_t before = ns_of(CLOCK_REALTIME), now = weft__clock_wall_ns();
        between += before <= now && now <= ns_of(CLOCK_REALTIME);
    }
    assert_true(between >= 90);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_monotonic_clock_never_runs_back),
        cmocka_unit_test(the_wall_clock_counts_from_1970),
        cmocka_unit_test(the_monotonic_clock_is_that_of_the_system),
        cmocka_unit_test(the_wall_clock_is_that_of_the_system),
    };
    return cmocka_run_group_tests_name("clocks", cases, NULL, NULL);
}

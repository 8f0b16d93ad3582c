// SPDX-License-Identifier: MIT
// weft_random, weft_now and weft_wall_now. docs/semantics.md 9.
#include "case.h"

#include <string.h>

// That sixteen random bytes are sixteen given ones will not happen.
CASE(random_bytes_fill_all_of_the_buffer_and_nothing_else) {
    unsigned char buf[66], again[66], untouched[16];
    memset(untouched, 0x5a, sizeof untouched);
    memset(buf, 0x5a, sizeof buf);
    expect(weft_random(buf + 1, 64), 0);
    expect(buf[0], 0x5a);
    expect(buf[65], 0x5a);
    memset(again, 0x5a, sizeof again);
    expect(weft_random(again + 1, 64), 0);
    expect_that(memcmp(buf, again, sizeof buf) != 0);
    for (size_t i = 1; i <= 64; i += sizeof untouched)
        expect_that(memcmp(buf + i, untouched, sizeof untouched) != 0);
    expect(weft_random(buf, 0), 0);
}

CASE(random_bytes_come_to_who_is_cancelled_too) {
    unsigned char byte;
    weft_within(0);
    expect(weft_random(&byte, 1), 0);
}

// The wall clock may be set while this runs, so nothing is said of its steps.
CASE(the_wall_clock_counts_from_1970) {
    const int64_t year_ns = 365 * 24 * WEFT_HOUR;
    expect_that(weft_wall_now() > 55 * year_ns);
    expect_that(weft_wall_now() < 200 * year_ns);
}

CASE(clocks_are_read_by_who_is_cancelled_too) {
    weft_within(0);
    expect_that(weft_now() > 0);
    expect_that(weft_wall_now() > 0);
}

// SPDX-License-Identifier: MIT
// weft_random. docs/semantics.md 9.
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

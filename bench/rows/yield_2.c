// SPDX-License-Identifier: MIT
//
// A yield among two tasks.
#include "row.h"
#include "yield.h"

static long run(long count) {
    return yield_among(2, count);
}

int main(int argc, char **argv) {
    return row_repeat(argc, argv, run);
}

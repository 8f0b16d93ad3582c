// SPDX-License-Identifier: MIT
//
// What weft's rows have in common: a runtime with its defaults around the measurement.
#ifndef BENCH_ROWS_ROW_H
#define BENCH_ROWS_ROW_H

#include "measure.h"

#include <weft.h>

// The whole of a row that repeats an operation: `run` as in bench_repeat.
static inline int row_repeat(int argc, char **argv, long (*run)(long)) {
    double count;
    weft_must(weft_start(NULL));
    struct bench_span span = bench_repeat(run, &count);
    bench_print(bench_row(argc, argv), "weft", count, span, NULL);
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif

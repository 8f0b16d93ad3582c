// SPDX-License-Identifier: MIT
// The runner: takes every case to every driver, each run in a child process with a time limit, and
// fills the matrix. Not how the matrix is printed (matrix.c).
#ifndef CONFORMANCE_RUNNER_H
#define CONFORMANCE_RUNNER_H

#include "case.h"
#include "run.h"

enum { DRIVERS_MAX = 4, GLOBS_MAX = 32 };

struct options {
    const char *program;
    const char *drivers[DRIVERS_MAX];
    size_t driver_count;
    const char *globs[GLOBS_MAX];
    size_t glob_count;
    const char *matrix_path;
    uint64_t seed;
    size_t seeds; // on the simulator; 0: what the case says
    size_t jobs, repeats, slowest;
};

enum verdict { NOT_RUN, PASSED, FAILED, NOT_APPLICABLE, NOT_AVAILABLE };

struct cell {
    enum verdict verdict;
    char reason[SKIP_SIZE]; // of what is not applicable
    int64_t spent_ns;
};

struct row {
    const struct conformance_case *of;
    struct cell cells[DRIVERS_MAX];
};

struct matrix {
    struct row *rows;
    size_t row_count;
    size_t driver_count;
    const char *asked[DRIVERS_MAX];        // the driver's name on the command line
    char column[DRIVERS_MAX][DRIVER_SIZE]; // what weft_driver_name() said, or the cause
    bool is_available[DRIVERS_MAX];
};

void runner_run(const struct options *options, struct matrix *matrix);

// Prints the cells that took longest.
void matrix_print_slowest(const struct matrix *matrix, size_t count);

// Prints the matrix, its reasons, and the plain last line, or that line alone. Returns how many
// failed.
size_t matrix_print(const struct matrix *matrix, void *file, bool is_coloured);
size_t matrix_print_count(const struct matrix *matrix, void *file);

#endif

// SPDX-License-Identifier: MIT
// One run of one case: what it is asked, and what it reports from its own process.
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include "case.h"

#include <stdint.h>

enum { SKIP_SIZE = 240, DRIVER_SIZE = 200 };

// Shared memory between the suite and the process of a case.
struct report {
    uint64_t trace_hash;
    char skip[SKIP_SIZE];     // why the case does not apply on this machine, or ""
    char driver[DRIVER_SIZE]; // what weft_driver_name() said, or why it did not start
};

struct run {
    const struct conformance_case *of;
    const char *driver;
    uint64_t seed;
    int repeat; // on the simulator each seed runs twice: 0, 1
    struct report *report;
};

// In the child: runs the case with all that belongs to it. Returns the exit status.
int run_case(const struct run *run);
// In a child: starts the driver and asks for its name. Returns 0 when it started.
int run_probe(const char *driver, struct report *report);

#endif

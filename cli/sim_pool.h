// SPDX-License-Identifier: MIT
// Runs a simulated program many times, some side by side, and tells of the ends in the order of the
// beginnings: whoever listens cannot see how many ran at once.
#ifndef CLI_SIM_POOL_H
#define CLI_SIM_POOL_H

#include "sim_run.h"

enum { SIM_JOBS_MAX = 256 };

struct sim_job {
    uint64_t seed;
    const char *faults; // as in sim_start; needed until the next one is asked for
};

struct sim_pool {
    char **argv;
    int jobs; // how many side by side, 1 .. SIM_JOBS_MAX
    int64_t timeout_ns;
    bool runs_twice; // each job, which must give the same hash
    struct sim_faults *faults;
    uint64_t count; // of jobs; their numbers begin at 0

    // Called with `context`:
    void *context;
    struct sim_job (*job)(void *context, uint64_t number); // ascending
    // Whether the jobs after this one are not wanted; asked as soon as it has ended.
    bool (*is_last)(void *context, uint64_t number, const struct sim_outcome *outcome);
    void (*ended)(void *context, uint64_t number,
                  struct sim_outcome *outcome);        // in order; borrowed
    void (*tick)(void *context, uint64_t ended_count); // now and then; NULL: not wanted
};

// Runs the jobs until the end, or until a signal would end us (Ctrl-C); nothing runs afterwards.
// Returns 0, the number of the signal, or -ENOMEM.
int sim_pool_run(struct sim_pool *pool);

#endif

// SPDX-License-Identifier: MIT
// What the parts of `weft sim run` share: what was asked for, and what came of it.
#ifndef CLI_SIM_H
#define CLI_SIM_H

#include "sim_pool.h"

enum {
    SIM_UNCOVERED = 3,       // exit status: a fault never fired, with --coverage
    SIM_FAILURES_KEPT = 100, // of --keep-going; all are counted
};

struct sim_options {
    char **argv; // the program and its arguments
    uint64_t from, count;
    int jobs;
    int64_t timeout_ns;
    bool keeps_going, shrinks, runs_twice, wants_coverage, is_json;
    const char *trace, *log; // files; NULL: not wanted; log: "-" is standard output
};

struct sim_failure {
    uint64_t seed;
    struct sim_outcome outcome; // the text only of the first
};

// What came of --shrink.
enum sim_shrunk {
    SIM_NOT_SHRUNK,  // not asked for, or nothing failed
    SIM_NO_FAULTS,   // no fault was on, as far as anybody has reported
    SIM_NOT_AGAIN,   // with the same faults named, it did not fail in the same way again
    SIM_SHRUNK,      // `smallest` fails
    SIM_SHRINK_ENDED // by a signal or an error; `smallest` fails, a part of it might
};

struct sim_batch {
    struct sim_options options;
    struct sim_faults faults;
    uint64_t passed_count, failed_count;
    uint64_t on_counts[SIM_FAULTS_MAX], fired_counts[SIM_FAULTS_MAX]; // runs
    struct sim_failure failures[SIM_FAILURES_KEPT];
    struct sim_outcome error; // why the search could not go on, if sim_is_error
    int caught;               // the signal that ended it, or 0
    bool is_cut_short;        // by that signal, before its last seed
    int64_t start_ns, end_ns;
    enum sim_shrunk shrunk;
    uint64_t all, smallest; // sets of faults: what was shrunk, and to what
};

// ---- sim_shrink.c ----

// The faults that were on in any of the runs that count.
uint64_t sim_seen_faults(const struct sim_batch *batch);

// Looks for a smallest set of faults with which the first failure is still one. Fills in `shrunk`.
// Returns 0, the number of the signal that ended it, or a negative error.
int sim_shrink(struct sim_batch *batch);

// ---- sim_replay.c ----

// Runs the first failure once more, or the only seed, for its capture and its timeline, if they are
// asked for. Returns 0, the number of the signal that ended it, or a negative error.
int sim_replay(const struct sim_batch *batch);

// ---- sim_show.c: everything goes to stdout, what the program said to stderr ----

void sim_show_failure(const struct sim_batch *batch, const struct sim_failure *failure);
void sim_show_shrunk(const struct sim_batch *batch);
void sim_show_summary(const struct sim_batch *batch);
void sim_show_json(const struct sim_batch *batch, const char *verdict);

// Complains of batch->error, with a cure. Returns the exit status.
int sim_show_error(const struct sim_batch *batch);

// Complains of the faults that were on and never fired. Returns the exit status.
int sim_show_coverage(const struct sim_batch *batch);

// ---- sim_progress.c: how far it is, on stderr ----

struct sim_progress {
    bool is_terminal, is_drawn;
    int64_t start_ns, next_ns, interval_ns;
};

void sim_progress_open(struct sim_progress *progress, int64_t start_ns);
void sim_progress_show(struct sim_progress *progress, const struct sim_batch *batch,
                       uint64_t ended);
void sim_progress_clear(struct sim_progress *progress); // before other output

#endif

// SPDX-License-Identifier: MIT
// One run of a simulated program, a process of its own: started, listened to, ended. How many run
// side by side, and which seeds, others decide (sim_pool.c, sim.c).
#ifndef CLI_SIM_RUN_H
#define CLI_SIM_RUN_H

#include "sim_report.h"

#include <signal.h>
#include <sys/types.h>

enum { SIM_STDERR_SIZE = 64 * 1024, SIM_LINE_SIZE = 16 * 1024, SIM_HOW_TEXT_SIZE = 160 };

// How a run ended.
enum sim_how {
    SIM_PASSED,
    // Failures of the seed:
    SIM_EXITED,    // status `code`, not 0
    SIM_SIGNALLED, // ended by signal `code`
    SIM_HUNG,      // it did not end in time, and was ended
    SIM_REPORTED,  // status 0, but it reported a failure
    SIM_DRIFTED,   // two runs with this seed were not the same
    // Nothing was found out about the seed:
    SIM_SILENT,     // status 0, but no simulation has reported
    SIM_UNREADABLE, // a report that is none
    SIM_NO_PROGRAM, // it could not be started: error `code`
    SIM_NO_PROCESS, // no process or pipe could be made: error `code`
};

struct sim_outcome {
    enum sim_how how;
    int code;
    struct sim_report report;
    uint64_t other_hash; // SIM_DRIFTED: that of the first run
    char *text;          // the end of its stderr, at most SIM_STDERR_SIZE bytes; NULL: none
    size_t text_size;
};

// Whether the seed failed; whether the search as such did.
bool sim_is_failure(const struct sim_outcome *outcome);
bool sim_is_error(const struct sim_outcome *outcome);

// Says how a failure came about: "ended by signal 6 (Aborted)". Returns buf.
char *sim_how_text(const struct sim_outcome *outcome, char buf[SIM_HOW_TEXT_SIZE]);

// Frees the text; the rest stays.
void sim_outcome_close(struct sim_outcome *outcome);

// What to start.
struct sim_start {
    char **argv;        // the program is looked for in PATH, as a shell does
    uint64_t seed;      // becomes WEFT_SIM_SEED
    const char *faults; // becomes WEFT_SIM_FAULTS; NULL: that stays as it is
    sigset_t signals;   // blocked in the program
    int64_t timeout_ns;
};

struct sim_run {
    pid_t pid;                // 0: nothing runs
    int stderr_fd, report_fd; // -1 after their end
    int64_t deadline_ns;
    bool is_late, is_unreadable;
    struct sim_faults *faults;  // borrowed
    struct sim_outcome outcome; // grows; whole when the run has ended
    size_t line_size;
    char line[SIM_LINE_SIZE]; // of the report, not yet whole
};

// Starts the program, in a process group of its own: Ctrl-C at the terminal is ours alone to hear.
// Returns 0, or a negative error: then no process could be made.
int sim_run_start(struct sim_run *run, const struct sim_start *start, struct sim_faults *faults);

// Reads what has been written so far. Never waits.
void sim_run_read(struct sim_run *run);

// Whether the program has ended; then the outcome is whole, and the caller's, and whatever
// processes the program left in its group have been ended, too.
bool sim_run_has_ended(struct sim_run *run);

// Ends the program and what it has started. sim_run_has_ended will be true soon.
void sim_run_kill(struct sim_run *run);
// The time of the program is over: it may say where it was. The next call kills it.
void sim_run_end(struct sim_run *run);

// Ends it, waits for its end, and drops what is known of it. Nothing, if nothing runs.
void sim_run_drop(struct sim_run *run);

#endif

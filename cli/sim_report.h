// SPDX-License-Identifier: MIT
// What a simulation reports of itself, read from the lines that weft_sim_run writes to
// WEFT_SIM_REPORT_FD. No I/O, no allocation.
#ifndef CLI_SIM_REPORT_H
#define CLI_SIM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIM_FAULTS_MAX = 64, // the library has fewer
    SIM_FAULT_NAME_SIZE = 48,
    SIM_SET_TEXT_SIZE = SIM_FAULTS_MAX * SIM_FAULT_NAME_SIZE,
};

// The faults that reports have named so far. A set of faults has a bit for each.
struct sim_faults {
    int count;
    char names[SIM_FAULTS_MAX][SIM_FAULT_NAME_SIZE];
};

// What one process has reported: a line for each simulation that it ran.
struct sim_report {
    int lines;
    bool has_failed;    // one of them said result=failed
    uint64_t hash;      // that of the only one; several are folded, in their order
    uint64_t on, fired; // sets of faults: those of any of them
};

// Adds one line, without its newline, to the report; changes the line. Words that it does not know
// are passed over: a newer library may say more. Returns 0, or -EINVAL.
int sim_report_add(struct sim_report *report, struct sim_faults *faults, char *line);

// The members of a set, sorted by name: the order in which they were first seen is that of
// processes side by side. Returns how many.
int sim_set_members(const struct sim_faults *faults, uint64_t set, int members[SIM_FAULTS_MAX]);

// Writes a set as WEFT_SIM_FAULTS has it: "enomem,resets", or "none". Returns buf.
char *sim_set_text(const struct sim_faults *faults, uint64_t set, char buf[SIM_SET_TEXT_SIZE]);

#endif

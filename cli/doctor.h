// SPDX-License-Identifier: MIT
// What `weft doctor` finds out, apart from how it is shown (doctor.c).
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

enum cli_verdict {
    CLI_GOOD, // as it should be
    CLI_NOTE, // works; more would be possible
    CLI_BAD,  // something that weft needs does not work
};

// One finding. Texts without a line break; cure is "" when there is nothing to be done.
struct cli_finding {
    const char *name; // stable: the key in JSON
    enum cli_verdict verdict;
    char value[160];
    char detail[640];
    char cure[320];
};

// The checks, in the order they are shown. Each fills in one zeroed finding, the name included.
typedef void cli_check(struct cli_finding *finding);
extern cli_check *const cli_checks[];
extern const int cli_checks_count;

#endif

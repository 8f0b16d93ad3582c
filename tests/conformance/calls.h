// SPDX-License-Identifier: MIT
// Every public call that takes a handle, so that what holds for all of them is tested for all of
// them. A new call is added here once. weft_go and weft_autoclose take theirs: see go.c and
// close.c.
#ifndef CONFORMANCE_CALLS_H
#define CONFORMANCE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum kind { STREAM = 1, LISTENER = 2, DATAGRAM = 4, ANY = 7 };

struct call {
    const char *name;
    ssize_t (*make)(int h); // with arguments that are right otherwise
    int kinds;              // of handles it works on; on others it is -ENOTSUP
    bool may_wait;          // looks at cancellation and deadline on entry
    bool closes;            // takes the handle
};

extern const struct call calls[];
extern const size_t call_count;

#endif

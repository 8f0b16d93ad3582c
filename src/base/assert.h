// SPDX-License-Identifier: MIT
// What happens when weft itself is wrong: one line on stderr, then abort(3). On in release too,
// because a broken invariant that goes on running corrupts somebody's data later.
// Not for what a caller or a peer can cause: that is an error code.
#ifndef WEFT__ASSERT_H
#define WEFT__ASSERT_H

#include "base/compiler.h"

// Checks an invariant of our own. `cond` is evaluated exactly once, in every build.
#define ASSERT(cond)                                                                               \
    (WEFT__LIKELY(cond) ? (void)0 : weft__panic(__FILE__, __LINE__, "assertion failed: %s", #cond))

// Ends the process with a sentence: PANIC("unknown op kind %d", kind).
#define PANIC(...) weft__panic(__FILE__, __LINE__, __VA_ARGS__)

// Writes "weft: file:line: text" and a newline to stderr in one piece, then aborts.
_Noreturn WEFT__COLD WEFT__PRINTF(3, 4) void weft__panic(const char *file, int line,
                                                         const char *format, ...);

#endif

// SPDX-License-Identifier: MIT
// The error codes of weft and their names and texts. Calls return `>= 0` or a negative code: a
// negated errno value (<errno.h>, included here), or one of the codes below, which errno lacks.
// Not the sentence about one failed call, with its address and cure: that is weft_explain.
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#include <errno.h>
#include <sys/types.h>

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/// Codes that errno lacks. They lie above every errno value and are returned negated, like those.
enum {
    WEFT_ENAME = 4097,     ///< No such name: the name service answered that there is none.
    WEFT_ENAMEFAIL = 4098, ///< The name service could not answer; trying again may help.
    WEFT_EADDRESS = 4099,  ///< The text is not an address; nothing was looked up or tried.
};

/// The text of an error code, in lower case and without a full stop: "connection refused".
///   code  as returned by any call (negative; int and ssize_t alike), or positive as in errno.h.
///         Numbers >= 0 that are results rather than codes have no text of their own; 0 is
///         "success".
/// Returns a static string, never NULL: "unknown error" for what is no code. Any thread may call it
/// at any time, also in a signal handler.
const char *weft_strerror(ssize_t code);

/// The name of an error code: "ECONNREFUSED", "WEFT_ENAME".
///   code  as for weft_strerror.
/// Returns a static string, never NULL: "0" for 0 and "unknown" for what is no code. Any thread may
/// call it at any time, also in a signal handler.
///
///     if ((n = weft_read(conn, buf, sizeof buf)) < 0)
///         fprintf(stderr, "read: %s\n", weft_strerrorname(n));   // "read: ECONNRESET"
const char *weft_strerrorname(ssize_t code);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif

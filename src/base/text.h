// SPDX-License-Identifier: MIT
// A bounded text builder over a buffer of the caller's, and the strict number parser. Sentences for
// people (errors, logs, dumps) are built with it: it never allocates and never overruns.
// Not for human durations and sizes ("5s", "64KiB"): those belong to the command.
#ifndef WEFT__TEXT_H
#define WEFT__TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

// data[0 .. length) is the text so far and data[length] is NUL (unless size is 0). What did not fit
// is dropped, and so is everything after it: a cut text never has a hole in the middle.
struct weft__text {
    char *data;
    size_t size;   // of the buffer in bytes, the NUL included
    size_t length; // of the text in bytes, the NUL not included
    bool truncated;
};

// Starts an empty text in buf, which is borrowed for as long as the text is used.
void weft__text_init(struct weft__text *text, char *buf, size_t size);

// Appends a string. Safe in a signal handler, as all of these are but the two with a format.
void weft__text_put(struct weft__text *text, const char *string);

// Appends a number in decimal.
void weft__text_put_u64(struct weft__text *text, uint64_t value);

// Appends bytes that somebody else chose, so that they can stand between quotes in a line of text:
// printable ASCII as it is, \ and " behind a \, all else as \xNN. An escape is never cut in two.
void weft__text_put_escaped(struct weft__text *text, const char *bytes, size_t length);

// Append formatted text, as printf(3).
WEFT__PRINTF(2, 3) void weft__text_putf(struct weft__text *text, const char *format, ...);
WEFT__PRINTF(2, 0) void weft__text_vputf(struct weft__text *text, const char *format, va_list args);

// Reads a number that takes up all of s[0 .. length): decimal digits only, at least one; no sign,
// no blanks. Returns 0, or -EINVAL when it is not such a number, or -ERANGE when it is above max.
int weft__parse_u64(const char *s, size_t length, uint64_t max, uint64_t *ret_value);

#endif

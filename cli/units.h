// SPDX-License-Identifier: MIT
// Numbers as people write them, "5s" and "64KiB", and text with C escapes. No I/O, no allocation.
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stddef.h>
#include <stdint.h>

// Room for any size as text, the NUL included.
enum { CLI_UNIT_TEXT_SIZE = 32 };

// Reads a duration: "5s", "500ms", "1.5s", "1m30s"; units ns, us, ms, s, m, h; "0" needs none.
// Returns 0, or -EINVAL, or -ERANGE beyond INT64_MAX nanoseconds (292 years).
int cli_parse_duration(const char *text, int64_t *ret_ns);

// Reads a count: decimal digits alone, at least `least`. Returns 0, or -EINVAL, or -ERANGE.
int cli_parse_count(const char *text, uint64_t least, uint64_t *ret_count);

// Writes a number of bytes in its largest unit: "64KiB", "7.8MiB", "512B". Returns buf.
char *cli_size_text(uint64_t bytes, char buf[static CLI_UNIT_TEXT_SIZE]);

// Replaces C escapes (\n \r \t \0 \\ \" \' \a \b \e \f \v, \xHH, octal \OOO) where they stand: the
// result is never longer, may hold NULs, and has no NUL of its own at the end.
//   ret_size    the bytes of the result.
//   ret_escape  on failure, where the escape that is wrong begins.
// Returns 0, or -EINVAL; the text is then changed up to there.
int cli_unescape(char *text, size_t *ret_size, const char **ret_escape);

#endif

// SPDX-License-Identifier: MIT
// The assertions that speak weft's language. Each ends in cmocka's own failure.
#include "check.h"

#include "world.h"

#include <stdio.h>
#include <string.h>

// "-104 (ECONNRESET)", "7".
static const char *named(long long result, char *buf, size_t size) {
    if (result < 0 && result >= -8192)
        snprintf(buf, size, "%lld (%s)", result, weft_strerrorname((int)result));
    else
        snprintf(buf, size, "%lld", result);
    return buf;
}

static void report(long long result, const char *call, const char *expected, const char *file,
                   int line) {
    char got[64], why[256];
    weft_explain(why, sizeof why);
    print_error("%s:%d: %s answered %s, expected %s; weft_explain: \"%s\"\n", file, line, call,
                named(result, got, sizeof got), expected, why);
    _fail(file, line);
}

void check_result(long long result, long long expected, const char *call, const char *file,
                  int line) {
    char text[64];
    if (result != expected)
        report(result, call, named(expected, text, sizeof text), file, line);
}

void check_either(long long result, long long one, long long other, const char *call,
                  const char *file, int line) {
    char first[64], second[64], text[160];
    if (result == one || result == other)
        return;
    snprintf(text, sizeof text, "%s or %s", named(one, first, sizeof first),
             named(other, second, sizeof second));
    report(result, call, text, file, line);
}

int check_opened(int handle, const char *call, const char *file, int line) {
    if (handle <= 0)
        report(handle, call, "a handle", file, line);
    return handle;
}

void check_that(bool claim, const char *text, const char *file, int line) {
    if (claim)
        return;
    print_error("%s:%d: not so: %s\n", file, line, text);
    _fail(file, line);
}

void check_explained(const char *text, const char *file, int line) {
    char why[512];
    weft_explain(why, sizeof why);
    if (strstr(why, text) != NULL)
        return;
    print_error("%s:%d: weft_explain says \"%s\", without \"%s\"\n", file, line, why, text);
    _fail(file, line);
}

int64_t check_patience_ns(void) {
    return 20 * WEFT_MILLISECOND;
}

// SPDX-License-Identifier: MIT
// The last words of a process whose own invariant broke. It allocates nothing and takes no lock of
// weft's, because it may run anywhere: on a small task stack or inside the scheduler.
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

void weft__panic(const char *file, int line, const char *format, ...) {
    char buf[512];
    struct weft__text text;
    // One byte is kept back, so that even a line that was cut ends in a newline.
    weft__text_init(&text, buf, sizeof buf - 1);
    weft__text_putf(&text, "weft: %s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    weft__text_vputf(&text, format, args);
    va_end(args);
    buf[text.length] = '\n';
    buf[text.length + 1] = '\0';
    // One call, so that lines of threads that fail together do not mix. Nothing is left to do
    // about a stderr that is closed.
    (void)fputs(buf, stderr);
    abort();
}

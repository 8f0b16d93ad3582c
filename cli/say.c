// SPDX-License-Identifier: MIT
// How the command speaks: one line per complaint, always with "weft: " in front, and colours only
// where they are wanted. What is wrong with a call of the library is the library's to say.
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

// Always exactly one line: what came from the command line or from a peer may hold anything.
static void complain(const char *format, va_list args) {
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    fflush(stdout); // what was said before stands before the complaint
    fprintf(stderr, "weft: %s\n", text);
}

int cli_usage_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    return CLI_USAGE;
}

int cli_failure(const char *format, ...) {
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_failed_call(int code) {
    char why[768];
    if (weft_explain(why, sizeof why) == 0)
        return cli_failure("%s", weft_strerror(code));
    // An address that cannot be read is a mistake on the command line, as an unknown option is.
    return code == -WEFT_EADDRESS ? cli_usage_error("%s", why) : cli_failure("%s", why);
}

// Asked each time: it costs nothing next to printing, and there is no state to keep.
static bool wants_colours(void) {
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

const char *cli_colour(enum cli_colour colour) {
    static const char *const sequences[] = {
        [CLI_PLAIN] = "\033[0m",  [CLI_BOLD] = "\033[1m",    [CLI_RED] = "\033[31m",
        [CLI_GREEN] = "\033[32m", [CLI_YELLOW] = "\033[33m",
    };
    return wants_colours() ? sequences[colour] : "";
}

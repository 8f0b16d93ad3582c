// SPDX-License-Identifier: MIT
// Faults and log lines. stderr is caught by putting another file in the place of descriptor 2, so
// that whatever writes there is seen, the library's log included.
#include "fault.h"

#include "check.h"
#include "weft_testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int caught = -1, original = -1;

void fault_nth(const char *kind, uint64_t n, int error) {
    expect(weft__testing_fail(kind, n, 0, error), 0);
}

void fault_every(const char *kind, uint64_t n, int error) {
    expect(weft__testing_fail(kind, n, 1, error), 0);
}

void fault_none(void) {
    weft__testing_fail_none();
}

void stderr_catch_begin(void) {
    FILE *file = tmpfile();
    assert_non_null(file);
    caught = dup(fileno(file));
    fclose(file);
    original = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    fflush(stderr);
    assert_int_equal(dup2(caught, STDERR_FILENO), STDERR_FILENO);
}

size_t stderr_catch_count(const char *text) {
    static char lines[65536];
    ssize_t size = pread(caught, lines, sizeof lines - 1, 0);
    assert_true(size >= 0);
    lines[size] = '\0';
    size_t count = 0;
    for (const char *at = lines; (at = strstr(at, text)) != NULL; at += strlen(text))
        count++;
    return count;
}

// What was caught is shown, because it belongs to the output of the case. Also called when a case
// aborts, so it does nothing that a signal handler may not.
void stderr_catch_end(void) {
    static char lines[65536];
    if (caught < 0)
        return;
    ssize_t size = pread(caught, lines, sizeof lines, 0);
    dup2(original, STDERR_FILENO);
    close(original);
    close(caught);
    caught = original = -1;
    if (size > 0 && write(STDERR_FILENO, lines, (size_t)size) != size)
        abort();
}

// SPDX-License-Identifier: MIT
// The registry of cases: a list in the order of files and lines, made before main by constructors.
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct conformance_case *first;

static bool comes_before(const struct conformance_case *a, const struct conformance_case *b) {
    int files = strcmp(a->file, b->file);
    return files != 0 ? files < 0 : a->line < b->line;
}

void case_register(struct conformance_case *added) {
    struct conformance_case **at = &first;
    while (*at != NULL && comes_before(*at, added))
        at = &(*at)->next;
    added->next = *at;
    *at = added;
}

void case_except(struct conformance_case *of, const char *driver, const char *reason) {
    if (of->exception_count == EXCEPTIONS_MAX) {
        fprintf(stderr, "conformance: %s has too many exceptions\n", of->name);
        exit(2);
    }
    of->exceptions[of->exception_count++] = (struct exception){driver, reason};
}

struct conformance_case *case_first(void) {
    return first;
}

const char *case_exception(const struct conformance_case *of, const char *driver) {
    for (size_t i = 0; i < of->exception_count; i++)
        if (strcmp(of->exceptions[i].driver, driver) == 0)
            return of->exceptions[i].reason;
    return NULL;
}

// SPDX-License-Identifier: MIT
// What tests assert with: cmocka's assertions, and a few that speak weft's language (names of error
// codes, handles). They may be used in any task and any thread: the runner sets CMOCKA_TEST_ABORT,
// so that a failure prints and ends the process of the case at once.
#ifndef SUPPORT_CHECK_H
#define SUPPORT_CHECK_H

// cmocka.h relies on these four.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>
#include <weft.h>

// The call answers exactly this.
#define expect(call, expected)                                                                     \
    check_result((long long)(call), (long long)(expected), #call, __FILE__, __LINE__)

// The call answers one of two things, because a sentence of docs/semantics.md allows both: name it
// beside.
#define expect_either(call, one, other)                                                            \
    check_either((long long)(call), (long long)(one), (long long)(other), #call, __FILE__, __LINE__)

// The call gives a handle, which is the value.
#define opened(call) check_opened((call), #call, __FILE__, __LINE__)

// The claim is true.
#define expect_that(claim) check_that((claim), #claim, __FILE__, __LINE__)

// The call would wait: a short deadline ends it, and nothing else does before.
#define expect_waits(call)                                                                         \
    do {                                                                                           \
        weft_within(check_patience_ns());                                                          \
        expect(call, -ETIMEDOUT);                                                                  \
        expect(weft_timed_out(), 1);                                                               \
    } while (0)

// The sentence for the last failure of this task or thread contains the text.
#define expect_explained(text) check_explained((text), __FILE__, __LINE__)

void check_result(long long result, long long expected, const char *call, const char *file,
                  int line);
void check_either(long long result, long long one, long long other, const char *call,
                  const char *file, int line);
int check_opened(int handle, const char *call, const char *file, int line);
void check_that(bool claim, const char *text, const char *file, int line);
void check_explained(const char *text, const char *file, int line);
int64_t check_patience_ns(void);

#endif

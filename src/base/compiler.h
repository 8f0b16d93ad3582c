// SPDX-License-Identifier: MIT
// The compiler extensions that weft relies on, each behind a named macro, so that the rest of the
// code is plain C17 and a new compiler is a change to this file.
// Not for feature tests of the system or the processor: those belong to os/ and task/.
#ifndef WEFT__COMPILER_H
#define WEFT__COMPILER_H

// The format string is argument `format`, its first value is argument `first` (0: a va_list).
#define WEFT__PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

// For code that runs at most once in the life of a process: it is laid out away from the hot paths.
#define WEFT__COLD __attribute__((cold, noinline))

// For the rare part of a function that is called often, so that it costs that no registers.
#define WEFT__NOINLINE __attribute__((noinline))

// At a fixed distance from the thread's own pointer, in a shared library, too: read without a call.
#define WEFT__THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

// A function that reads what others may be writing, and then finds out whether they were: if so it
// throws away what it has read. ThreadSanitizer is not to report that. It reads for itself, since
// an inline function that it calls is instrumented all the same.
#define WEFT__RACY __attribute__((no_sanitize("thread")))

// For small structs of which there are many: aligned to four bytes only, with nothing in between.
#define WEFT__UNPADDED __attribute__((packed, aligned(4)))

// Which checker this is compiled for: 0 or 1 each.
#if defined(__SANITIZE_ADDRESS__)
#define WEFT__UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define WEFT__UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT__UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define WEFT__UNDER_TSAN 1
#endif
#endif
#ifndef WEFT__UNDER_ASAN
#define WEFT__UNDER_ASAN 0
#endif
#ifndef WEFT__UNDER_TSAN
#define WEFT__UNDER_TSAN 0
#endif

// What different threads write stands so many bytes apart.
#define WEFT__CACHE_LINE 64

#define WEFT__LIKELY(cond)   __builtin_expect(!!(cond), 1)
#define WEFT__UNLIKELY(cond) __builtin_expect(!!(cond), 0)

#endif

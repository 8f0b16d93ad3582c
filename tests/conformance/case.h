// SPDX-License-Identifier: MIT
// Cases: how a behaviour is written down so that the suite finds it. A case is one sentence that is
// true when it passes; it registers itself and runs on every driver, each time in a process of its
// own.
//
//   CASE(read_returns_zero_after_peer_closes) { ... }
//   CASE_NOT_ON(read_returns_zero_after_peer_closes, "sim", "docs/semantics.md 9: ...")
//
// Nothing is listed by hand; what does not apply says so beside the case, with the sentence that
// makes it so.
#ifndef CONFORMANCE_CASE_H
#define CONFORMANCE_CASE_H

#include <stdbool.h>
#include <stddef.h>

#include "await.h"
#include "check.h"
#include "party.h"
#include "peers.h"
#include "world.h"

enum { EXCEPTIONS_MAX = 4 };

struct exception {
    const char *driver;
    const char *reason;
};

struct conformance_case {
    const char *name;
    const char *file;
    int line;
    void (*run)(void);
    bool is_bare;       // starts and stops the runtime by itself
    size_t slow_factor; // takes so many times longer than others may; 0: 1
    size_t sim_seeds;   // how many seeds it runs with on the simulator; 0: 5
    bool runs_once;     // not twice per seed there: it takes too long for that
    struct exception exceptions[EXCEPTIONS_MAX];
    size_t exception_count;
    struct conformance_case *next;
};

// Further arguments set fields: CASE(the_name, .is_bare = true).
#define CASE(name_, ...)                                                                           \
    static void name_(void);                                                                       \
    static struct conformance_case case_##name_ = {                                                \
        .name = #name_, .file = __FILE__, .line = __LINE__, .run = name_, __VA_ARGS__};            \
    __attribute__((constructor)) static void register_##name_(void) {                              \
        case_register(&case_##name_);                                                              \
    }                                                                                              \
    static void name_(void)

#define CASE_NOT_ON(name_, driver_, reason_)                                                       \
    __attribute__((constructor)) static void CASE_UNIQUE(except_##name_, __COUNTER__)(void) {      \
        case_except(&case_##name_, (driver_), (reason_));                                          \
    }
#define CASE_UNIQUE(a, b) CASE_JOIN(a, b)
#define CASE_JOIN(a, b)   a##_##b

// The reasons that many cases share. What a reason has in quotation marks stands in the section of
// docs/semantics.md that it names; tests/process/readme.sh sees to it.
#define NO_SCOPE                                                                                   \
    "docs/semantics.md 5: a plain thread \"belongs to no scope, so only deadlines and weft_close " \
    "end its waits\""
#define NO_TASKS                                                                                   \
    "docs/semantics.md 9: parties are \"tasks under a runtime, plain threads on the thread "       \
    "driver\""
#define NO_THREADS "docs/semantics.md 9: the simulator is \"single-threaded\""
#define REAL_TIME                                                                                  \
    "docs/semantics.md 9: \"Virtual time moves only when nothing can run\": only the simulator "   \
    "can be exact"
#define NO_REAL_DESCRIPTORS                                                                        \
    "docs/semantics.md 9: the simulator has \"its descriptors far above real ones\""
#define NO_RUNTIME                                                                                 \
    "docs/semantics.md 4: \"Without a runtime every thread is a plain one\", and the thread "      \
    "driver has none"
#define NOT_PUBLIC                                                                                 \
    "docs/semantics.md 9: \"which weft_sim_run starts a runtime on\", and no option does"

#define CASE_NEEDS_SCOPE(name_)   CASE_NOT_ON(name_, "thread", NO_SCOPE)
#define CASE_NEEDS_TASKS(name_)   CASE_NOT_ON(name_, "thread", NO_TASKS)
#define CASE_NEEDS_RUNTIME(name_) CASE_NOT_ON(name_, "thread", NO_RUNTIME)
#define CASE_NEEDS_PUBLIC_DRIVER(name_)                                                            \
    CASE_NOT_ON(name_, "thread", NO_RUNTIME)                                                       \
    CASE_NOT_ON(name_, "sim", NOT_PUBLIC)
#define CASE_ONLY_ON_SIM(name_)                                                                    \
    CASE_NOT_ON(name_, "thread", REAL_TIME)                                                        \
    CASE_NOT_ON(name_, "epoll", REAL_TIME)                                                         \
    CASE_NOT_ON(name_, "uring", REAL_TIME)

void case_register(struct conformance_case *added);
void case_except(struct conformance_case *of, const char *driver, const char *reason);

// All cases, by file and line.
struct conformance_case *case_first(void);
// Why the case does not apply to a driver; NULL: it does.
const char *case_exception(const struct conformance_case *of, const char *driver);

// Inside a case: what it needs is not on this machine. Say so and return.
void case_skip(const char *reason);

#endif

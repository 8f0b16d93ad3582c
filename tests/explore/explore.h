// SPDX-License-Identifier: MIT
//
// The interleaving explorer: runs the real C code of src/ in every order that a few threads could
// run it in, up to a bound, on every outcome that C11 allows its loads, and tells of the first
// order in which something goes wrong, with a line that replays it.
//
// TO ADD A SCENARIO, write tests/explore/NAME.c:
//
//     #include "explore.h"
//     #include "task/deque.h"                      // what it is about
//     static struct weft__deque deque;             // put back before every execution
//     static void setup(void) { ... }              // alone, before the others begin
//     static void owner(void) { ... }              // thread 0
//     static void thief(void) { ... }              // threads 1, 2: the same or others
//     static void finish(void) { EXPECT(...); }    // alone, after all have returned
//     static const struct explore_case cases[] = {
//         {.name = "two_thieves", .bound = 3, .setup = setup, .finish = finish,
//          .threads = {{"owner", owner}, {"thief", thief}, {"thief2", thief}}},
//     };
//     EXPLORE_CASES(cases)
//
// The build finds it, CTest runs it with one deviation, and `./dev check explore` all of it. Start
// with two threads and as few calls as can show the matter: the number of executions grows by the
// power of `bound`. All of src/task, src/base and src/io/call.c and close.c is there, but for
// signals.c; the operating system and the drivers are world.c's. All memory of the program, its
// statics, thread-locals and weft__alloc included, is as new for each execution; what is not weft's
// business (files, stdio) stay away from.
//
// TO PROVE THAT IT SEES, write tests/explore/plants/NAME.patch: a defect, as lines of a source to
// replace, that the scenario must find (plant.py). Its build fails when the lines are not there.
//
// WHAT IS EXPLORED. Threads are switched before each atomic operation, each lock, each wait. An
// execution differs from the plain one (a thread runs until it waits; a load finds the newest
// value) by deviations: a switch away from a thread that could go on, a load of an older value, a
// wait that ends by its deadline while others could run, or, if the case says so, for no reason.
// `bound` limits their number: all executions with 0 deviations come first, then with 1, and so on,
// so that the first finding is a simplest one. An execution that comes to a state that was searched
// already ends there: the history of every thread tells it (which stores its loads found).
//
// THE MEMORY MODEL is C11's, release and acquire, relaxed, fences, and seq_cst as RC11 has it
// (Lahav et al., 2017), with these limits: stores to one location take effect in the order in which
// they are executed; read-modify-writes and failed compare-and-swaps find the newest value; a load
// finds one of the last KEPT (4) stores; no load finds a store that is executed later (no load
// buffering). x86's store buffers are covered: a store that lingers there is one that others do not
// find yet. weft__os_yield gives way until something has changed that the thread has looked at.
//
// WHAT IS FOUND. A failed EXPECT, ASSERT or PANIC; a crash; a deadlock (a lost wake) and a
// livelock; two plain accesses, or a plain and an atomic one, that no synchronisation orders: the
// compiler's -fsanitize=thread calls us at each plain access, so a missing acquire or release is
// found where it protects anything; use of memory after weft__free, by the instrumented code.
#ifndef TESTS_EXPLORE_EXPLORE_H
#define TESTS_EXPLORE_EXPLORE_H

#include "base/atomic.h" // that is, atomic.h beside this

#include <stddef.h>

enum { EXPLORE_THREADS = 6, EXPLORE_ALL = 255, EXPLORE_OUTCOMES = 4096 };

struct weft__driver;

struct explore_thread {
    const char *name;
    void (*fn)(void);
};

struct explore_case {
    const char *name;
    unsigned bound; // deviations, or EXPLORE_ALL; WEFT_TEST_SCALE of 2 or more adds one
    void (*setup)(void);
    void (*prologue)(void); // each thread begins with it, alone
    void (*finish)(void);
    struct explore_thread threads[EXPLORE_THREADS];
    bool wakes_early; // waits may end for no reason
    // For cases about the explorer itself. `outcomes`: bit n is set if explore_outcome(n) must
    // occur, and clear if it must not; checked also without the end at known states. `repeat`: so
    // many times, each with its own explore_parameter. `finding`: begins what must be found.
    uint64_t outcomes;
    unsigned repeat;
    const char *finding;
};

// A case in a few words; the threads follow.
#define EXPLORE_CASE(text, most, begin, first, end, ...)                                           \
    {                                                                                              \
        .name = text, .bound = most, .setup = begin, .prologue = first, .finish = end,             \
        .threads = {                                                                               \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

int explore_main(int argc, char **argv, const struct explore_case *cases, size_t count);

#define EXPLORE_CASES(cases)                                                                       \
    int main(int argc, char **argv) {                                                              \
        return explore_main(argc, argv, cases, sizeof(cases) / sizeof *(cases));                   \
    }

void explore_outcome(unsigned outcome); // below EXPLORE_OUTCOMES
unsigned explore_parameter(void);       // from 0

// Ends the execution with a finding.
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define EXPECT(claim) ((claim) ? (void)0 : explore_fail("%s: not so", EXPLORE_SITE(#claim)))

// A driver for the calling thread, with contract points 5, 6, 7 and 12 of driver.h and no
// operations: submit takes one, cancel completes it.
struct weft__driver *explore_driver(void);
// Waits until the other threads of the case have returned: for thread 0, when it has no other way.
void explore_await_others(void);
// What the thread has registered with weft__os_at_thread_exit runs now, as part of what is
// explored, and not after the finish.
void explore_thread_exit(void);

#endif

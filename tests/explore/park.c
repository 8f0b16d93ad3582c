// SPDX-License-Identifier: MIT
//
// The word of a waiter (task/park.c, rules 1 to 4), for plain threads.
#include "explore.h"

#include "os/os.h"
#include "task/park.h"

static struct weft__waiter *parker;
static uint32_t count; // atomic
static int gift;       // plain

static void parker_prologue(void) {
    struct weft__waiter *self = weft__self();
    if (!parker)
        parker = self;
}

// ---- Rule 2 ----

static void park_once(void) {
    weft__park(parker, INT64_MAX);
    EXPECT(gift == 1);
}

static void give_and_unpark(void) {
    gift = 1;
    weft__unpark(parker);
}

// ---- Rule 1 ----

static void park_until_two(void) {
    while (weft__load(&count, relaxed) < 2)
        weft__park(parker, INT64_MAX);
}

static void count_and_unpark(void) {
    weft__fetch_add(&count, 1, relaxed);
    weft__unpark(parker);
}

// ---- A deadline ----

static void park_until_deadline(void) {
    while (weft__load(&count, relaxed) < 1) {
        weft__park(parker, 2000000000);
        if (weft__fresh_now(parker) >= 2000000000)
            return;
    }
}

// ---- Rule 4 ----

static void park_once_and_end(void) {
    weft__park(parker, INT64_MAX);
    explore_thread_exit();
}

static void unpark_only(void) {
    weft__unpark(parker);
}

static void park_timed_and_end(void) {
    weft__park(parker, 2000000000);
    explore_thread_exit();
}

static const struct explore_case cases[] = {
    {.name = "what_was_written_before_is_seen",
     .bound = 4,
     .prologue = parker_prologue,
     .threads = {{"parker", park_once}, {"waker", give_and_unpark}}},
    {.name = "two_wakes_none_lost",
     .bound = 4,
     .prologue = parker_prologue,
     .threads = {{"parker", park_until_two},
                 {"waker", count_and_unpark},
                 {"waker2", count_and_unpark}}},
    {.name = "deadline_against_wake",
     .bound = 4,
     .prologue = parker_prologue,
     .threads = {{"parker", park_until_deadline},
                 {"waker", count_and_unpark},
                 {"waker2", count_and_unpark}}},
    {.name = "thread_ends_while_woken",
     .bound = 4,
     .prologue = parker_prologue,
     .threads = {{"parker", park_once_and_end}, {"waker", unpark_only}, {"waker2", unpark_only}}},
    {.name = "thread_ends_by_deadline_while_woken",
     .bound = 4,
     .prologue = parker_prologue,
     .threads = {{"parker", park_timed_and_end}, {"waker", unpark_only}, {"waker2", unpark_only}}},
};
EXPLORE_CASES(cases)

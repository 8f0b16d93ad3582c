// SPDX-License-Identifier: MIT
//
// The mutexes of os/lock.h and their futex, which the other scenarios take for granted; compiled
// here for real. The biased one with both its fences: those that it has where the kernel refuses
// membarrier(2), and that call, which stands for a full fence in every thread.
#include "explore.h"

#include "os/lock.h"
#include "os/os.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>

static struct weft__lock lock;
static unsigned count; // guarded by the lock

static void add_one(void) {
    weft__lock(&lock);
    count++;
    weft__unlock(&lock);
}

static void add_two(void) {
    add_one();
    add_one();
}

static void three(void) {
    EXPECT(count == 3);
    EXPECT(lock.word == 0);
}

static void four(void) {
    EXPECT(count == 4);
    EXPECT(lock.word == 0);
}

// The next holder frees the lock: what unlock does after its exchange must not read it.
static struct weft__lock *own;
static unsigned holders; // guarded by it

static void make_own(void) {
    own = weft__alloc(sizeof *own);
}

static void hold_and_free_last(void) {
    struct weft__lock *mine = own;
    weft__lock(mine);
    bool is_last = ++holders == 2;
    weft__unlock(mine);
    if (is_last)
        weft__free(mine);
}

// ---- Biased ---------------------------------------------------------------------------------

static struct weft__biased_lock biased;
static const int a, b; // names of threads

// What os/lock.c calls instead of syscall(2) (cmake/explore.cmake).
long explore_syscall(long number, int command, ...);
long explore_syscall(long number, int command, ...) {
    EXPECT(number == SYS_membarrier);
    if (command == MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        explore_fence_everywhere(EXPLORE_SITE("membarrier"));
    return 0;
}

// Thread 0's, by itself.
static void bias_to_a(void) {
    weft__biased_lock(&biased, &a);
    weft__bias_to(&biased, &a);
    weft__biased_unlock(&biased);
    EXPECT(biased.owner == &a);
}

static void bias_to_a_with_membarrier(void) {
    weft__heavy_barrier_ask();
    bias_to_a();
}

// As a scope is used: who comes with a name wants the bias each time.
static void add_as(const void *self) {
    weft__biased_lock(&biased, self);
    count++;
    weft__bias_to(&biased, self);
    weft__biased_unlock(&biased);
}

static void add_as_a(void) {
    add_as(&a);
}

static void add_as_a_twice(void) {
    add_as(&a);
    add_as(&a);
}

static void add_as_nobody(void) {
    add_as(NULL);
}

static void add_as_nobody_twice(void) {
    add_as(NULL);
    add_as(NULL);
}

static void add_as_b_twice(void) {
    add_as(&b);
    add_as(&b);
}

static void biased_four(void) {
    EXPECT(count == 4 && biased.inside == 0 && biased.lock.word == 0);
}

static void biased_three(void) {
    EXPECT(count == 3 && biased.inside == 0 && biased.lock.word == 0);
}

#define BIASED(text, most, end, ...)                                                               \
    EXPLORE_CASE(text, most, bias_to_a, NULL, end, __VA_ARGS__),                                   \
        EXPLORE_CASE(text "_membarrier", most, bias_to_a_with_membarrier, NULL, end, __VA_ARGS__)

static const struct explore_case cases[] = {
    {.name = "two_threads",
     .bound = EXPLORE_ALL,
     .finish = four,
     .threads = {{"a", add_two}, {"b", add_two}}},
    {.name = "three_threads",
     .bound = EXPLORE_ALL,
     .finish = three,
     .threads = {{"a", add_one}, {"b", add_one}, {"c", add_one}}},
    {.name = "last_holder_frees",
     .bound = EXPLORE_ALL,
     .setup = make_own,
     .threads = {{"a", hold_and_free_last}, {"b", hold_and_free_last}}},
    {.name = "waits_end_for_no_reason",
     .bound = 6,
     .finish = three,
     .wakes_early = true,
     .threads = {{"a", add_one}, {"b", add_one}, {"c", add_one}}},
    BIASED("owner_against_another", EXPLORE_ALL, biased_four, {"owner", add_as_a_twice},
           {"another", add_as_nobody_twice}),
    BIASED("owner_against_two", 4, biased_three, {"owner", add_as_a}, {"another", add_as_nobody},
           {"another2", add_as_nobody}),
    BIASED("wanted_by_another", 5, biased_four, {"a", add_as_a_twice}, {"b", add_as_b_twice}),
    BIASED("wanted_by_another_and_a_third", 3, biased_four, {"a", add_as_a}, {"b", add_as_b_twice},
           {"another", add_as_nobody}),
};
EXPLORE_CASES(cases)

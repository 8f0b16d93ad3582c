// SPDX-License-Identifier: MIT
// Waiting for states by looking: a short pause between two looks, in whatever way the caller can
// pause. The clock here is the real one, because it only ends hangs.
#include "await.h"

#include "check.h"
#include "weft_testing.h"
#include "world.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weft.h>

static long long real_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// In a task a pause lets the others run; on the simulator it also lets virtual time move. A pause
// that a cancellation or a deadline refuses is none, so the thread gives way instead.
static void pause_briefly(void) {
    static const struct timespec short_time = {.tv_nsec = 20000};
    bool is_thread = strcmp(weft_driver_name(), "thread") == 0;
    if (is_thread || weft_sleep(20 * WEFT_MICROSECOND) < 0)
        nanosleep(&short_time, NULL);
}

void await_pause(struct await *await, const char *what) {
    long long now = real_now_ns();
    if (await->began_ns == 0)
        await->began_ns = now;
    // Below the runner's limit, so that the message comes from here.
    if (now - await->began_ns > test_limit_ns() / 6 * 5)
        fail_msg("after %lld s still not: %s", (now - await->began_ns) / 1000000000, what);
    pause_briefly();
}

void flag_raise(struct flag *flag) {
    atomic_fetch_add(&flag->value, 1);
}

int flag_value(struct flag *flag) {
    return atomic_load(&flag->value);
}

void await_flag(struct flag *flag, int at_least) {
    char what[64];
    snprintf(what, sizeof what, "a flag at %d", at_least);
    for (struct await await = {0}; flag_value(flag) < at_least;)
        await_pause(&await, what);
}

void await_waiting(int handle, int direction, int count) {
    char what[96];
    snprintf(what, sizeof what, "%d waiting in direction %d of handle %d", count, direction,
             handle);
    for (struct await await = {0}; weft__testing_waiting(handle, direction) < count;)
        await_pause(&await, what);
}

void await_queued(void *object, size_t count) {
    char what[64];
    snprintf(what, sizeof what, "%zu waiting at an object", count);
    for (struct await await = {0}; weft__testing_queued(object) < count;)
        await_pause(&await, what);
}

void await_parked_tasks(size_t count) {
    char what[64];
    snprintf(what, sizeof what, "%zu parked tasks", count);
    for (struct await await = {0}; weft__testing_parked_tasks() < count;)
        await_pause(&await, what);
}

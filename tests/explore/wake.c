// SPDX-License-Identifier: MIT
//
// How drivers sleep and are woken (driver/wake.h), on the futex and on an eventfd: no wake is lost,
// each wait answers the wakes that came before it, and what a waker wrote before is seen. The
// explorer's own driver, in the other scenarios, does as this is shown to do.
#include "explore.h"

#include "os/os.h"

// The eventfd of wake.h: a counter that is not 0 once it was written.
static uint32_t is_readable; // atomic
static long explore_write(int fd, const void *data, size_t size) {
    (void)fd, (void)data;
    weft__store(&is_readable, 1, release);
    return (long)size;
}

#include <unistd.h>
#define write explore_write
#include "driver/wake.h"
#undef write

static struct weft__wake wake;
static int gift[2];     // plain
static uint32_t posted; // atomic

// poll(2) and read(2) of the eventfd.
static void wait_on_fd(void) {
    while (!weft__load(&is_readable, acquire))
        weft__os_yield();
    weft__store(&is_readable, 0, relaxed);
}

static void wait_once(enum weft__wake_state how) {
    if (!weft__wake_fall_asleep(&wake, how))
        return;
    if (how == WEFT__ON_FUTEX)
        weft__futex_wait(&wake.word, how, INT64_MAX);
    else
        wait_on_fd();
    weft__wake_rise(&wake);
}

static void owner_on_futex(void) {
    while (weft__load(&posted, relaxed) < 1)
        wait_once(WEFT__ON_FUTEX);
}

static void owner_on_futex_for_two(void) {
    while (weft__load(&posted, relaxed) < 2)
        wait_once(WEFT__ON_FUTEX);
}

static void owner_on_fd(void) {
    while (weft__load(&posted, relaxed) < 1)
        wait_once(WEFT__ON_FD);
}

static void owner_takes(void) {
    bool is_woken = weft__wake_take(&wake);
    if (!is_woken)
        wait_once(WEFT__ON_FUTEX);
    EXPECT(gift[0] == 1);
}

static void post(void) {
    gift[0] = 1;
    weft__fetch_add(&posted, 1, relaxed);
    weft__wake_post(&wake);
}

static void post_too(void) {
    weft__fetch_add(&posted, 1, relaxed);
    weft__wake_post(&wake);
}

static const struct explore_case cases[] = {
    {.name = "futex",
     .bound = EXPLORE_ALL,
     .threads = {{"owner", owner_on_futex}, {"waker", post}}},
    {.name = "futex_two_wakers",
     .bound = EXPLORE_ALL,
     .threads = {{"owner", owner_on_futex_for_two}, {"waker", post}, {"waker2", post_too}}},
    {.name = "eventfd",
     .bound = EXPLORE_ALL,
     .threads = {{"owner", owner_on_fd}, {"waker", post}, {"waker2", post_too}}},
    {.name = "what_was_written_before_is_seen",
     .bound = EXPLORE_ALL,
     .threads = {{"owner", owner_takes}, {"waker", post}}},
};
EXPLORE_CASES(cases)

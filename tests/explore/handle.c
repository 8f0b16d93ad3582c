// SPDX-License-Identifier: MIT
//
// Handles (task/handle.c): use against close, turns, and slots that are used again.
#include "explore.h"

#include "os/os.h"
#include "task/handle.h"
#include "task/park.h"

#include <errno.h>

enum { FD = 100, OTHER_FD = 200 };

static int h, other = -1;
static unsigned inside;  // the turn's
static uint32_t entered; // atomic
static bool is_closed[2];

static void know_self(void) {
    EXPECT(weft__self() != NULL);
}

static int open_fd(int fd) {
    int opened = weft__handle_open(fd, WEFT__KIND_STREAM, weft__handle_serial());
    EXPECT(opened > 0);
    return opened;
}

static void open_one(void) {
    h = open_fd(FD);
}

static bool close_it(int which, int fd) {
    struct weft__handle *handle;
    int error = weft__handle_close(weft__self(), which, &handle);
    EXPECT(error == 0 || error == -EBADF);
    if (error < 0)
        return false;
    EXPECT(weft__handle_take_fd(handle) == fd);
    weft__handle_free(handle);
    return true;
}

static void close_h(void) {
    is_closed[0] = close_it(h, FD);
}

static void close_h_too(void) {
    is_closed[1] = close_it(h, FD);
}

static void nothing_is_open(void) {
    EXPECT(weft__handles_open() == 0);
    EXPECT(is_closed[0] != is_closed[1]);
}

// ---- A use that does not wait ----

static void use(void) {
    struct weft__turn turn;
    int error = weft__turn_begin(&turn, weft__self(), h, WEFT__SIDE_NONE, WEFT__KIND_ANY);
    EXPECT(error == 0 || error == -EBADF);
    if (error < 0)
        return;
    EXPECT(turn.handle->fd == FD);
    weft__turn_end(&turn);
}

// ---- Turns: one after the other ----

static int read_once(void) {
    struct weft__turn turn;
    int error = weft__turn_begin(&turn, weft__self(), h, WEFT__SIDE_READ, WEFT__KIND_ANY);
    EXPECT(error == 0 || error == -EBADF || error == -ETIMEDOUT);
    if (error < 0)
        return error;
    EXPECT(turn.handle->fd == FD);
    inside++; // a race, if two have the turn
    weft__turn_end(&turn);
    weft__fetch_add(&entered, 1, relaxed);
    return 0;
}

static void read_for_sure(void) {
    EXPECT(read_once() == 0);
}

static void read_if_open(void) {
    (void)read_once();
}

static void read_in_time(void) {
    struct weft__waiter *self = weft__self();
    self->deadline = 2000000000;
    EXPECT(read_once() != -EBADF);
    self->deadline = INT64_MAX;
}

static void two_have_read(void) {
    EXPECT(inside == 2 && entered == 2);
    EXPECT(close_it(h, FD));
}

static void some_have_read(void) {
    EXPECT(inside == entered);
    EXPECT(close_it(h, FD)); // no use is left behind, no turn is left taken
}

// ---- An operation that waits in a driver until the handle is closed ----

static void wait_at(enum weft__side side) {
    struct weft__waiter *self = weft__self();
    struct weft__turn turn;
    int error = weft__turn_begin(&turn, self, h, side, WEFT__KIND_ANY);
    EXPECT(error == 0 || error == -EBADF);
    if (error < 0)
        return;
    weft__turn_waits(&turn);
    while (!weft__turn_is_closing(&turn))
        weft__park(self, INT64_MAX);
    weft__turn_waited(&turn);
    EXPECT(turn.handle->fd == FD);
    weft__turn_end(&turn);
}

static void wait_to_read(void) {
    wait_at(WEFT__SIDE_READ);
}

static void wait_to_write(void) {
    wait_at(WEFT__SIDE_WRITE);
}

static void watch(void) {
    wait_at(WEFT__SIDE_NONE);
}

// ---- A handle that another thread learns of without any synchronisation ----

static uint32_t told; // atomic: the handle

static void open_and_tell(void) {
    weft__store(&told, (uint32_t)open_fd(FD), relaxed);
}

static void use_told(void) {
    h = (int)weft__load(&told, relaxed);
    if (h != 0)
        use(); // which may not see that it is open; but if so, what it is
}

static void close_told(void) {
    EXPECT(close_it((int)told, FD));
}

// ---- Waiting for any handle to be closed ----

static void await_a_close(void) {
    weft__handle_await_close(weft__self(), 2000000000);
}

// ---- Slots used again: a stale handle is nobody else's ----

static void close_and_open(void) {
    is_closed[0] = close_it(h, FD);
    other = open_fd(OTHER_FD);
    EXPECT(other != h);
}

static void close_other(void) {
    EXPECT(is_closed[0] != is_closed[1]);
    EXPECT(close_it(other, OTHER_FD));
    EXPECT(weft__handles_open() == 0);
}

static void open_and_close(void) {
    int mine = open_fd(OTHER_FD);
    EXPECT(close_it(mine, OTHER_FD));
}

static void open_and_close_twice(void) {
    open_and_close();
    open_and_close();
}

static void none_is_open(void) {
    EXPECT(weft__handles_open() == 0);
}

#define CASE(text, most, end, ...) EXPLORE_CASE(text, most, open_one, know_self, end, __VA_ARGS__)

static const struct explore_case cases[] = {
    CASE("close_against_use", EXPLORE_ALL, nothing_is_open, {"closer", close_h}, {"user", use}),
    CASE("close_against_two_uses", 4, nothing_is_open, {"closer", close_h}, {"user", use},
         {"user2", use}),
    CASE("two_closers_and_a_use", 4, nothing_is_open, {"closer", close_h}, {"closer2", close_h_too},
         {"user", use}),
    CASE("two_readers", EXPLORE_ALL, two_have_read, {"reader", read_for_sure},
         {"reader2", read_for_sure}),
    CASE("two_readers_and_a_close", 4, nothing_is_open, {"closer", close_h},
         {"reader", read_if_open}, {"reader2", read_if_open}),
    CASE("turn_deadline", 3, some_have_read, {"reader", read_for_sure}, {"reader2", read_in_time},
         {"reader3", read_in_time}),
    CASE("close_against_wait", EXPLORE_ALL, nothing_is_open, {"closer", close_h},
         {"reader", wait_to_read}),
    CASE("close_against_two_waits", 4, nothing_is_open, {"closer", close_h},
         {"reader", wait_to_read}, {"writer", wait_to_write}),
    CASE("close_against_queue", 4, nothing_is_open, {"closer", close_h}, {"reader", wait_to_read},
         {"reader2", wait_to_read}),
    CASE("close_against_watcher", EXPLORE_ALL, nothing_is_open, {"closer", close_h},
         {"watcher", watch}),
    CASE("close_against_await_close", EXPLORE_ALL, nothing_is_open, {"closer", close_h},
         {"waiter", await_a_close}),
    {.name = "told_without_synchronisation",
     .bound = EXPLORE_ALL,
     .prologue = know_self,
     .finish = close_told,
     .threads = {{"opener", open_and_tell}, {"user", use_told}}},
    CASE("stale_use", EXPLORE_ALL, close_other, {"closer", close_and_open}, {"user", use}),
    CASE("stale_reader_and_close", 4, close_other, {"closer", close_and_open},
         {"reader", read_if_open}, {"closer2", close_h_too}),
    {.name = "open_and_close",
     .bound = 4,
     .prologue = know_self,
     .finish = none_is_open,
     .threads = {{"a", open_and_close_twice}, {"b", open_and_close_twice}}},
};
EXPLORE_CASES(cases)

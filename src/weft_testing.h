// SPDX-License-Identifier: MIT
//
// What only tests may do: start on a named driver (the simulator too), fail the n-th call, see who
// waits, count what is left. Included by tests/support/ and its own unit test alone; the functions
// are hidden in the shared library.
#ifndef WEFT__TESTING_H
#define WEFT__TESTING_H

#include <stddef.h>
#include <stdint.h>

// Starts the runtime on "epoll", "uring" or "sim" (seeded); "thread" starts nothing: the caller
// stays a plain thread. Answers as weft_start does.
int weft__testing_start(const char *driver, uint64_t seed);
// "sim" with several workers, which share the calling thread: the seed says whose turn it is.
int weft__testing_start_workers(uint64_t seed, unsigned workers);

// How many operations wait (are parked) in one direction of a handle, WEFT_READ or WEFT_WRITE;
// accept waits in the direction of WEFT_READ, connect is not yet a handle. Negative: -EBADF.
int weft__testing_waiting(int handle, int direction);

// How many tasks and threads wait at an object of weft/sync.h.
size_t weft__testing_queued(void *object);

// How many tasks of the runtime wait for anything at all (task zero not counted).
size_t weft__testing_parked_tasks(void);

// The n-th call of that kind from now on fails with `error` (negative); with `every` all later ones
// too. kind: "alloc", "pages", "stack", "thread", or a driver operation: "read", "write",
// "recvmsg", "sendmsg", "accept", "connect", "ready", "resolve", "ctl" (socket, bind, listen,
// options). Returns 0, or -EINVAL for an unknown kind.
int weft__testing_fail(const char *kind, uint64_t n, int every, int error);
void weft__testing_fail_none(void);

// What is there now; all zero after a test has cleaned up (blocks: allocations that are not the
// runtime's own pools; compare before and after).
struct weft__testing_left {
    size_t tasks, handles, operations, stacks;
};
void weft__testing_left(struct weft__testing_left *ret_left);

// Requests queued so far by opcode (io_uring only, else 0).
uint64_t weft__testing_requests(uint8_t opcode);

// The simulator: the hash of all that has happened; else 0.
uint64_t weft__testing_trace_hash(void);

#endif

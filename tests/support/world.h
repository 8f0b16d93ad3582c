// SPDX-License-Identifier: MIT
// The world that a test runs in: which driver, which seed, how slow the tools around it make it.
// The only door to src/weft_testing.h for tests, together with await.h and fault.h. Not the choice
// of cases and drivers: that is the runner's (tests/conformance).
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Set once, in the child that runs one case. The name is kept, not copied.
void world_set(const char *driver, uint64_t seed);
const char *world_driver(void);
uint64_t world_seed(void);

bool world_is(const char *driver);
bool world_has_tasks(void); // parties are tasks, not threads

// Starts the runtime on this world's driver; on "thread" it starts nothing. As weft_start. On "sim"
// there are three workers if the seed is even, so that a few seeds try both; or as many as wanted.
int world_start(void);
int world_start_workers(unsigned workers);
// The simulator's hash of all that has happened; 0 elsewhere.
uint64_t world_trace_hash(void);

// WEFT_TEST_SCALE, at least 1: repetitions are multiplied by it.
size_t test_scale(void);
// How many times slower than a plain build a test may be: 1, or 10 under sanitizers, Valgrind and
// qemu. Time limits are multiplied by it; big counts are divided by it.
size_t test_slowness(void);
bool test_under_valgrind(void);
// A case's time limit: WEFT_TEST_TIMEOUT, else 30, times slowness and scale. It only ends hangs.
int64_t test_limit_ns(void);

// What has to be released by the end of a test.
struct leftovers {
    size_t tasks, handles, operations, stacks, descriptors;
};
void leftovers_count(struct leftovers *ret_left);
// Fails the test, with a list, if there is anything now that was not there before.
void leftovers_expect_none(const struct leftovers *before);

// How many requests of an opcode went to io_uring; 0 elsewhere. The numbers are those of
// linux/io_uring.h.
enum {
    REQUEST_POLL_ADD = 6,
    REQUEST_SENDMSG = 9,
    REQUEST_RECVMSG = 10,
    REQUEST_ACCEPT = 13,
    REQUEST_CONNECT = 16,
    REQUEST_SEND = 26,
    REQUEST_RECV = 27,
};
uint64_t world_requests(uint8_t opcode);

#endif

// SPDX-License-Identifier: MIT
// Every kind of wait: a scene in which one call waits until somebody ends it. What is said of all
// waits (cancellation, deadlines) is tested with each of them.
#ifndef CONFORMANCE_WAITS_H
#define CONFORMANCE_WAITS_H

#include "case.h"

struct scene {
    struct tcp_pair pair;
    struct full_listener full;
    struct parties others; // who waits already, in front of the caller
    weft_addr addr;
    int handle;
    int direction; // in which the call waits at the handle; 0: not at a handle
};

struct wait {
    const char *name;
    void (*begin)(struct scene *scene);
    ssize_t (*call)(struct scene *scene); // waits for ever
    void (*end)(struct scene *scene);
};

extern const struct wait wait_read, wait_peek, wait_read_exact, wait_readv, wait_write,
    wait_write_all, wait_accept, wait_connect, wait_recv_from, wait_recv_with, wait_datagram_read,
    wait_ready, wait_sleep, wait_yield, wait_queued_read, wait_queued_accept, wait_join;

// All but wait_join, which is for tasks only.
extern const struct wait *const all_waits[];
extern const size_t wait_count;

#endif

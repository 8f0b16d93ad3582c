// SPDX-License-Identifier: MIT
//
// WEFT__OP_RESOLVE for the real drivers: getaddrinfo(3) on a small pool of threads, because it
// blocks and because it alone knows nsswitch.conf, /etc/hosts and whatever else this machine asks.
// Not a DNS client, not a cache, and not the race of addresses (net/dial).
//
// A driver embeds a queue, zeroed, and passes it along with itself. All calls are on the driver's
// thread. They do the whole bookkeeping of the op (pending, is_pending, stats).
#ifndef WEFT__RESOLVER_H
#define WEFT__RESOLVER_H

#include "driver/driver.h"

struct weft__resolve_queue {
    struct weft__list finished; // lookups to reap; guarded by the pool's lock
    size_t count;               // submitted and not yet done; the driver's thread alone
};

enum {
    WEFT__RESOLVE_THREADS = 4, // at most; one is started when a lookup finds none idle
    WEFT__RESOLVE_IDLE_S = 10, // after so long without work a thread ends
};

// Takes the op and hands a copy of all it needs to the pool. Returns 0 or -ENOMEM (no memory, or no
// thread to be had): then it was not taken. Lookups beyond the threads' number wait in order.
int weft__resolve_submit(struct weft__driver *d, struct weft__resolve_queue *queue,
                         struct weft__op *op);

// Completes the op with -ECANCELED before it returns. A lookup that is under way goes on, because
// getaddrinfo cannot be stopped, and its answer is dropped.
void weft__resolve_cancel(struct weft__driver *d, struct weft__resolve_queue *queue,
                          struct weft__op *op);

// Completes what the pool has answered; returns how many. Called at the top of each `wait`: the
// pool calls the driver's `wake` when it has added something. One test of a number if nothing was
// asked.
size_t weft__resolve_reap(struct weft__driver *d, struct weft__resolve_queue *queue);

#endif

// SPDX-License-Identifier: MIT
//
// Hosts of a simulation that stand still (src/sim): their tasks do not run, for a while or never
// again. Only where all workers are simulated ones, so that nobody else runs meanwhile. Not for
// sockets and handles of such a host.
//
// 1. A task that waits is held (park.c, rule 6): what it waits for goes on, wakes are counted, and
//    it does not run. One that is ready, or has not started, is kept apart in its worker's queue
//    `frozen`; wakes are counted there as for any that does not wait.
// 2. What has crashed stays so until the run ends, stacks included: others hold pointers to what is
//    on them, the driver to buffers, handles to turns, the program to whatever it likes. Its tasks
//    are on no host then (WEFT__HOST_GONE), so one that starts anew is not taken for it.
#ifndef WEFT__FREEZE_H
#define WEFT__FREEZE_H

#include <stdint.h>

struct weft_scope;

enum { WEFT__HOST_GONE = -1 }; // as a uint32_t; weft__waiter.host

// None of its tasks runs from now on; not the calling one, if it is one of them, which must wait
// for ever. And on again.
void weft__freeze(uint32_t host);
void weft__thaw(uint32_t host);

// Those that stand still will for ever, and so will the caller, if it is one of them. All are in or
// below `scope`, which is as if it were new, but for its owner.
void weft__frozen_lose(uint32_t host, struct weft_scope *scope);
// The same of a scope that has no tasks: it is as if it were new, but for its owner.
void weft__scope_renew(struct weft_scope *scope);
// Gives back what the lost ones had. Nothing may lead to them any more but their runtime.
void weft__frozen_free(void);

#endif

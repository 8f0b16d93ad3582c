// SPDX-License-Identifier: MIT
//
// What tasks and threads share data with, and wait for each other at. Conventions: weft.h.
//
// All of these are memory of the caller's: a zeroed one is ready for use, nothing has to be closed,
// and it must not move while it is used. Any task of any worker and any plain thread may use the
// same one, in simulations too. Who waits is served in order, first come first served, and what is
// given away belongs to the first that waits from that moment: nobody who comes by takes it.
//
// The calls that suspend look at cancellation and deadline first, also when they need not wait, and
// then answer -ECANCELED or -ETIMEDOUT without any effect. A wait that is interrupted has none
// either: a lock is taken (0) or not. What gives something back is never refused.
//
// One of them may be freed as soon as nobody is in a call with it any more, the last user right
// after its own call has returned. A process that forks while others use one must leave it alone in
// the child, as with a pthread_mutex_t. Using a handle, sleeping or joining with a mutex held is
// allowed; the others then wait for that too.
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <stdint.h>

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

// ---- Mutex ----------------------------------------------------------------------------------

/// One holder at a time. `weft_mutex m = {0};` is free.
typedef struct weft_mutex {
    uint64_t words[6];
} weft_mutex;

/// Takes the mutex. A task or thread that holds it must unlock it before it ends.
/// Returns 0, and only then does the caller hold it, or
///   -EDEADLK    the caller holds it already
///   -ECANCELED, -ETIMEDOUT
///   -EINVAL     NULL
/// Suspends.
int weft_lock(weft_mutex *mutex);

/// Takes the mutex if nobody holds it. Returns 0, or -EAGAIN: somebody does, perhaps the caller; or
/// -EINVAL: NULL. Does not suspend, so that a loop around it needs a weft_yield(); not refused by a
/// cancellation.
int weft_try_lock(weft_mutex *mutex);

/// Hands the mutex to the first that waits for it, or sets it free. If the caller does not hold it,
/// the process ends with a report that says who unlocked it. NULL: nothing. Does not suspend. Never
/// refused by a cancellation or a deadline.
void weft_unlock(weft_mutex *mutex);

#ifdef __cplusplus
} // extern "C"
#endif

#pragma GCC visibility pop

#endif

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

// ---- Lock for readers and writers -----------------------------------------------------------

/// One writer at a time, or any number of readers. A reader that comes while a writer waits goes
/// behind it, so that nobody starves; a reader must therefore not take it a second time.
typedef struct weft_rwlock {
    uint64_t words[8];
} weft_rwlock;

/// Takes it, together with other readers; or alone. Returns 0, and only then does the caller hold
/// it, or
///   -EDEADLK    the caller holds it to write
///   -ECANCELED, -ETIMEDOUT
///   -EINVAL     NULL
/// Suspends. (Who holds it to read and wants to write must unlock first: it would wait for itself.)
int weft_rwlock_read(weft_rwlock *lock);
int weft_rwlock_write(weft_rwlock *lock);

/// The same if it need not wait for that. Returns 0, -EAGAIN, or -EINVAL: NULL. Do not suspend, and
/// are not refused by a cancellation.
int weft_rwlock_try_read(weft_rwlock *lock);
int weft_rwlock_try_write(weft_rwlock *lock);

/// Gives back what the caller has taken, and lets in who waits: the first, and if that is a reader,
/// those that follow it up to the next writer. If nobody holds it, or another one to write, the
/// process ends with a report that says who unlocked it. NULL: nothing. Does not suspend. Never
/// refused by a cancellation or a deadline.
void weft_rwlock_unlock(weft_rwlock *lock);

// ---- Semaphore ------------------------------------------------------------------------------

/// A number of permits. A zeroed one has none: weft_semaphore_release(&s, n) gives it its first.
typedef struct weft_semaphore {
    uint64_t words[6];
} weft_semaphore;

enum { WEFT_SEMAPHORE_MAX = 0x7fffffff }; ///< permits that it can have

/// Takes `count` permits at once, 1 to WEFT_SEMAPHORE_MAX. Who waits for many is not overtaken by
/// those that came later and want few. Returns 0, or
///   -ECANCELED, -ETIMEDOUT  none was taken
///   -EINVAL                 NULL; a count out of range
/// Suspends.
int weft_semaphore_acquire(weft_semaphore *semaphore, uint32_t count);

/// The same if they are there and nobody waits. Returns 0, -EAGAIN or -EINVAL. Does not suspend;
/// not refused by a cancellation.
int weft_semaphore_try_acquire(weft_semaphore *semaphore, uint32_t count);

/// Gives `count` permits, 1 to WEFT_SEMAPHORE_MAX, to those that wait, in order, and keeps the
/// rest. By anybody, not only by who has acquired them. Returns 0, or
///   -EOVERFLOW  it would have more than WEFT_SEMAPHORE_MAX: nothing was given
///   -EINVAL     NULL; a count out of range
/// Does not suspend. Never refused by a cancellation or a deadline.
int weft_semaphore_release(weft_semaphore *semaphore, uint32_t count);

// ---- Event ----------------------------------------------------------------------------------

/// Something that happens, once or again and again. A zeroed one is not set.
typedef struct weft_event {
    uint64_t words[6];
} weft_event;

/// Waits until the event is set. Returns 0, or -ECANCELED, -ETIMEDOUT (then a weft_event_set_one
/// was left to another), -EINVAL: NULL. Suspends.
int weft_event_wait(weft_event *event);

/// Sets the event: all waits end, and those that follow do at once, until it is reset. NULL:
/// nothing, as with the others. Does not suspend. Never refused by a cancellation or a deadline.
void weft_event_set(weft_event *event);

/// Ends one wait: that of the first that waits or, if nobody does, the next one (several of these
/// count once). No effect on an event that is set. Otherwise as weft_event_set.
void weft_event_set_one(weft_event *event);

/// Waits that follow wait again. Those that have been let go are not called back. Otherwise as
/// weft_event_set.
void weft_event_reset(weft_event *event);

// ---- Barrier --------------------------------------------------------------------------------

/// Where a number of tasks or threads wait for each other, round after round.
typedef struct weft_barrier {
    uint64_t words[6];
} weft_barrier;

/// Waits until `count` callers are here; all of a round must say the same number, at least 1.
/// Returns 1 to the last that came, 0 to the others; or
///   -ECANCELED, -ETIMEDOUT  the caller does not count: the others wait for one more again
///   -EINVAL                 NULL; a count of 0, or not that of those that wait already
/// Suspends.
int weft_barrier_wait(weft_barrier *barrier, uint32_t count);

// ---- Once -----------------------------------------------------------------------------------

/// Something that is to be done once, by whoever needs it first. A zeroed one is not done.
typedef struct weft_once {
    uint64_t words[6];
} weft_once;

/// Calls `fn(arg)` if that was not done yet; if another one is just doing it, waits for that. It is
/// done when fn has returned 0 or more. If it fails, the first that waits tries next.
///   fn   may suspend; must not throw.
///   arg  borrowed until it returns.
/// Returns 0: it is done, and what fn wrote is to be seen; what fn has returned, when the caller's
/// own attempt has failed (< 0; if the caller is cancelled while fn runs, that is fn's to answer);
/// or, and then the caller has not called it,
///   -ECANCELED, -ETIMEDOUT
///   -EDEADLK  fn calls this for what it is just doing
///   -EINVAL   NULL
/// Suspends.
int weft_once_run(weft_once *once, int (*fn)(void *), void *arg);

#ifdef __cplusplus
} // extern "C"
#endif

#pragma GCC visibility pop

#endif

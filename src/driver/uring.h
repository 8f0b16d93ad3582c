// SPDX-License-Identifier: MIT
// The parts of the io_uring driver, shared by its files and its unit test. It is one ring, a table
// that names operations by slot and generation, and hints about descriptors.
// Not for other drivers or the layers above: they see driver.h alone.
//
//   uring.c          the contract of driver.h: submit, cancel, wait, wake
//   uring_request.c  an operation as a request of the ring, and its completion as a result
//   uring_ring.c     the two queues, and the one system call
//   uring_table.c    slots and hints
//   uring_probe.c    the ladder: set up the ring, ask what it offers, see that it works
#ifndef WEFT__URING_H
#define WEFT__URING_H

#include "driver/driver.h"
#include "driver/resolver.h"
#include "driver/wake.h"

#include <liburing.h>
#include <sys/socket.h>

// What came after liburing 2.3, by value. Each is tried, and done without where it is refused.
#ifndef IORING_ENTER_ABS_TIMER
#define IORING_ENTER_ABS_TIMER (1U << 5) // the timeout is a moment, not a span
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7) // a sleeping server is idle, not waiting for a disk
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

// The life of a slot: taken by submit, then in the ring or, when the submission queue is full and
// the kernel does not take it now, in the backlog; freed when the operation's own completion has
// arrived, never earlier. A completion under a name whose slot is free or was taken again since
// is a stray: ignored and counted.
enum weft__uring_phase {
    WEFT__URING_BACKLOG, // still needs a place in the submission queue
    WEFT__URING_REQUEST, // in the ring, as the request of its kind
    WEFT__URING_POLL,    // in the ring, as a poll after which the attempt is made here
};

struct weft__uring_slot {
    uint64_t name; // generation << 32 | index; goes into user_data and op->slot
    struct weft__op *op;
    uint32_t next_free; // index + 1 of the next free slot; 0 ends the list
    uint8_t phase;      // enum weft__uring_phase
    uint8_t poll;       // WEFT__URING_POLL is what it needs or has
    uint8_t poll_first; // the last attempt found nothing: wait before the next
    uint8_t cancelled;  // the caller asked for it
    // What the kernel reads and writes until the completion, so it may live nowhere else.
    struct msghdr message;
    struct sockaddr_storage peer;
};

// Slots come in chunks of 64, 128, 256, ... that never move.
enum { WEFT__URING_FIRST_CHUNK = 64, WEFT__URING_CHUNKS = 20 };

// Names below 2^32 belong to no slot, because generations start at 1. The request that cancels a
// slot's operation bears the slot's name and this bit, which no generation reaches.
#define WEFT__URING_CANCELS ((uint64_t)1 << 63)
enum {
    WEFT__URING_NAME_CANCEL = 0,
    WEFT__URING_NAME_WAKE = 1,
    WEFT__URING_NAME_PROBE = 2, // a request of the functional test
};

// What the driver remembers about a descriptor since its last completion there.
enum weft__uring_hint_value {
    WEFT__URING_UNKNOWN, // attempt at submission
    WEFT__URING_EMPTY,   // an attempt would be wasted: wait first
    WEFT__URING_MORE,    // more is pending: attempt inline
};

struct weft__uring_hint {
    uint64_t serial;
    uint64_t value;
};

// Belongs to the thread that started it, but `wake`, which has its own rules.
struct weft__uring {
    struct weft__driver driver;
    struct io_uring ring;
    unsigned enter_flags; // for every io_uring_enter(2)
    unsigned timer_flags; // for those with a timeout: IORING_ENTER_ABS_TIMER or nothing
    int64_t slack_ns;     // how late a wait may end, so that timers close together are one wake
    bool has_task_flag;   // IORING_SETUP_TASKRUN_FLAG: the ring says when there is work inside
    bool wake_is_armed;   // the poll for it stands in the ring
    struct weft__wake wake;
    struct weft__list backlog; // of op->link: needs a request, or its cancellation does
    struct weft__list missed;  // of op->link: its cancellation found it nowhere, and asks again
    int64_t ask_again_at;      // when, on the monotonic clock, if `missed` is not empty
    struct weft__resolve_queue resolving;

    struct weft__uring_slot *chunks[WEFT__URING_CHUNKS];
    uint32_t slots_used; // indices below were taken at least once
    uint32_t slots_size; // indices below have memory
    uint32_t free_first; // index + 1
    struct weft__uring_hint *hints;
    size_t hints_count;
    uint64_t strays;
};

// --- uring_table.c ---

// A slot for `op`, its name in op->slot; NULL when there is no memory.
struct weft__uring_slot *weft__uring_slot_take(struct weft__uring *u, struct weft__op *op);
// The slot of that name, or NULL when it is a stray's.
struct weft__uring_slot *weft__uring_slot_find(struct weft__uring *u, uint64_t name);
void weft__uring_slot_free(struct weft__uring *u, struct weft__uring_slot *slot);
enum weft__uring_hint_value weft__uring_hint(struct weft__uring *u, const struct weft__op *op);
// Quietly does nothing when there is no memory: then it stays WEFT__URING_UNKNOWN.
void weft__uring_set_hint(struct weft__uring *u, const struct weft__op *op,
                          enum weft__uring_hint_value value);
void weft__uring_table_free(struct weft__uring *u);

// --- uring_request.c ---

// The attempt that never waits, made only when it is likely to succeed.
int64_t weft__uring_try(struct weft__uring *u, struct weft__op *op);
// Fills `sqe` with what the slot's operation needs next.
void weft__uring_prepare(struct weft__uring *u, struct weft__uring_slot *slot,
                         struct io_uring_sqe *sqe);
// Reads the operation's result from a completion. False: it is not finished, and has to be prepared
// once more.
bool weft__uring_result(struct weft__uring *u, struct weft__uring_slot *slot,
                        const struct io_uring_cqe *cqe, int64_t *ret_result);

// --- uring_ring.c ---

// A free place in the submission queue, or NULL when the kernel cannot empty it now.
struct io_uring_sqe *weft__uring_sqe(struct weft__uring *u);
// Takes the next completion out of the ring; false when there is none.
bool weft__uring_next(struct weft__uring *u, struct io_uring_cqe *ret_cqe);
// Submits what is queued, lets the kernel complete what is ready and, if `until_ns` > 0, waits for
// one completion. Returns 0 or more, or what io_uring_enter(2) answers, -ETIME included.
int weft__uring_enter(struct weft__uring *u, int64_t until_ns);
// Ends the process unless `result`, of io_uring_enter(2), is one that a later call may mend.
void weft__uring_check(int result);

// --- uring.c ---

// Does what a completion asks for; calls `done` if it is an operation's last.
void weft__uring_complete(struct weft__uring *u, const struct io_uring_cqe *cqe);

// --- uring_probe.c ---

// Makes u->ring ready for use. On failure everything is undone and `ret_why` names the step.
int weft__uring_open(struct weft__uring *u, const char **ret_why);

#endif

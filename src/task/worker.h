// SPDX-License-Identifier: MIT
//
// A worker: one thread that runs tasks, their timers and one driver. All of its state is its own,
// but the inbox and the sleeping word, which are the only doors for other threads.
#ifndef WEFT__WORKER_H
#define WEFT__WORKER_H

#include "base/heap.h"
#include "task/context.h"
#include "task/stack.h"
#include "task/waiter.h"

struct weft__runtime;

enum {
    WEFT__TURN = 64,        // picks in a turn, then the driver
    WEFT__START_EVERY = 8,  // after that many ready tasks one that was not started
    WEFT__OLDEST_EVERY = 4, // of those picks, each 4th takes the oldest, the others the newest
    WEFT__BUDGET = 64,      // operations of a task until it yields
};

struct weft__task {
    struct weft__waiter waiter; // first: a waiter with a worker is a task
    struct weft__context context;
    struct weft__stack stack;
    struct weft__list link;        // ready, unstarted, or the pool's
    struct weft__task *inbox_next; // the inbox's
    struct weft__heap_node timer;  // armed lazily: it may fire too early, never too late
    int64_t wake_at;               // while parked: when the timer must wake it
    struct weft__list member;      // of its scope; guarded by the scope's lock
    int (*fn)(void *);
    int (*handle_fn)(int); // one of the two
    void *arg;
    int result;
    bool is_started, is_finished;
    uint32_t stack_size; // bytes; 0: the pool's
    char *name;          // allocated, or NULL
};

struct weft__worker_stats {
    uint64_t tasks, switches, turns, yields, inbox, starved;
};

struct weft__worker {
    struct weft__runtime *runtime;
    struct weft__driver *driver;
    struct weft__context context; // the scheduler's own
    struct weft__stack stack;     // what that runs on; empty for a worker with a thread of its own
    struct weft__stack reserve;   // for tasks when there is no other stack
    struct weft__stacks stacks;
    struct weft__task *current; // NULL in the scheduler
    struct weft__list ready;
    struct weft__list unstarted; // oldest first
    size_t ready_count, unstarted_count;
    uint32_t since_start, starts; // picks since the last start; starts so far
    bool is_starved;              // no stack was to be had: start nothing until one comes back,
    int64_t starved_until;        // or until then, because memory may be there again
    bool is_starvation_logged;
    bool is_reserve_taken; // by a task that has not ended
    struct weft__heap timers;
    int64_t now; // the clock, read once a turn
    int64_t trimmed_at;
    bool is_turn_over;
    struct weft__worker_stats stats;

    WEFT__ATOMIC(struct weft__task *) inbox; // pushed by any thread, newest first
    WEFT__ATOMIC(uint32_t) sleeping;         // 1 while it is about to wait or waits in the driver
    WEFT__ATOMIC(uint32_t) stopping;
};

// Takes the driver, which the calling thread must have started; on failure nothing is taken.
int weft__worker_init(struct weft__worker *worker, struct weft__runtime *runtime,
                      struct weft__driver *driver, size_t stack_size);
void weft__worker_destroy(struct weft__worker *worker); // stops the driver; no task may be left

// Makes the calling thread's record task zero of the worker, which then runs whenever it waits; and
// back.
void weft__worker_adopt(struct weft__worker *worker, struct weft__task *zero);
void weft__worker_release(struct weft__worker *worker, struct weft__task *zero,
                          struct weft__driver *driver);

// The scheduler on the calling thread's own stack, until weft__worker_stop (any thread).
void weft__worker_run(struct weft__worker *worker);
void weft__worker_stop(struct weft__worker *worker);

// The worker whose thread this is, or NULL. Never inlined, as weft__self.
struct weft__worker *weft__this_worker(void);
void weft__this_worker_set(struct weft__worker *worker);

// Hands over a task that was not started, or one that was woken. From any thread.
void weft__worker_place(struct weft__worker *worker, struct weft__task *task);
void weft__worker_wake(struct weft__worker *worker, struct weft__task *task);

// The running task leaves: until it is woken, or until the others have had their turn.
void weft__worker_suspend(struct weft__worker *worker, int64_t until_ns);
void weft__worker_yield(struct weft__worker *worker);
// The same, and timers and driver have theirs before anybody else: so many operations without a
// look at them are enough.
void weft__worker_end_turn(struct weft__worker *worker);

// Says so when a task of the calling thread's worker runs over the end of its stack, before the
// process ends by SIGSEGV (overflow.c). Returns 0 or a negative errno.
int weft__overflow_watch(void);
void weft__overflow_unwatch(void);

#endif

// SPDX-License-Identifier: MIT
//
// A worker: one thread that runs tasks, their timers and one driver. Its state is its own, but for
// what stands behind "Everybody's" below: the doors for other threads. (Simulated workers share a
// thread, one at a time: worker_virtual.c. To each the others are other threads all the same.)
#ifndef WEFT__WORKER_H
#define WEFT__WORKER_H

#include "base/queue.h"
#include "base/timers.h"
#include "task/context.h"
#include "task/stack.h"
#include "task/waiter.h"

struct weft__runtime;
struct weft__unstarted;

enum {
    WEFT__TURN = 64,         // picks in a turn, then the driver
    WEFT__START_EVERY = 8,   // after that many ready tasks one that was not started
    WEFT__OLDEST_EVERY = 64, // of those picks: then it is the oldest, else the newest
    WEFT__BUDGET = 64,       // operations of a task until it yields
    WEFT__WORKERS_MAX = 1024,
};

// Aligned so that what a switch touches, the first three up to `may_not_wait`, is one cache line.
struct weft__task {
    struct weft__node node; // ready, inbox, unstarted, or a pool's
    struct weft__context context;
    struct weft__waiter waiter; // one with a worker is a task, or task zero
    struct weft__stack stack;
    int64_t wake_at;          // while parked: when the timer must wake it
    struct weft__list member; // of its scope; guarded by the scope's lock
    union {
        int (*fn)(void *);
        int (*handle_fn)(int); // if `takes_handle`
    };
    void *arg;
    WEFT__ATOMIC(uint32_t) number; // no other living task has it; 0: task zero, or it has ended
    uint32_t timer;      // its name, 0: none. Armed lazily: it may fire too early, never too late
    uint32_t stack_size; // bytes; 0: the pool's
    bool is_started;
    bool is_pinned; // to a worker of the caller's choice, before it started
    bool takes_handle;
    WEFT__ATOMIC(uint8_t) is_frozen; // with its host (freeze.h)
    char *name;                      // allocated, of WEFT__NAME_SIZE bytes, or NULL
};

static inline struct weft__task *weft__task_of(struct weft__waiter *waiter) {
    return WEFT__CONTAINER(waiter, struct weft__task, waiter);
}

// Written by the worker alone, read by anybody; 64 bits do not wrap in any life of a process.
struct weft__worker_stats {
    WEFT__ATOMIC(uint64_t) spawned; // weft_go on its thread, wherever the task went
    WEFT__ATOMIC(uint64_t) kept;    // tasks that it got from itself or as a thief
    WEFT__ATOMIC(uint64_t) ended;
    WEFT__ATOMIC(uint64_t) started, switches, turns, yields, budget_yields, inbox, starved;
    WEFT__ATOMIC(uint64_t) parks, searches, steals;
};

enum weft__sleep { WEFT__RUNS, WEFT__ASLEEP, WEFT__CALLED };

struct weft__worker {
    struct weft__runtime *runtime;
    struct weft__driver *driver;
    uint32_t index;               // in the runtime
    struct weft__context context; // the scheduler's own
    struct weft__stack stack;     // what that runs on; unused where it has a thread of its own
    struct weft__stack reserve;   // for tasks when there is no other stack
    struct weft__stacks stacks;
    struct weft__queue cache;                  // records for the next tasks
    struct weft__task *zero;                   // task zero, if it is this worker's
    WEFT__ATOMIC(struct weft__task *) current; // NULL in the scheduler; others may look
    struct weft__task *dead;                   // has ended, and its stack was just left
    struct weft__queue ready;
    struct weft__queue frozen; // what would be ready, or started, if its host did not stand still
    uint32_t picks_left;       // in this turn
    uint32_t since_start;      // picks since the last start
    bool is_starved;           // no stack was to be had: start nothing until one comes back,
    int64_t starved_until;     // or until then, because memory may be there again
    bool is_starvation_logged;
    bool is_reserve_taken;      // by a task that has not ended
    struct weft__timers timers; // room for one of each task that has a stack, and task zero's
    int64_t now;                // the clock, read once a turn
    int64_t trimmed_at;
    uint64_t *seen;            // the old ends of the others' queues, as found (balance.c)
    bool is_vain, is_watching; // likewise
    struct weft__worker_stats stats;

    // Everybody's.
    char apart[WEFT__CACHE_LINE];
    struct weft__unstarted *unstarted;
    WEFT__ATOMIC(uint64_t) placed;           // tasks that others have placed here,
    WEFT__ATOMIC(uint64_t) lost;             // and that thieves have taken
    WEFT__ATOMIC(struct weft__node *) inbox; // pushed by any thread, newest first
    WEFT__ATOMIC(uint32_t) sleeping;         // enum weft__sleep
    WEFT__ATOMIC(uint32_t) stopping;
    WEFT__ATOMIC(uint32_t) thread;  // its id, once it runs
    WEFT__ATOMIC(uint32_t) is_away; // task zero runs: the worker comes back when that waits
};

// As users know it: weft_task_options.worker, reports, the names of threads. From 1.
static inline uint32_t weft__worker_number(const struct weft__worker *worker) {
    return worker->index + 1;
}

// Takes the driver, which the calling thread must have started; on failure nothing is taken.
// `others`: how many workers its runtime has.
int weft__worker_init(struct weft__worker *worker, struct weft__runtime *runtime,
                      struct weft__driver *driver, size_t stack_size, uint32_t others);
void weft__worker_destroy(struct weft__worker *worker); // stops the driver; no task may be left

// Makes the calling thread's record task zero of the worker, which then runs whenever it waits; and
// back.
void weft__worker_adopt(struct weft__worker *worker, struct weft__task *zero);
void weft__worker_release(struct weft__worker *worker, struct weft__task *zero,
                          struct weft__driver *driver);

// Its scheduler as a context, on a stack of its own: where the thread's belongs to another one.
void weft__worker_make_scheduler(struct weft__worker *worker);
// The scheduler on the calling thread's own stack, until weft__worker_stop (any thread).
void weft__worker_run(struct weft__worker *worker);
void weft__worker_stop(struct weft__worker *worker);

// The worker whose thread this is, or NULL; of simulated workers, which share one, the one whose
// turn it is. A task stays on its worker, so what is known of that holds across a switch.
extern WEFT__THREAD_LOCAL struct weft__worker *weft__worker_here; // thread.c
static inline struct weft__worker *weft__this_worker(void) {
    return weft__worker_here;
}
static inline void weft__this_worker_set(struct weft__worker *worker) {
    weft__worker_here = worker;
}
// weft__self for who has asked for its worker already.
static inline struct weft__waiter *weft__self_of(struct weft__worker *worker) {
    struct weft__task *task = worker ? weft__load(&worker->current, relaxed) : NULL;
    return task ? &task->waiter : weft__self();
}

// A task that was not started, from a task of the worker itself.
void weft__worker_spawn(struct weft__worker *worker, struct weft__task *task);
// Hands over a task that was not started, or one that was woken. From any thread.
void weft__worker_place(struct weft__worker *worker, struct weft__task *task);
void weft__worker_wake(struct weft__worker *worker, struct weft__task *task);
// Ends the worker's sleep, or else its next one. From any thread.
void weft__worker_nudge(struct weft__worker *worker);

// In worker_room.c. Stacks and queues: made, 0 or -ENOMEM; freed.
int weft__worker_make_room(struct weft__worker *worker, size_t stack_size, uint32_t others);
void weft__worker_free_room(struct weft__worker *worker);
// A stack for a task that starts. False: there is none, and the task was put back.
bool weft__worker_give_stack(struct weft__worker *worker, struct weft__task *task);
void weft__worker_take_stack(struct weft__worker *worker, struct weft__task *task);
// Gives back what is idle, if it is time for that; else returns when it will be, or `until_ns`.
int64_t weft__worker_trim(struct weft__worker *worker, int64_t until_ns);

// In task.c. Lays the first frame on the stack that the task was given: from here on it is the
// worker's.
void weft__task_prepare(struct weft__task *task, struct weft__worker *worker);
// Nothing is left of it but its record, which goes back.
void weft__task_end(struct weft__task *task, struct weft__worker *worker);

// The first thing on a task's stack, each time that it goes on: buries the one that has ended.
void weft__worker_arrived(struct weft__worker *worker);
// Its function has returned; its scope does not know yet. So who has joined all finds nothing alive
// (stop.c), and what is left to do for it the worker does before its thread ends.
void weft__worker_count_end(struct weft__worker *worker);
// The last: the task is out of its scope, and never runs again. (Not declared so:
// context_x86_64.S.)
void weft__worker_finish(struct weft__worker *worker, struct weft__task *task);

// In scope.c. A task of a simulated host waits or yields: its scope is cancelled, if the driver
// chooses that.
void weft__scope_strike(struct weft__task *task);

// For freeze.c. Moves the tasks of a host that could run to `frozen`, and back.
void weft__worker_freeze(struct weft__worker *worker, uint32_t host);
void weft__worker_thaw(struct weft__worker *worker, uint32_t host);
// Gives back all that a task has, started and gone without an end, but its place in its scope.
void weft__worker_bury(struct weft__worker *worker, struct weft__task *task);
void weft__worker_disarm(struct weft__worker *worker, struct weft__task *task); // its timer

// The running task leaves: until it is woken, or until the others have had their turn.
void weft__worker_suspend(struct weft__worker *worker, int64_t until_ns);
void weft__worker_yield(struct weft__worker *worker);
// The same, and timers and driver have theirs before anybody else: so many operations without a
// look at them are enough.
void weft__worker_end_turn(struct weft__worker *worker);

// In leave_check.c, in a debug build only: the task leaves ("suspends", "ends"), and the log says
// so if it holds a pthread mutex.
#if WEFT_DEBUG
void weft__worker_check_leave(const struct weft__task *task, const char *how);
#else
static inline void weft__worker_check_leave(const struct weft__task *task, const char *how) {
    (void)task, (void)how;
}
#endif

// Says so when a task of the calling thread's worker runs over the end of its stack, before the
// process ends by SIGSEGV (overflow.c).
void weft__overflow_watch(void);
void weft__overflow_unwatch(void);
// An alternate stack for the handlers of a worker's thread; NULL: it has one of its own, or there
// is no memory. Back on the same thread.
void *weft__overflow_stack_give(void);
void weft__overflow_stack_take(void *stack);

#endif

// SPDX-License-Identifier: MIT
//
// The runtime: workers, the pool of tasks, the root of the scopes. One at a time; the pointer to it
// is the only global.
#ifndef WEFT__RUNTIME_H
#define WEFT__RUNTIME_H

#include "task/balance.h"
#include "task/scope.h"
#include "task/task.h"

struct weft_options;
struct weft__blocking;
struct weft__monitor;

struct weft__runtime {
    struct weft__worker **workers;
    uint32_t worker_count;
    bool has_own_threads; // else the thread that started it is worker 0's
    bool reports_overflow, dumps_on_quit;
    void *signal_stack;      // of task zero's thread, for handlers; NULL: none, or its own
    struct weft__task *zero; // of worker 0; with own threads NULL
    struct weft__task_pool pool;
    struct weft__scope root;
    struct weft__balance balance;
    struct weft__blocking *blocking;     // both NULL on the simulator
    struct weft__monitor *monitor;       // also when there is nothing to look at
    WEFT__ATOMIC(uint32_t) monitor_word; // monitor.c's
    WEFT__ATOMIC(uint32_t) gate;         // plain threads inside weft_go, or CLOSED (stop.c)
    WEFT__ATOMIC(uint64_t) outside;      // tasks that plain threads have started
    WEFT__ATOMIC(uint32_t) numbers;      // taken for those, or for some that were not started
    WEFT__ATOMIC(struct weft__waiter *) stopper; // who is in weft_stop, if anybody
    WEFT__ATOMIC(uint32_t) up, threads;          // worker_thread.c's
    struct weft__os_thread *os_threads;          // likewise; one for each worker
};

// Around a weft_go, so that the runtime stays; starts one if there is none. Returns 0 or why it did
// not start. In between, weft__runtime_count comes before the task may end.
int weft__runtime_enter(struct weft__waiter *self, struct weft__runtime **ret_runtime);
void weft__runtime_leave(struct weft__runtime *runtime, struct weft__waiter *self);
static inline void weft__runtime_count(struct weft__runtime *runtime, struct weft__waiter *self) {
    if (self->worker)
        weft__own_add(&self->worker->stats.spawned, 1);
    else
        weft__fetch_add(&runtime->outside, 1, relaxed);
}

// A number for a task that `self` starts: no other living one has it. Each worker has every so
// manieth, and plain threads share a sequence.
static inline uint32_t weft__runtime_number(struct weft__runtime *runtime,
                                            struct weft__waiter *self) {
    uint32_t step = runtime->worker_count + 1;
    if (self->worker)
        return (uint32_t)weft__load(&self->worker->stats.spawned, relaxed) * step +
               weft__worker_number(self->worker);
    return (weft__fetch_add(&runtime->numbers, 1, relaxed) + 1) * step;
}

// The one that runs, which stays until the visit ends, or NULL. For what may take its time.
struct weft__runtime *weft__runtime_visit(void);
void weft__runtime_end_visit(struct weft__runtime *runtime);

// stop.c's, for runtime.c: living tasks of the runtime there is; and waits until no plain thread is
// about to use one that is there no more.
uint64_t weft__runtime_living_now(void);
void weft__runtime_drain(void);

// In dump_on_quit.c. A thread that prints all tasks when SIGQUIT has come. 0 or a negative errno.
int weft__dump_on_quit_start(void);
void weft__dump_on_quit_end(void);
// Lets that thread print, if there is one. Safe in a signal handler.
void weft__dump_request(void);

// Ends it: nothing runs any more, and nobody comes any more. On the thread that may stop it.
void weft__runtime_end(struct weft__runtime *runtime, struct weft__waiter *self);
// How weft_stop begins: makes the caller the one that stops, if it may. 0 or what weft_stop
// answers.
int weft__runtime_begin_stop(struct weft__waiter *self, struct weft__runtime **ret_runtime);
// The runtime if there is one, else starts one. For a plain thread's first weft_go.
int weft__runtime_start_if_none(struct weft__waiter *self);

// What it has beside its workers (helpers.c): 0 or -ENOMEM; and the end of that, when there are no
// tasks.
int weft__helpers_start(struct weft__runtime *runtime, const struct weft_options *options);
void weft__helpers_end(struct weft__runtime *runtime);

// To the monitor, by who begins to run after a sleep, or leaves something to it. Any thread, while
// the runtime stays.
enum { WEFT__MONITOR_TICKS, WEFT__MONITOR_SLEEPS, WEFT__MONITOR_ENDS };
void weft__monitor_rouse(struct weft__runtime *runtime);
static inline void weft__monitor_notice(struct weft__runtime *runtime) {
    if (weft__load(&runtime->monitor_word, relaxed) == WEFT__MONITOR_SLEEPS)
        weft__monitor_rouse(runtime);
}

// By a worker that goes to sleep: wakes who waits for the last task to end, if that has. True: it
// has, and somebody was woken.
bool weft__runtime_look_if_over(struct weft__runtime *runtime);
// Tasks started and not ended, a moment ago; and those of them that wait for something.
uint64_t weft__runtime_living(struct weft__runtime *runtime);
size_t weft__runtime_parked(struct weft__runtime *runtime);

// After a weft_stop in vain: a log line with the names of some (stragglers.c).
void weft__runtime_name_living(struct weft__runtime *runtime);

// The one that runs, or NULL. For tests and reports.
struct weft__runtime *weft__runtime_now(void);

// In the child of a fork there is none.
void weft__runtime_after_fork(void);

// Starts with a driver that the caller made, on defaults; takes it, even on failure. More workers
// than one need a driver that makes others beside it: they all run on the calling thread.
int weft__runtime_start_on(struct weft__waiter *self, struct weft__driver *driver,
                           uint32_t workers);

#endif

// SPDX-License-Identifier: MIT
//
// When all tasks have ended: counting them, weft_stop, and who may come in meanwhile.
//
// Each worker counts the tasks that its thread has started and those
// that have ended there; `outside` counts what plain threads have started. Nobody counts for all,
// because every weft_go would meet there. When the sums are equal, and all `ended` were read before
// any of the others, there was a moment in between with no task alive. After it only a plain thread
// can start one. Such a weft_go passes `gate`: weft_stop closes that by moving it from 0 to CLOSED,
// and looks at the sums once more. Who finds it closed has met no runtime.
//
// weft_stop sets `stopper` and nudges the workers; each that falls asleep looks at the sums behind
// the fence of its sleep, so the last one finds them equal and wakes the stopper.
#include "task/runtime.h"

#include "os/os.h"
#include "task/park.h"
#include "task/signals.h"

#include <errno.h>
#include <weft/task.h>

static const uint32_t CLOSED = (uint32_t)1 << 31; // a bit of the gate

// ---- Counting tasks -------------------------------------------------------------------------

static uint64_t ended_so_far(struct weft__runtime *runtime) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        sum += weft__load(&runtime->workers[i]->stats.ended, acquire);
    return sum;
}

static uint64_t started_so_far(struct weft__runtime *runtime) {
    uint64_t sum = weft__load(&runtime->outside, acquire);
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        sum += weft__load(&runtime->workers[i]->stats.spawned, acquire);
    return sum;
}

uint64_t weft__runtime_living(struct weft__runtime *runtime) {
    uint64_t ended = ended_so_far(runtime);
    return started_so_far(runtime) - ended;
}

bool weft__runtime_look_if_over(struct weft__runtime *runtime) {
    struct weft__waiter *stopper = weft__load(&runtime->stopper, acquire);
    if (!stopper || weft__runtime_living(runtime) > 0)
        return false;
    weft__unpark(stopper);
    return true;
}

static void count_parked(struct weft__task *task, void *arg) {
    *(size_t *)arg += weft__is_parked(&task->waiter);
}

size_t weft__runtime_parked(struct weft__runtime *runtime) {
    size_t count = 0;
    weft__lock(&runtime->pool.lock);
    weft__task_pool_walk(&runtime->pool, count_parked, &count);
    weft__unlock(&runtime->pool.lock);
    return count;
}

uint64_t weft__runtime_living_now(void) {
    weft__foreign_enter();
    struct weft__runtime *runtime = weft__runtime_now();
    uint64_t living = runtime ? weft__runtime_living(runtime) : 0;
    weft__foreign_leave();
    return living;
}

void weft__runtime_drain(void) {
    weft__foreign_drain();
}

// ---- The gate -------------------------------------------------------------------------------

// NULL: there is none, or it has just ended (*ret_is_there).
static struct weft__runtime *pass_gate(bool *ret_is_there) {
    weft__foreign_enter();
    struct weft__runtime *runtime = weft__runtime_now();
    bool is_in = false;
    *ret_is_there = runtime != NULL;
    if (runtime) {
        is_in = weft__fetch_add(&runtime->gate, 1, acq_rel) < CLOSED;
        if (!is_in)
            weft__fetch_sub(&runtime->gate, 1, relaxed);
    }
    weft__foreign_leave();
    return is_in ? runtime : NULL;
}

// A task keeps its runtime alive, and so does task zero, which alone could stop it.
int weft__runtime_enter(struct weft__waiter *self, struct weft__runtime **ret_runtime) {
    if (self->worker) {
        *ret_runtime = self->worker->runtime;
        return 0;
    }
    for (;;) {
        bool is_there;
        *ret_runtime = pass_gate(&is_there);
        if (*ret_runtime)
            return 0;
        int error = is_there ? 0 : weft__runtime_start_if_none(self);
        if (error < 0)
            return error;
        if (self->worker) { // it has become task zero
            *ret_runtime = self->worker->runtime;
            return 0;
        }
        weft__os_yield(); // one that stops is gone in a moment; one that was started is there
    }
}

// A stopper that found the gate in use waits for this. It may end the runtime from then on.
static void leave_gate(struct weft__runtime *runtime) {
    weft__foreign_enter();
    weft__fetch_sub(&runtime->gate, 1, seq_cst);
    struct weft__waiter *stopper = weft__load(&runtime->stopper, seq_cst);
    if (stopper)
        weft__unpark(stopper);
    weft__foreign_leave();
}

void weft__runtime_leave(struct weft__runtime *runtime, struct weft__waiter *self) {
    if (self->worker)
        return;
    weft__monitor_notice(runtime); // task zero may be away, and what was started wait for it
    leave_gate(runtime);
}

struct weft__runtime *weft__runtime_visit(void) {
    struct weft__worker *worker = weft__this_worker();
    bool ignored;
    return worker ? worker->runtime : pass_gate(&ignored);
}

void weft__runtime_end_visit(struct weft__runtime *runtime) {
    if (!weft__this_worker())
        leave_gate(runtime);
}

// ---- Stopping -------------------------------------------------------------------------------

static bool close_if_over(struct weft__runtime *runtime) {
    uint32_t none = 0;
    if (weft__runtime_living(runtime) > 0 || !weft__cas(&runtime->gate, &none, CLOSED, seq_cst))
        return false;
    if (weft__runtime_living(runtime) == 0)
        return true;
    weft__fetch_sub(&runtime->gate, CLOSED, relaxed);
    return false;
}

static int wait_for_all(struct weft__runtime *runtime, struct weft__waiter *self,
                        int64_t grace_ns) {
    int64_t now = weft__fresh_now(self);
    int64_t until = grace_ns > INT64_MAX - now ? INT64_MAX : now + grace_ns;
    weft__signals_give_back();
    weft__waits(self, "stop", 0, NULL);
    weft__scope_cancel(&runtime->root, self);
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        weft__worker_nudge(runtime->workers[i]); // behind the store of `stopper`
    while (!close_if_over(runtime)) {
        if (weft__fresh_now(self) >= until)
            return -ETIMEDOUT;
        weft__park(self, until);
    }
    return 0;
}

int weft_stop(int64_t grace_ns) {
    struct weft__waiter *self = weft__self();
    struct weft__runtime *runtime;
    if (!self)
        return -ENOMEM;
    if (weft__is_orphan())
        return (int)weft__failed(self, "stop", 0, -ECHILD);
    if (grace_ns < 0)
        return (int)weft__failed(self, "stop", 0, -EINVAL);
    int error = weft__runtime_begin_stop(self, &runtime);
    if (error < 0)
        return (int)weft__failed(self, "stop", 0, error);
    error = wait_for_all(runtime, self, grace_ns);
    if (error == 0) {
        weft__runtime_end(runtime, self);
        weft__signals_end();
        return 0;
    }
    weft__runtime_name_living(runtime);
    weft__store(&runtime->stopper, NULL, seq_cst);
    bool is_living = weft__runtime_living(runtime) > 0;
    return (int)weft__failed_text(
        self, "stop", "", is_living ? "tasks are still alive" : "a call of another thread goes on",
        error);
}

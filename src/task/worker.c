// SPDX-License-Identifier: MIT
//
// The scheduler of one worker: which task runs next, the turn, the sleep. How a task is made and
// how it ends is task.c.
//
// Who leaves picks who is next, on its own stack, and switches there at once; the scheduler's own
// context runs only between turns and when there is nothing to pick. Who arrives buries a task that
// has ended: nobody can give back the stack he stands on.
//
// Order. A turn is at most WEFT__TURN picks, or until a task has used up its budget of operations,
// then the timers, then the driver. Ready tasks run in FIFO order; after every WEFT__START_EVERY of
// them, or when none is ready, one that was not started (unstarted.c). The simulator picks
// otherwise.
//
// Sleep. Other threads have two doors, the inbox for tasks that were woken and the queue of placed
// ones: push, fence, look at `sleeping`, wake the driver. The worker stores `sleeping`, fence,
// looks at both once more, waits. With both fences at least one of the two sees the other (store
// buffering); without either a wake is lost. A worker without anything to do looks for what others
// have not started before it sleeps (balance.c).
#include "task/worker.h"

#include "driver/driver.h"
#include "task/balance.h"
#include "task/park.h"
#include "task/unstarted.h"

static void count(WEFT__ATOMIC(uint64_t) * counter) {
    weft__own_add(counter, 1);
}

// ---- The doors ------------------------------------------------------------------------------

void weft__worker_nudge(struct weft__worker *worker) {
    uint32_t asleep = WEFT__ASLEEP;
    weft__fence(seq_cst);
    if (weft__load(&worker->sleeping, relaxed) == WEFT__ASLEEP &&
        weft__cas(&worker->sleeping, &asleep, WEFT__RUNS, acquire))
        worker->driver->class->wake(worker->driver);
}

static struct weft__task *task_of(struct weft__node *node) {
    return WEFT__CONTAINER(node, struct weft__task, node);
}

static void inbox_push(struct weft__worker *worker, struct weft__task *task) {
    struct weft__node *head = weft__load(&worker->inbox, relaxed);
    do
        task->node.next = head;
    while (!weft__cas(&worker->inbox, &head, &task->node, release));
    weft__worker_nudge(worker);
}

static void inbox_drain(struct weft__worker *worker) {
    if (!weft__load(&worker->inbox, relaxed))
        return;
    struct weft__node *newest = weft__exchange(&worker->inbox, NULL, acquire);
    struct weft__node *oldest = NULL;
    while (newest) {
        struct weft__node *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct weft__node *next = oldest->next;
        struct weft__task *task = task_of(oldest);
        if (task->is_started)
            weft__queue_push(&worker->ready, &task->node);
        else
            weft__unstarted_pin(worker->unstarted, task);
        count(&worker->stats.inbox);
        oldest = next;
    }
}

static bool is_here(const struct weft__worker *worker) {
    return weft__this_worker() == worker;
}

void weft__worker_spawn(struct weft__worker *worker, struct weft__task *task) {
    count(&worker->stats.kept);
    weft__unstarted_push(worker->unstarted, task);
    weft__balance_call(worker);
}

// A pinned one goes through the inbox: its queue is the worker's own.
void weft__worker_place(struct weft__worker *worker, struct weft__task *task) {
    weft__fetch_add(&worker->placed, 1, relaxed);
    if (task->is_pinned) {
        inbox_push(worker, task);
        return;
    }
    weft__unstarted_place(worker->unstarted, task);
    if (is_here(worker))
        weft__balance_call(worker);
    else
        weft__worker_nudge(worker);
}

void weft__worker_wake(struct weft__worker *worker, struct weft__task *task) {
    if (is_here(worker))
        weft__queue_push(&worker->ready, &task->node);
    else
        inbox_push(worker, task);
}

// ---- Hosts that stand still -----------------------------------------------------------------

static void sift(struct weft__queue *from, uint32_t host, struct weft__queue *to, bool is_frozen) {
    for (size_t n = from->count; n > 0; n--) {
        struct weft__node *node = weft__queue_pop(from);
        bool is_its = task_of(node)->waiter.host == host;
        if (is_its)
            weft__store(&task_of(node)->is_frozen, is_frozen, relaxed);
        weft__queue_push(is_its ? to : from, node);
    }
}

static void put_unstarted(struct weft__worker *worker, struct weft__task *task) {
    if (task->is_pinned)
        weft__unstarted_pin(worker->unstarted, task);
    else
        weft__unstarted_place(worker->unstarted, task);
}

void weft__worker_freeze(struct weft__worker *worker, uint32_t host) {
    struct weft__queue unstarted = {0};
    inbox_drain(worker);
    sift(&worker->ready, host, &worker->frozen, true);
    while (weft__unstarted_count(worker->unstarted) > 0)
        weft__queue_push(&unstarted, &weft__unstarted_take_at(worker->unstarted, 0)->node);
    sift(&unstarted, host, &worker->frozen, true);
    while (unstarted.count > 0)
        put_unstarted(worker, task_of(weft__queue_pop(&unstarted)));
}

void weft__worker_thaw(struct weft__worker *worker, uint32_t host) {
    struct weft__queue thawed = {0};
    sift(&worker->frozen, host, &thawed, false);
    while (thawed.count > 0) {
        struct weft__task *task = task_of(weft__queue_pop(&thawed));
        if (task->is_started)
            weft__worker_wake(worker, task);
        else
            put_unstarted(worker, task);
    }
    weft__worker_nudge(worker);
}

// ---- Picking --------------------------------------------------------------------------------

// The stack of the task after the next is asked for now, so that its memory is there when it is its
// turn: with many tasks nothing of it is in the nearest cache any more.
static inline void fetch_ahead(const struct weft__task *task) {
    const char *sp = task->context.sp;
    __builtin_prefetch(task->node.next);
    __builtin_prefetch(sp);
    __builtin_prefetch(sp + WEFT__CACHE_LINE);
    __builtin_prefetch(sp + 2 * WEFT__CACHE_LINE);
}

static struct weft__task *pick_ready(struct weft__worker *worker) {
    size_t index = weft__driver_choose(worker->driver, WEFT__PICK_READY, worker->ready.count);
    worker->since_start++;
    if (index > 0)
        return task_of(weft__queue_take_at(&worker->ready, index));
    struct weft__task *task = task_of(weft__queue_pop(&worker->ready));
    if (worker->ready.head)
        fetch_ahead(task_of(worker->ready.head));
    return task;
}

static struct weft__task *pick_unstarted(struct weft__worker *worker) {
    size_t n = weft__unstarted_count(worker->unstarted);
    if (n == 0 || worker->is_starved)
        return NULL;
    worker->since_start = 0;
    size_t index = weft__driver_choose(worker->driver, WEFT__PICK_UNSTARTED, n);
    if (index > 0)
        return weft__unstarted_take_at(worker->unstarted, index);
    return weft__unstarted_take(worker->unstarted);
}

static struct weft__task *pick_any(struct weft__worker *worker) {
    struct weft__task *task = NULL;
    if (worker->ready.count == 0 || worker->since_start >= WEFT__START_EVERY)
        task = pick_unstarted(worker);
    return task || worker->ready.count == 0 ? task : pick_ready(worker);
}

// The next one, ready to be switched to. NULL: the turn is over, or there is none.
static struct weft__task *pick(struct weft__worker *worker) {
    while (worker->picks_left > 0) {
        struct weft__task *task = pick_any(worker);
        if (!task)
            return NULL;
        worker->picks_left--;
        if (task->is_started)
            return task;
        if (weft__worker_give_stack(worker, task)) {
            weft__task_prepare(task, worker);
            count(&worker->stats.started);
            return task;
        }
    }
    return NULL;
}

static bool has_work(struct weft__worker *worker) {
    return worker->ready.count > 0 ||
           (!worker->is_starved && weft__unstarted_count(worker->unstarted) > 0);
}

// ---- Switching ------------------------------------------------------------------------------

void weft__worker_disarm(struct weft__worker *worker, struct weft__task *task) {
    if (task->timer > 0)
        weft__timers_clear(&worker->timers, task->timer);
    task->timer = 0;
}

void weft__worker_bury(struct weft__worker *worker, struct weft__task *task) {
    weft__worker_disarm(worker, task);
    weft__context_drop(&task->context);
    weft__worker_take_stack(worker, task);
    weft__task_end(task, worker);
}

void weft__worker_arrived(struct weft__worker *worker) {
    struct weft__task *dead = worker->dead;
    if (!dead)
        return;
    worker->dead = NULL;
    weft__worker_bury(worker, dead);
}

// Makes `next` the one that runs (NULL: the scheduler) and returns its context.
static struct weft__context *enter(struct weft__worker *worker, struct weft__task *next) {
    weft__store(&worker->current, next, release);
    if (!next)
        return &worker->context;
    next->waiter.budget = WEFT__BUDGET;
    count(&worker->stats.switches);
    return &next->context;
}

static void leave(struct weft__worker *worker, struct weft__task *task) {
    weft__worker_check_leave(task, "suspends");
    if (worker->driver->class->choose && task->waiter.host != 0)
        weft__scope_strike(task);
    struct weft__task *next = pick(worker);
    if (next == task) {
        (void)enter(worker, task);
        return;
    }
    if (task->waiter.is_thread)
        weft__balance_leave(worker, false);
    weft__context_switch(&task->context, enter(worker, next));
    weft__worker_arrived(worker);
    if (task->waiter.is_thread)
        weft__balance_leave(worker, true);
}

void weft__worker_count_end(struct weft__worker *worker) {
    weft__store(&worker->stats.ended, weft__load(&worker->stats.ended, relaxed) + 1, release);
}

void weft__worker_finish(struct weft__worker *worker, struct weft__task *task) {
    weft__worker_check_leave(task, "ends");
    struct weft__task *next = pick(worker);
    worker->dead = task;
    weft__context_switch_last(&task->context, enter(worker, next));
}

// A handler of signals may run on another stack, from which a switch would not come back.
static WEFT__COLD void check_stack(const struct weft__task *task, uintptr_t sp) {
    if (sp - (uintptr_t)task->stack.low >= task->stack.size)
        PANIC("a call that waits was made on a stack that is not the task's: in a signal handler?");
}

void weft__worker_suspend(struct weft__worker *worker, int64_t until_ns) {
    struct weft__task *task = weft__load(&worker->current, relaxed);
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0), top = (uintptr_t)task->waiter.failure;
    if (top - sp > worker->stacks.stack_size && !task->waiter.is_thread) // seldom: a larger one
        check_stack(task, sp);
    task->wake_at = until_ns;
    bool is_in_time = task->timer > 0 && weft__timers_at(&worker->timers, task->timer) <= until_ns;
    if (until_ns != INT64_MAX && !is_in_time) {
        weft__worker_disarm(worker, task);
        task->timer = weft__timers_set(&worker->timers, until_ns, task);
    }
    leave(worker, task);
    task->wake_at = INT64_MAX;
}

void weft__worker_end_turn(struct weft__worker *worker) {
    count(&worker->stats.budget_yields);
    worker->picks_left = 0;
    weft__worker_yield(worker);
}

void weft__worker_yield(struct weft__worker *worker) {
    struct weft__task *task = weft__load(&worker->current, relaxed);
    if (task->waiter.may_not_wait)
        return;
    count(&worker->stats.yields);
    weft__queue_push(&worker->ready, &task->node);
    leave(worker, task);
}

// ---- The turn -------------------------------------------------------------------------------

// A timer that was left armed from an earlier wait fires too early: it is set anew, or forgotten.
static void fire_timers(struct weft__worker *worker) {
    while (weft__timers_first(&worker->timers) <= worker->now) {
        struct weft__task *task = weft__timers_pop(&worker->timers);
        task->timer = 0;
        if (task->wake_at <= worker->now)
            weft__unpark(&task->waiter);
        else if (task->wake_at != INT64_MAX)
            task->timer = weft__timers_set(&worker->timers, task->wake_at, task);
    }
}

// A turn that nobody needs: others' unstarted tasks, else sleep. What was pushed before the fence
// is seen behind it; who pushes later sees `sleeping`.
static void sleep_in_driver(struct weft__worker *worker) {
    int64_t until_ns = weft__worker_trim(worker, weft__timers_first(&worker->timers));
    if (worker->is_starved && worker->starved_until < until_ns)
        until_ns = worker->starved_until;
    weft__store(&worker->sleeping, WEFT__ASLEEP, relaxed);
    weft__balance_fall_asleep(worker->runtime);
    weft__fence(seq_cst);
    if (weft__load(&worker->inbox, relaxed) || weft__load(&worker->stopping, relaxed) ||
        (!worker->is_starved && weft__unstarted_free_count(worker->unstarted) > 0))
        until_ns = 0;
    until_ns = weft__balance_sleep_until(worker, until_ns);
    count(&worker->stats.parks);
    worker->driver->class->wait(worker->driver, until_ns);
    bool is_called = weft__exchange(&worker->sleeping, WEFT__RUNS, acquire) == WEFT__CALLED;
    weft__balance_rise(worker, is_called);
}

static void turn(struct weft__worker *worker) {
    count(&worker->stats.turns);
    worker->picks_left =
        WEFT__TURN - weft__driver_choose(worker->driver, WEFT__PICK_TURN, WEFT__TURN);
    struct weft__task *first = pick(worker);
    if (first) {
        weft__context_switch(&worker->context, enter(worker, first));
        weft__worker_arrived(worker);
    }
    inbox_drain(worker);
    if (has_work(worker)) {
        weft__balance_call(worker);
        worker->driver->class->wait(worker->driver, 0);
    } else if (!weft__balance_search(worker)) {
        sleep_in_driver(worker);
    }
    worker->now = worker->driver->class->now(worker->driver, WEFT__MONOTONIC);
    if (worker->now >= worker->starved_until)
        worker->is_starved = false;
    inbox_drain(worker);
    fire_timers(worker);
    if (worker->ready.count > 0) // it runs before what was just stolen, and may keep the worker
        weft__balance_call(worker);
}

void weft__worker_run(struct weft__worker *worker) {
    weft__context_adopt(&worker->context);
    weft__this_worker_set(worker);
    while (!weft__load(&worker->stopping, acquire))
        turn(worker);
    weft__this_worker_set(NULL);
    weft__context_drop(&worker->context);
}

void weft__worker_stop(struct weft__worker *worker) {
    weft__store(&worker->stopping, 1, seq_cst);
    worker->driver->class->wake(worker->driver);
}

// ---- Making and ending ----------------------------------------------------------------------

static void schedule_forever(void *arg) {
    for (;;)
        turn(arg);
}

// Worker 0 needs it because the thread's stack belongs to task zero, simulated workers because they
// share the thread.
void weft__worker_make_scheduler(struct weft__worker *worker) {
    weft__context_make(&worker->context, worker->stack.low, worker->stack.size, worker->stack.top,
                       schedule_forever, worker);
}

int weft__worker_init(struct weft__worker *worker, struct weft__runtime *runtime,
                      struct weft__driver *driver, size_t stack_size, uint32_t others) {
    *worker = (struct weft__worker){.runtime = runtime, .driver = driver, .index = worker->index};
    int error = weft__worker_make_room(worker, stack_size, others);
    if (error < 0)
        return error;
    worker->now = driver->class->now(driver, WEFT__MONOTONIC);
    worker->trimmed_at = worker->now;
    return 0;
}

void weft__worker_destroy(struct weft__worker *worker) {
    ASSERT(worker->ready.count == 0 && weft__unstarted_count(worker->unstarted) == 0);
    weft__worker_free_room(worker);
    worker->driver->class->stop(worker->driver);
}

void weft__worker_adopt(struct weft__worker *worker, struct weft__task *zero) {
    weft__wakers_drain(&zero->waiter);
    zero->waiter.worker = worker;
    weft__waiter_change_driver(&zero->waiter, worker->driver);
    zero->waiter.budget = WEFT__BUDGET;
    zero->is_started = true;
    zero->wake_at = INT64_MAX;
    weft__context_adopt(&zero->context);
    weft__worker_make_scheduler(worker);
    worker->zero = zero;
    weft__store(&zero->waiter.started_on, (uint16_t)weft__worker_number(worker), relaxed);
    weft__store(&worker->current, zero, release);
    weft__store(&worker->is_away, 1, relaxed);
    weft__this_worker_set(worker);
}

void weft__worker_release(struct weft__worker *worker, struct weft__task *zero,
                          struct weft__driver *driver) {
    weft__worker_disarm(worker, zero);
    weft__wakers_drain(&zero->waiter);
    inbox_drain(worker);                     // a wake of task zero that nobody needs any more
    worker->ready = (struct weft__queue){0}; // there is no other task
    weft__context_drop(&worker->context);
    weft__context_drop(&zero->context);
    weft__this_worker_set(NULL);
    worker->zero = NULL;
    weft__store(&worker->current, NULL, relaxed);
    zero->waiter.worker = NULL;
    weft__waiter_change_driver(&zero->waiter, driver);
}

// SPDX-License-Identifier: MIT
//
// The scheduler of one worker: which task runs next, the turn, the sleep. How a task is made and
// how it ends is task.c.
//
// Order. A turn is at most WEFT__TURN picks, or until a task has used up its budget of operations,
// then the timers, then the driver. Ready tasks run in FIFO order; after every WEFT__START_EVERY of
// them, or when none is ready, one that was not started: the newest, each WEFT__OLDEST_EVERY-th
// time the oldest. Newest first makes a tree of tasks depth-first, so that it needs few stacks; the
// oldest now and then keeps them from starving. The simulator picks otherwise.
//
// Sleep. Other threads have one door, the inbox: push, fence, look at `sleeping`, wake the driver.
// The worker stores `sleeping`, fence, looks at the inbox once more, waits. With both fences at
// least one of the two sees the other (store buffering); without either a wake is lost.
#include "task/worker.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/park.h"
#include "task/task.h"

#include <errno.h>

enum {
    TRIM_COUNT = 256, // idle stacks with memory behind them before some is given back
};
static const int64_t TRIM_EVERY_NS = 1000000000;
static const int64_t STARVED_FOR_NS = 100000000; // then a stack is asked for again

static uint32_t choose(struct weft__worker *worker, enum weft__choice what, size_t n) {
    return worker->driver->class->choose(worker->driver, what, (uint32_t)n);
}

static struct weft__task *task_at(struct weft__list *list, size_t index) {
    struct weft__list *node = list->next;
    while (index-- > 0)
        node = node->next;
    return WEFT__CONTAINER(node, struct weft__task, link);
}

// ---- The inbox ------------------------------------------------------------------------------

static void inbox_push(struct weft__worker *worker, struct weft__task *task) {
    struct weft__task *head = weft__load(&worker->inbox, relaxed);
    do
        task->inbox_next = head;
    while (!weft__cas(&worker->inbox, &head, task, release));
    weft__fence(seq_cst);
    if (weft__load(&worker->sleeping, relaxed) && weft__exchange(&worker->sleeping, 0, relaxed))
        worker->driver->class->wake(worker->driver);
}

static void make_ready(struct weft__worker *worker, struct weft__task *task) {
    weft__list_push_back(&worker->ready, &task->link);
    worker->ready_count++;
}

static void make_startable(struct weft__worker *worker, struct weft__task *task) {
    weft__list_push_back(&worker->unstarted, &task->link);
    worker->unstarted_count++;
}

static void inbox_drain(struct weft__worker *worker) {
    if (!weft__load(&worker->inbox, relaxed))
        return;
    struct weft__task *newest = weft__exchange(&worker->inbox, NULL, acquire);
    struct weft__task *oldest = NULL;
    while (newest) {
        struct weft__task *next = newest->inbox_next;
        newest->inbox_next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct weft__task *next = oldest->inbox_next;
        if (oldest->is_started)
            make_ready(worker, oldest);
        else
            make_startable(worker, oldest);
        worker->stats.inbox++;
        oldest = next;
    }
}

static bool is_here(const struct weft__worker *worker) {
    return weft__this_worker() == worker;
}

void weft__worker_place(struct weft__worker *worker, struct weft__task *task) {
    if (is_here(worker))
        make_startable(worker, task);
    else
        inbox_push(worker, task);
}

void weft__worker_wake(struct weft__worker *worker, struct weft__task *task) {
    if (is_here(worker))
        make_ready(worker, task);
    else
        inbox_push(worker, task);
}

// ---- Picking --------------------------------------------------------------------------------

static struct weft__task *pick_ready(struct weft__worker *worker) {
    size_t index = choose(worker, WEFT__PICK_READY, worker->ready_count);
    struct weft__task *task = task_at(&worker->ready, index);
    weft__list_remove(&task->link);
    worker->ready_count--;
    worker->since_start++;
    return task;
}

static struct weft__task *pick_unstarted(struct weft__worker *worker) {
    size_t index = choose(worker, WEFT__PICK_UNSTARTED, worker->unstarted_count);
    struct weft__list *node;
    if (index > 0)
        node = &task_at(&worker->unstarted, index)->link;
    else if (++worker->starts % WEFT__OLDEST_EVERY == 0)
        node = worker->unstarted.next;
    else
        node = worker->unstarted.prev;
    weft__list_remove(node);
    worker->unstarted_count--;
    worker->since_start = 0;
    return WEFT__CONTAINER(node, struct weft__task, link);
}

static bool can_start(const struct weft__worker *worker) {
    return worker->unstarted_count > 0 && !worker->is_starved;
}

static struct weft__task *pick(struct weft__worker *worker) {
    bool is_turn_to_start = worker->ready_count == 0 || worker->since_start >= WEFT__START_EVERY;
    if (is_turn_to_start && can_start(worker))
        return pick_unstarted(worker);
    return worker->ready_count > 0 ? pick_ready(worker) : NULL;
}

// ---- Running --------------------------------------------------------------------------------

// Without a stack a new task waits for one; when no stack is in use at all, none will ever come
// back, and it runs on the reserve, where it may not wait. One at a time: a weft_close may wait
// even there. False: it was put back.
static bool give_stack(struct weft__worker *worker, struct weft__task *task) {
    if (weft__stacks_take(&worker->stacks, task->stack_size, &task->stack) == 0)
        return true;
    worker->stats.starved++;
    if (!worker->is_starvation_logged)
        weft__log(WEFT__LOG_WARN, "no memory for another task's stack: new tasks wait for one "
                                  "(raise vm.max_map_count or the memory limit)");
    worker->is_starvation_logged = true;
    if (worker->stacks.in_use == 0 && !worker->is_reserve_taken) {
        worker->is_reserve_taken = true;
        task->stack = worker->reserve;
        task->waiter.may_not_wait = true;
        return true;
    }
    weft__list_push_front(&worker->unstarted, &task->link);
    worker->unstarted_count++;
    worker->is_starved = true;
    worker->starved_until = worker->now + STARVED_FOR_NS;
    return false;
}

static void take_stack(struct weft__worker *worker, struct weft__task *task) {
    if (task->waiter.may_not_wait)
        worker->is_reserve_taken = false;
    else
        weft__stacks_give(&worker->stacks, &task->stack);
    worker->is_starved = false;
}

static void run(struct weft__worker *worker, struct weft__task *task) {
    if (!task->is_started) {
        if (!give_stack(worker, task))
            return;
        weft__task_prepare(task);
        worker->stats.tasks++;
    }
    task->wake_at = INT64_MAX;
    task->waiter.budget = WEFT__BUDGET;
    worker->current = task;
    worker->stats.switches++;
    weft__context_switch(&worker->context, &task->context);
    worker->current = NULL;
    if (task->is_finished) {
        weft__heap_remove(&worker->timers, &task->timer);
        take_stack(worker, task);
        weft__task_end(task);
    }
}

static void leave(struct weft__worker *worker, struct weft__task *task) {
    weft__context_switch(&task->context, &worker->context);
}

void weft__worker_suspend(struct weft__worker *worker, int64_t until_ns) {
    struct weft__task *task = worker->current;
    task->wake_at = until_ns;
    bool is_armed = weft__heap_is_linked(&task->timer);
    if (until_ns != INT64_MAX && (!is_armed || until_ns < task->timer.key)) {
        weft__heap_remove(&worker->timers, &task->timer);
        weft__heap_insert(&worker->timers, &task->timer, until_ns);
    }
    leave(worker, task);
}

void weft__worker_end_turn(struct weft__worker *worker) {
    worker->is_turn_over = true;
    weft__worker_yield(worker);
}

void weft__worker_yield(struct weft__worker *worker) {
    struct weft__task *task = worker->current;
    if (task->waiter.may_not_wait)
        return;
    worker->stats.yields++;
    make_ready(worker, task);
    leave(worker, task);
}

// ---- The turn -------------------------------------------------------------------------------

// A timer that was left armed from an earlier wait fires too early: it is set anew, or forgotten.
static void fire_timers(struct weft__worker *worker) {
    struct weft__heap_node *node;
    while ((node = weft__heap_min(&worker->timers)) && node->key <= worker->now) {
        struct weft__task *task = WEFT__CONTAINER(node, struct weft__task, timer);
        weft__heap_remove(&worker->timers, node);
        if (task->wake_at <= worker->now)
            weft__unpark(&task->waiter);
        else if (task->wake_at != INT64_MAX)
            weft__heap_insert(&worker->timers, node, task->wake_at);
    }
}

// Memory behind stacks that nobody needs goes back to the system, at most once a second.
static int64_t trim(struct weft__worker *worker, int64_t until_ns) {
    if (worker->stacks.idle_count - worker->stacks.cold_count < TRIM_COUNT)
        return until_ns;
    int64_t due = worker->trimmed_at + TRIM_EVERY_NS;
    if (due > worker->now)
        return due < until_ns ? due : until_ns;
    weft__stacks_trim(&worker->stacks);
    worker->trimmed_at = worker->now;
    return until_ns;
}

static void sleep_in_driver(struct weft__worker *worker) {
    struct weft__heap_node *node = weft__heap_min(&worker->timers);
    int64_t until_ns = trim(worker, node ? node->key : INT64_MAX);
    if (worker->is_starved && worker->starved_until < until_ns)
        until_ns = worker->starved_until;
    weft__store(&worker->sleeping, 1, relaxed);
    weft__fence(seq_cst);
    if (weft__load(&worker->inbox, relaxed) || weft__load(&worker->stopping, relaxed))
        until_ns = 0;
    worker->driver->class->wait(worker->driver, until_ns);
    weft__store(&worker->sleeping, 0, relaxed);
}

static void turn(struct weft__worker *worker) {
    worker->stats.turns++;
    worker->is_turn_over = false;
    for (int i = 0; i < WEFT__TURN && !worker->is_turn_over; i++) {
        struct weft__task *task = pick(worker);
        if (!task)
            break;
        run(worker, task);
    }
    inbox_drain(worker);
    if (worker->ready_count > 0 || can_start(worker))
        worker->driver->class->wait(worker->driver, 0);
    else
        sleep_in_driver(worker);
    worker->now = worker->driver->class->now(worker->driver, WEFT__MONOTONIC);
    if (worker->now >= worker->starved_until)
        worker->is_starved = false;
    inbox_drain(worker);
    fire_timers(worker);
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

// The scheduler of worker 0 has a stack of its own, because the thread's belongs to task zero.
static void schedule_forever(void *arg) {
    for (;;)
        turn(arg);
}

int weft__worker_init(struct weft__worker *worker, struct weft__runtime *runtime,
                      struct weft__driver *driver, size_t stack_size) {
    *worker = (struct weft__worker){.runtime = runtime, .driver = driver};
    weft__list_init(&worker->ready);
    weft__list_init(&worker->unstarted);
    weft__stacks_init(&worker->stacks, stack_size);
    int error = weft__stacks_take(&worker->stacks, 0, &worker->stack);
    if (error == 0)
        error = weft__stacks_take(&worker->stacks, 0, &worker->reserve);
    if (error < 0) {
        if (worker->stack.low)
            weft__stacks_give(&worker->stacks, &worker->stack);
        weft__stacks_destroy(&worker->stacks);
        return error;
    }
    worker->stacks.in_use = 0; // these two are the worker's; the count is of the tasks'
    worker->now = driver->class->now(driver, WEFT__MONOTONIC);
    worker->trimmed_at = worker->now;
    return 0;
}

void weft__worker_destroy(struct weft__worker *worker) {
    ASSERT(worker->ready_count == 0 && worker->unstarted_count == 0);
    ASSERT(worker->stacks.in_use == 0);
    worker->stacks.in_use = 2;
    weft__stacks_give(&worker->stacks, &worker->reserve);
    weft__stacks_give(&worker->stacks, &worker->stack);
    weft__stacks_destroy(&worker->stacks);
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
    weft__context_make(&worker->context, worker->stack.low, worker->stack.size, worker->stack.top,
                       schedule_forever, worker);
    worker->current = zero;
    weft__this_worker_set(worker);
}

void weft__worker_release(struct weft__worker *worker, struct weft__task *zero,
                          struct weft__driver *driver) {
    weft__heap_remove(&worker->timers, &zero->timer);
    weft__wakers_drain(&zero->waiter);
    inbox_drain(worker); // a wake of task zero that nobody needs any more
    if (weft__list_is_linked(&zero->link)) {
        weft__list_remove(&zero->link);
        worker->ready_count--;
    }
    weft__context_drop(&worker->context);
    weft__context_drop(&zero->context);
    weft__this_worker_set(NULL);
    worker->current = NULL;
    zero->waiter.worker = NULL;
    weft__waiter_change_driver(&zero->waiter, driver);
}

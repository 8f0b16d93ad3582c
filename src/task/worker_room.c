// SPDX-License-Identifier: MIT
//
// The memory of a worker: the stacks for its tasks, what happens when there is none, and what goes
// back to the system.
#include "task/worker.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/unstarted.h"

#include <errno.h>

enum {
    TIMERS_MIN = 64,
    TRIM_COUNT = 256, // idle stacks with memory behind them before some is given back
};
static const int64_t TRIM_EVERY_NS = 1000000000;
static const int64_t STARVED_FOR_NS = 100000000; // then a stack is asked for again

// Every task with a stack may set a timer, without asking for memory then.
static WEFT__NOINLINE bool grow_timers(struct weft__worker *worker) {
    uint32_t capacity = worker->timers.capacity > 0 ? worker->timers.capacity * 2 : TIMERS_MIN;
    struct weft__timer_entry *heap = weft__alloc(capacity * sizeof *heap);
    struct weft__timer_slot *slots = weft__alloc(capacity * sizeof *slots);
    if (!heap || !slots) {
        weft__free(heap);
        weft__free(slots);
        return false;
    }
    struct weft__timers old = worker->timers;
    weft__timers_move(&worker->timers, heap, slots, capacity);
    weft__free(old.heap);
    weft__free(old.slots);
    return true;
}

static void release(struct weft__worker *worker) {
    weft__free(worker->timers.heap);
    weft__free(worker->timers.slots);
    if (worker->reserve.low)
        weft__stacks_give(&worker->stacks, &worker->reserve);
    if (worker->stack.low)
        weft__stacks_give(&worker->stacks, &worker->stack);
    weft__stacks_destroy(&worker->stacks);
    weft__unstarted_free(worker->unstarted);
    weft__free(worker->seen);
}

int weft__worker_make_room(struct weft__worker *worker, size_t stack_size, uint32_t others) {
    weft__stacks_init(&worker->stacks, stack_size);
    worker->unstarted = weft__unstarted_new();
    worker->seen = weft__alloc(others * sizeof *worker->seen);
    if (!worker->unstarted || !worker->seen || !grow_timers(worker) ||
        weft__stacks_take(&worker->stacks, 0, &worker->stack) < 0 ||
        weft__stacks_take(&worker->stacks, 0, &worker->reserve) < 0) {
        release(worker);
        return -ENOMEM;
    }
    // These two are the worker's; the count is of the tasks'.
    weft__store(&worker->stacks.in_use, 0, relaxed);
    return 0;
}

void weft__worker_free_room(struct weft__worker *worker) {
    ASSERT(weft__load(&worker->stacks.in_use, relaxed) == 0);
    weft__store(&worker->stacks.in_use, 2, relaxed);
    release(worker);
}

// By the simulator's choice, while there are tasks whose end will give one back.
static bool is_starved(struct weft__worker *worker) {
    return weft__load(&worker->stacks.in_use, relaxed) > 0 &&
           weft__driver_choose(worker->driver, WEFT__PICK_STARVE, 2) == 1;
}

// Without a stack a new task waits for one; when no stack is in use at all, none will ever come
// back, and it runs on the reserve, where it may not wait. One at a time: a weft_close may wait
// even there. False: it was put back.
bool weft__worker_give_stack(struct weft__worker *worker, struct weft__task *task) {
    bool has_room = weft__load(&worker->stacks.in_use, relaxed) + 2 < worker->timers.capacity ||
                    grow_timers(worker);
    if (has_room && !is_starved(worker) &&
        weft__stacks_take(&worker->stacks, task->stack_size, &task->stack) == 0)
        return true;
    weft__own_add(&worker->stats.starved, 1);
    if (!worker->is_starvation_logged)
        weft__log(WEFT__LOG_WARN, "no memory for another task's stack: new tasks wait for one "
                                  "(raise vm.max_map_count or the memory limit)");
    worker->is_starvation_logged = true;
    if (weft__load(&worker->stacks.in_use, relaxed) == 0 && !worker->is_reserve_taken) {
        worker->is_reserve_taken = true;
        task->stack = worker->reserve;
        task->waiter.may_not_wait = true;
        return true;
    }
    weft__unstarted_put_back(worker->unstarted, task);
    worker->is_starved = true;
    worker->starved_until = worker->now + STARVED_FOR_NS;
    return false;
}

void weft__worker_take_stack(struct weft__worker *worker, struct weft__task *task) {
    if (task->waiter.may_not_wait)
        worker->is_reserve_taken = false;
    else
        weft__stacks_give(&worker->stacks, &task->stack);
    worker->is_starved = false;
}

// Memory behind stacks that nobody has needed for a second goes back to the system. What was used
// within the last one is kept: the next wave of tasks would have it made anew, a page at a time.
int64_t weft__worker_trim(struct weft__worker *worker, int64_t until_ns) {
    struct weft__stacks *stacks = &worker->stacks;
    if (stacks->idle_count - stacks->cold_count < TRIM_COUNT)
        return until_ns;
    if (worker->trimmed_at + TRIM_EVERY_NS <= worker->now) {
        if (stacks->idle_low >= stacks->cold_count + TRIM_COUNT)
            weft__stacks_trim(stacks, stacks->idle_low);
        stacks->idle_low = stacks->idle_count;
        worker->trimmed_at = worker->now;
    }
    int64_t due = worker->trimmed_at + TRIM_EVERY_NS;
    bool is_warm = stacks->idle_count - stacks->cold_count >= TRIM_COUNT;
    return is_warm && due < until_ns ? due : until_ns;
}

// SPDX-License-Identifier: MIT
//
// One task, looked at while others run.
//
// 1. A task that waits is held (park.c, rule 6). Once its context has stopped, it does not go on
//    before it is let go. So all that it wrote is there to be read, and its stack can be unwound.
// 2. Of one that is ready or runs, only what is atomic is read. A running one is asked itself, by a
//    signal, or, if it waits in the kernel, not disturbed and searched (os/look.h).
#include "task/view.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/park.h"
#include "task/title.h"

#include <string.h>

enum { SEARCHED_SIZE = 4096 };
static const int64_t LEAVE_LIMIT_NS = 100000000; // for a thread that does not get a processor

// ---- Backtraces -----------------------------------------------------------------------------

// The calls under way in a context, without those of who looks at it, which come first.
static WEFT__NOINLINE void collect(void *arg) {
    struct weft__view *view = arg;
    uintptr_t looker = (uintptr_t)__builtin_return_address(0);
    size_t first = 0;
    size_t count = weft__look_own_calls(0, view->frames, WEFT__FRAMES_MAX);
    while (first < count && view->frames[first] != looker)
        first++;
    if (first == count)
        return;
    view->frame_count = count - first - 1;
    memmove(view->frames, view->frames + first + 1, view->frame_count * sizeof view->frames[0]);
}

// How far the stack is searched of a task that blocks its thread: up to its notes, of which one is
// an address in the code. If it has ended meanwhile, so that these are another's, nothing is shown.
static WEFT__RACY uintptr_t end_of_search(const struct weft__task *task, uintptr_t sp) {
    uintptr_t low = (uintptr_t)task->stack.low, notes = (uintptr_t)task->waiter.failure;
    return sp >= low && sp < notes && notes - sp < SEARCHED_SIZE ? notes : sp + SEARCHED_SIZE;
}

static void collect_from(struct weft__worker *worker, const struct weft__task *task,
                         struct weft__view *view) {
    struct weft__look look;
    weft__look(weft__load(&worker->thread, relaxed), &look);
    view->frame_count =
        weft__calls_of(worker, &look, end_of_search(task, look.sp), view->frames, WEFT__FRAMES_MAX);
    view->is_interrupted = true;
    if (view->frame_count == 0)
        view->no_frames = "it runs and could not be asked";
}

static bool has_left(const struct weft__task *task) {
    int64_t until = 0;
    while (!weft__context_has_stopped(&task->context)) {
        int64_t now = weft__clock_monotonic_ns();
        until = until == 0 ? now + LEAVE_LIMIT_NS : until;
        if (now >= until)
            return false;
        weft__os_yield();
    }
    return true;
}

// Task zero's stack is its thread's, of unknown size.
static void measure_stack(const struct weft__task *task, struct weft__view *view) {
    if (!task->stack.low)
        return;
    view->stack_size = (size_t)(task->stack.top - task->stack.low) - task->stack.guard_size;
    view->stack_used = (size_t)(task->stack.top - (const char *)task->context.sp);
}

// ---- What it waits for ----------------------------------------------------------------------

static void view_wait(struct weft__worker *worker, const struct weft__task *task,
                      struct weft__view *view) {
    const struct weft__wait *wait = &weft__notes_of(&task->waiter)->wait;
    int64_t now = worker->driver->class->now(worker->driver, WEFT__MONOTONIC);
    view->waits_for = wait->what;
    view->waits_on = wait->handle;
    view->waited_ns = wait->what && now > wait->since ? now - wait->since : 0;
    if (!wait->where)
        return;
    size_t length = strnlen(wait->where, sizeof view->where - 1);
    memcpy(view->where, wait->where, length);
    view->where[length] = '\0';
}

// ---- The states -----------------------------------------------------------------------------

static void view_held(struct weft__worker *worker, struct weft__task *task,
                      struct weft__view *view) {
    view->state = WEFT__WAITING;
    view_wait(worker, task, view);
    if (!has_left(task)) {
        view->no_frames = "its worker gets no processor";
        return;
    }
    measure_stack(task, view);
    weft__context_look(&task->context, collect, view);
    if (view->frame_count == 0)
        view->no_frames = "not on this machine";
}

static void view_running(struct weft__worker *worker, struct weft__task *task,
                         struct weft__view *view) {
    view->state = WEFT__RUNNING;
    if (worker == weft__this_worker()) {
        view->frame_count = weft__look_own_calls(0, view->frames, WEFT__FRAMES_MAX);
        return;
    }
    collect_from(worker, task, view);
    if (weft__load(&worker->current, relaxed) != task) { // it may have been another's
        view->frame_count = 0;
        view->no_frames = "it has just waited";
    }
}

static bool is_gone(const struct weft__seen *seen) {
    return weft__load(&seen->task->number, relaxed) != seen->number;
}

void weft__view(const struct weft__survey *survey, const struct weft__seen *seen,
                struct weft__view *ret_view) {
    struct weft__task *task = seen->task;
    *ret_view = (struct weft__view){.state = WEFT__GONE};
    uint32_t seen_word;
    bool is_held = weft__hold(task, &seen_word);
    uint32_t started_on = weft__load(&task->waiter.started_on, relaxed);
    bool is_here = !is_gone(seen) && started_on > 0;
    struct weft__worker *worker = is_here ? survey->workers[started_on - 1] : NULL;
    ret_view->worker = worker ? weft__worker_number(worker) : 0;
    if (worker && is_held)
        view_held(worker, task, ret_view);
    if (is_held)
        weft__let_go(task, seen_word); // also when the record is another task's meanwhile
    else if (weft__load(&task->is_frozen, relaxed) && !is_gone(seen))
        ret_view->state = WEFT__FROZEN;
    else if (!worker)
        ret_view->state = is_gone(seen) ? WEFT__GONE : WEFT__UNSTARTED;
    else if (weft__load(&worker->current, acquire) == task) {
        view_running(worker, task, ret_view);
    } else {
        ret_view->state = WEFT__READY;
    }
}

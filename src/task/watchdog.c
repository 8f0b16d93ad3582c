// SPDX-License-Identifier: MIT
//
// 1. A worker's task keeps it when the worker's count of switches stands still while the task is
//    the current one. The time counts from the second look that finds it so, and a look that comes
//    late (the machine was busy, a debugger had stopped us) counts as one. What the task was kept
//    waiting for a processor is not its fault and does not count.
// 2. Of a task that may end meanwhile it takes a copy, with the lock of the pool held, without
//    which no name is freed (task.c), and then looks whether the task is still the current one.
//    Records and stacks stay as long as the runtime.
#include "task/watchdog.h"

#include "os/os.h"
#include "task/runtime.h"
#include "task/title.h"

#include "base/text.h"

enum { CALLS_MAX = 12, LINE_SIZE = 900 };
static const int64_t NS_PER_MS = 1000000;

// ---- Reports --------------------------------------------------------------------------------

struct subject { // of a report
    struct weft__title title;
    uintptr_t low, top; // its stack, up to its notes: one of them is an address in the code
};

static void put_calls(struct weft__text *text, struct weft__worker *worker,
                      const struct subject *subject, const struct weft__look *look) {
    uintptr_t calls[CALLS_MAX];
    bool is_on_stack = look->sp >= subject->low && look->sp < subject->top;
    uintptr_t top = is_on_stack ? subject->top : look->sp;
    size_t count = weft__calls_of(worker, look, top, calls, CALLS_MAX);
    if (count == 0)
        return;
    weft__text_put(text, look->is_waiting ? ", blocked in " : ", busy in ");
    weft__look_put_calls(text, calls, count);
}

static bool is_same(struct weft__worker *worker, const struct weft__watched *watched) {
    return weft__load(&worker->current, acquire) == watched->task &&
           weft__load(&worker->stats.switches, relaxed) == watched->switches;
}

// Rule 2. Returns whether it is.
static WEFT__RACY bool copy_subject(struct weft__worker *worker,
                                    const struct weft__watched *watched,
                                    struct subject *ret_subject) {
    struct weft__task_pool *pool = &worker->runtime->pool;
    weft__lock(&pool->lock);
    weft__title_copy(watched->task, &ret_subject->title);
    ret_subject->low = (uintptr_t)watched->task->stack.low;
    ret_subject->top = (uintptr_t)watched->task->waiter.failure;
    weft__fence(seq_cst);
    bool is_valid = is_same(worker, watched);
    weft__unlock(&pool->lock);
    return is_valid;
}

static void report_task(struct weft__worker *worker, const struct weft__watched *watched,
                        const struct weft__look *look) {
    char line[LINE_SIZE];
    struct weft__text text;
    struct subject subject;
    if (!copy_subject(worker, watched, &subject))
        return;
    weft__text_init(&text, line, sizeof line);
    weft__text_put(&text, "task ");
    weft__title_put(&text, &subject.title);
    weft__text_putf(&text, " has kept worker %u for %lld ms", weft__worker_number(worker),
                    (long long)(watched->kept_ns / NS_PER_MS));
    put_calls(&text, worker, &subject, look);
    weft__log(WEFT__LOG_WARN, "%s (what blocks or computes for long belongs into weft_blocking)",
              line);
}

static void report_zero(struct weft__worker *worker, const struct weft__watched *watched,
                        const struct weft__look *look) {
    char calls[LINE_SIZE];
    struct weft__text text;
    uint64_t count = weft__balance_bound(worker);
    weft__text_init(&text, calls, sizeof calls);
    put_calls(&text, worker, &(struct subject){.low = 0}, look); // of its stack nobody knows
    weft__log(WEFT__LOG_WARN,
              "task zero (the thread that started the runtime) has kept worker %u for %lld ms "
              "outside weft%s: %llu task%s there (run it by weft_blocking, or set "
              "weft_options.own_threads)",
              weft__worker_number(worker), (long long)(watched->kept_ns / NS_PER_MS), calls,
              (unsigned long long)count, count == 1 ? " waits" : "s wait");
}

// ---- Looking -----------------------------------------------------------------------------

// How much of the time it is the task's own doing.
static int64_t blamed_ns(const struct weft__watched *watched, const struct weft__look *look) {
    if (look->ran_ns < 0 || watched->began.ran_ns < 0)
        return watched->kept_ns;
    return look->is_waiting ? watched->kept_ns - (look->queued_ns - watched->began.queued_ns)
                            : look->ran_ns - watched->began.ran_ns;
}

static void blame(struct weft__worker *worker, struct weft__watched *watched, int64_t patience_ns) {
    struct weft__look look;
    weft__look(weft__load(&worker->thread, relaxed), &look);
    if (blamed_ns(watched, &look) < patience_ns)
        return;
    watched->is_reported = true;
    weft__os_apart_open_stderr();
    if (watched->task->waiter.is_thread)
        report_zero(worker, watched, &look);
    else
        report_task(worker, watched, &look);
    weft__os_apart_close_stderr();
}

// Its time does not count while task zero keeps nobody waiting.
static bool is_harmless(struct weft__worker *worker, const struct weft__watched *watched) {
    return !watched->task || (watched->task->waiter.is_thread && weft__balance_bound(worker) == 0);
}

bool weft__watchdog_look(struct weft__worker *worker, struct weft__watched *watched,
                         int64_t patience_ns, int64_t passed_ns) {
    uint64_t switches = weft__load(&worker->stats.switches, relaxed);
    struct weft__task *task = weft__load(&worker->current, acquire);
    bool is_same = switches == watched->switches && task == watched->task;
    watched->switches = switches;
    watched->task = task;
    if (!is_same || is_harmless(worker, watched)) {
        watched->kept_ns = 0;
        watched->is_reported = false;
        return is_same;
    }
    if (watched->kept_ns == 0)
        weft__look(weft__load(&worker->thread, relaxed), &watched->began);
    watched->kept_ns += passed_ns;
    if (watched->kept_ns >= patience_ns && !watched->is_reported)
        blame(worker, watched, patience_ns);
    return is_same;
}

bool weft__watchdog_is_done(struct weft__worker *worker, const struct weft__watched *watched) {
    return watched->task && watched->task->waiter.is_thread &&
           weft__load(&worker->is_away, relaxed) &&
           (watched->is_reported || is_harmless(worker, watched));
}

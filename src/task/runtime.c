// SPDX-License-Identifier: MIT
//
// Starting and stopping, and what is said at exit.
//
// `living` counts the tasks, and those that are about to be: a caller of weft_go counts itself in
// first. weft_stop ends the runtime by moving `living` from 0 to CLOSED; who counts in and finds
// CLOSED counts out again and has met no runtime. So memory that a weft_go uses cannot go away
// under it.
#include "task/runtime.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/park.h"
#include "task/thread.h"

#include <errno.h>
#include <string.h>
#include <weft/task.h>

static const uint32_t CLOSED = (uint32_t)1 << 31;

static WEFT__ATOMIC(struct weft__runtime *) current;
static struct weft__lock start_lock;
static bool are_hooks_set; // guarded by start_lock

// ---- At exit, and after a fork
// --------------------------------------------------------------------

static void at_exit(void) {
    weft__foreign_enter(); // any thread may call exit(3), also while another one stops the runtime
    struct weft__runtime *runtime = weft__load(&current, seq_cst);
    uint32_t living = runtime ? weft__load(&runtime->living, relaxed) : 0;
    weft__foreign_leave();
    if (living > 0 && living < CLOSED)
        weft__log(WEFT__LOG_WARN, "the process ends while %u task%s alive", living,
                  living == 1 ? " was" : "s were");
}

static int set_hooks(void) {
    if (are_hooks_set)
        return 0;
    if (weft__os_at_exit(at_exit) < 0)
        return -ENOMEM;
    are_hooks_set = true;
    return 0;
}

void weft__runtime_after_fork(void) {
    weft__store(&current, NULL, relaxed);
    start_lock = (struct weft__lock){0};
}

// ---- Starting -------------------------------------------------------------------------------

struct weft__runtime *weft__runtime_now(void) {
    return weft__load(&current, acquire);
}

static int make(struct weft__waiter *self, struct weft__driver *driver,
                const weft_options *options) {
    struct weft__runtime *runtime = weft__alloc(sizeof *runtime);
    struct weft__worker *worker = weft__alloc(sizeof *worker);
    int error = runtime && worker ? set_hooks() : -ENOMEM;
    if (error == 0)
        error = weft__worker_init(worker, runtime, driver, options->stack_size);
    if (error < 0) {
        weft__free(worker);
        weft__free(runtime);
        return error;
    }
    runtime->workers[0] = worker;
    runtime->zero = weft__thread_zero(self);
    weft__task_pool_init(&runtime->pool);
    weft__scope_init_root(&runtime->root);
    weft__store(&weft__orphaned, 0, relaxed);
    weft__worker_adopt(worker, runtime->zero);
    runtime->reports_overflow = !options->no_overflow_report && weft__overflow_watch() == 0;
    weft__store(&current, runtime, release);
    return 0;
}

// With start_lock held; nobody runs.
static int start_on(struct weft__waiter *self, struct weft__driver *driver,
                    const weft_options *options) {
    int error = make(self, driver, options);
    if (error < 0)
        driver->class->stop(driver);
    return error;
}

static int start_locked(struct weft__waiter *self, const weft_options *options) {
    if (weft__load(&current, relaxed))
        return (int)weft__failed(self, "start", 0, -EALREADY);
    if (!options->alloc != !options->free)
        return (int)weft__failed_text(self, "start", "", "alloc and free go together", -EINVAL);
    const char *name = options->driver ? options->driver : weft__env("WEFT_DRIVER");
    struct weft__allocator allocator = {options->alloc, options->free, options->alloc_context};
    weft__log_to(options->log, options->log_context);
    weft__alloc_use(options->alloc ? &allocator : NULL);
    char note[WEFT__SUBJECT_SIZE * 2] = "";
    struct weft__driver *driver;
    int error = weft__driver_start(name, &driver, note, sizeof note);
    if (error == 0)
        error = start_on(self, driver, options);
    if (error < 0) {
        weft__alloc_use(NULL);
        weft__log_to(NULL, NULL);
        return (int)weft__failed_text(self, "start", note, NULL, error);
    }
    bool is_fallback =
        strncmp(note, "epoll (io_uring", 15) == 0; // auto could not have its first choice
    weft__log(is_fallback ? WEFT__LOG_WARN : WEFT__LOG_INFO, "driver: %s", note);
    return 0;
}

int weft_priv_start(const weft_options *given, size_t size) {
    weft_options options = {0};
    if (given)
        memcpy(&options, given, size < sizeof options ? size : sizeof options);
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    weft__lock(&start_lock);
    int error = start_locked(self, &options);
    weft__unlock(&start_lock);
    return error;
}

// For the first weft_go. That another thread was quicker is no failure, and leaves no record of
// one.
static int start_if_none(void) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    weft__lock(&start_lock);
    bool runs = weft__load(&current, relaxed) != NULL;
    int error = runs ? 0 : start_locked(self, &(weft_options){0});
    weft__unlock(&start_lock);
    return error;
}

int weft__runtime_start_on(struct weft__waiter *self, struct weft__driver *driver) {
    weft__lock(&start_lock);
    bool runs = weft__load(&current, relaxed) != NULL;
    int error = runs ? -EALREADY : start_on(self, driver, &(weft_options){0});
    weft__unlock(&start_lock);
    if (runs)
        driver->class->stop(driver);
    return error;
}

// ---- Counting tasks -------------------------------------------------------------------------

int weft__runtime_enter(struct weft__runtime **ret_runtime) {
    for (;;) {
        weft__foreign_enter();
        struct weft__runtime *runtime = weft__load(&current, seq_cst);
        bool is_in = false;
        if (runtime) {
            is_in = weft__fetch_add(&runtime->living, 1, acq_rel) < CLOSED;
            if (!is_in)
                weft__fetch_sub(&runtime->living, 1, relaxed);
        }
        weft__foreign_leave();
        if (is_in) {
            *ret_runtime = runtime;
            return 0;
        }
        int error = runtime ? 0 : start_if_none();
        if (error < 0)
            return error;
        weft__os_yield(); // one that stops is gone in a moment; one that was started is there
    }
}

// The count goes down before `stopping` is read, and weft_stop sets that before it reads the count,
// so at least one sees the other. With a count of 0 the runtime may end: hence the foreign section.
void weft__runtime_task_ended(struct weft__runtime *runtime) {
    weft__foreign_enter();
    bool is_last = weft__fetch_sub(&runtime->living, 1, seq_cst) == 1;
    if (is_last && weft__load(&runtime->stopping, seq_cst))
        weft__unpark(&runtime->zero->waiter);
    weft__foreign_leave();
}

// ---- Stopping -------------------------------------------------------------------------------

static bool close_if_empty(struct weft__runtime *runtime) {
    uint32_t none = 0;
    return weft__cas(&runtime->living, &none, CLOSED, seq_cst);
}

static int wait_for_all(struct weft__runtime *runtime, struct weft__waiter *self,
                        int64_t grace_ns) {
    int64_t now = weft__fresh_now(self);
    int64_t until = grace_ns > INT64_MAX - now ? INT64_MAX : now + grace_ns;
    weft__store(&runtime->stopping, 1, seq_cst);
    weft__scope_cancel(&runtime->root, self);
    while (!close_if_empty(runtime)) {
        if (weft__fresh_now(self) >= until)
            return -ETIMEDOUT;
        weft__park(self, until);
    }
    return 0;
}

static void end(struct weft__runtime *runtime) {
    struct weft__worker *worker = runtime->workers[0];
    weft__lock(&start_lock);
    weft__scope_orphan_children(&runtime->root);
    weft__scope_disown_all(&runtime->zero->waiter);
    weft__store(&current, NULL, seq_cst);
    weft__foreign_drain();
    if (runtime->reports_overflow)
        weft__overflow_unwatch();
    weft__worker_release(worker, runtime->zero, weft__thread_driver(runtime->zero));
    weft__worker_destroy(worker);
    weft__task_pool_destroy(&runtime->pool);
    weft__free(worker);
    weft__free(runtime);
    weft__alloc_use(NULL);
    weft__log_to(NULL, NULL);
    weft__unlock(&start_lock);
}

int weft_stop(int64_t grace_ns) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    struct weft__runtime *runtime = weft__load(&current, acquire);
    if (weft__is_orphan())
        return (int)weft__failed(self, "stop", 0, -ECHILD);
    if (!runtime)
        return (int)weft__failed(self, "stop", 0, -ENOENT);
    if (!self->is_thread ||
        !self->worker) // not task zero: for it alone the runtime must not go away
        return (int)weft__failed(self, "stop", 0, -EPERM);
    if (grace_ns < 0)
        return (int)weft__failed(self, "stop", 0, -EINVAL);
    int error = wait_for_all(runtime, self, grace_ns);
    if (error < 0) {
        weft__log(WEFT__LOG_WARN, "stop: %u tasks are still alive after the grace",
                  weft__load(&runtime->living, relaxed));
        return (int)weft__failed_text(self, "stop", "", "tasks are still alive", error);
    }
    end(runtime);
    return 0;
}

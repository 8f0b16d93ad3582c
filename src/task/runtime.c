// SPDX-License-Identifier: MIT
//
// Starting, ending, and what is said at exit. When a runtime may end: stop.c.
#include "task/runtime.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/thread.h"
#include "task/worker_thread.h"

#include <errno.h>
#include <string.h>
#include <weft/task.h>

static WEFT__ATOMIC(struct weft__runtime *) current;
static struct weft__lock start_lock;

// ---- At exit, and after a fork --------------------------------------------------------------

// Any thread may call exit(3), also while another one stops the runtime.
static void at_exit(void) {
    uint64_t living = weft__runtime_living_now();
    if (living > 0)
        weft__log(WEFT__LOG_WARN, "the process ends while %llu task%s alive",
                  (unsigned long long)living, living == 1 ? " was" : "s were");
}

void weft__runtime_after_fork(void) {
    weft__store(&current, NULL, relaxed);
    start_lock = (struct weft__lock){0};
}

// ---- Starting -------------------------------------------------------------------------------

struct weft__runtime *weft__runtime_now(void) {
    return weft__load(&current, seq_cst); // see weft__foreign_drain
}

static void free_all(struct weft__runtime *runtime) {
    weft__free(runtime->os_threads);
    for (uint32_t i = 0; runtime->workers && i < runtime->worker_count; i++)
        weft__free(runtime->workers[i]);
    weft__free(runtime->workers);
    weft__free(runtime);
}

static struct weft__runtime *allocate(uint32_t count) {
    weft__heavy_barrier_ask();
    struct weft__runtime *runtime = weft__alloc(sizeof *runtime);
    if (!runtime)
        return NULL;
    runtime->worker_count = count;
    weft__store(&runtime->threads, 1, relaxed);
    runtime->workers = weft__alloc(count * sizeof(void *));
    runtime->os_threads = weft__alloc(count * sizeof *runtime->os_threads);
    bool is_complete = runtime->workers && runtime->os_threads;
    for (uint32_t i = 0; is_complete && i < count; i++) {
        runtime->workers[i] = weft__alloc(sizeof *runtime->workers[i]);
        is_complete = runtime->workers[i] != NULL;
        if (is_complete)
            runtime->workers[i]->index = i;
    }
    if (is_complete && weft__os_at_exit(at_exit) == 0) {
        weft__scope_init_root(&runtime->root);
        return runtime;
    }
    free_all(runtime);
    return NULL;
}

// The workers that have threads of their own. With `may_be_fewer` those count that could be had.
static int start_threads(struct weft__runtime *runtime, struct weft__worker_plan *plan,
                         bool may_be_fewer) {
    uint32_t count = runtime->worker_count;
    uint32_t i = runtime->has_own_threads ? 0 : 1;
    for (; i < count; i++) {
        int error = weft__worker_thread_start(runtime, runtime->workers[i], plan);
        if (error == 0 && i == 0)
            plan->driver = runtime->workers[0]->driver->class->name; // one ladder for all
        if (error < 0 && (!may_be_fewer || i == 0)) {
            weft__worker_threads_end(runtime, i);
            return error;
        }
        if (error < 0)
            break;
    }
    if (i < count)
        weft__log(WEFT__LOG_WARN, "%u worker%s instead of %u: %s", i, i == 1 ? "" : "s", count,
                  plan->cause[0] != '\0' ? plan->cause : "no memory for more");
    for (uint32_t rest = i; rest < count; rest++)
        weft__free(runtime->workers[rest]);
    runtime->worker_count = i;
    return 0;
}

// With start_lock held; nobody runs.
static void publish(struct weft__runtime *runtime, struct weft__waiter *self,
                    const weft_options *options) {
    weft__store(&weft__orphaned, 0, relaxed);
    if (!runtime->has_own_threads) {
        runtime->zero = weft__thread_zero(self);
        weft__store(&runtime->workers[0]->thread, weft__os_thread_id(), relaxed);
        weft__worker_adopt(runtime->workers[0], runtime->zero);
        weft__store(&runtime->root.lock.owner, runtime->workers[0], relaxed); // task zero's scopes
    }
    runtime->reports_overflow = !options->no_overflow_report;
    if (runtime->reports_overflow)
        weft__overflow_watch();
    if (runtime->zero && (runtime->reports_overflow || runtime->dumps_on_quit))
        runtime->signal_stack = weft__overflow_stack_give();
    weft__store(&current, runtime, release);
    weft__worker_threads_go(runtime);
    if (runtime->dumps_on_quit && weft__dump_on_quit_start() < 0) {
        runtime->dumps_on_quit = false;
        weft__log(WEFT__LOG_WARN, "no thread for dumps: SIGQUIT is left as it was");
    }
}

// `driver` is worker 0's, already started on this thread, and taken even on failure; NULL: worker 0
// has a thread of its own.
static int start_on(struct weft__waiter *self, struct weft__driver *driver, uint32_t count,
                    bool may_be_fewer, const weft_options *options,
                    struct weft__worker_plan *plan) {
    struct weft__runtime *runtime = allocate(count);
    int error = runtime ? 0 : -ENOMEM;
    if (error == 0 && driver)
        error = weft__worker_init(runtime->workers[0], runtime, driver, plan->stack_size, count);
    if (error < 0) {
        if (driver)
            driver->class->stop(driver);
        if (runtime)
            free_all(runtime);
        return error;
    }
    runtime->has_own_threads = driver == NULL;
    runtime->dumps_on_quit = options->dump_on_sigquit != 0;
    error = start_threads(runtime, plan, may_be_fewer);
    if (error == 0 && (error = weft__helpers_start(runtime, options)) < 0)
        weft__worker_threads_end(runtime, runtime->worker_count);
    if (error < 0) {
        if (driver)
            weft__worker_destroy(runtime->workers[0]);
        free_all(runtime);
        return error;
    }
    publish(runtime, self, options);
    return 0;
}

// How many workers: asked for, by the program or by WEFT_WORKERS, or as many as there are
// processors. 0: what was asked for is no such number.
static uint32_t worker_count(const weft_options *options, bool *ret_is_asked) {
    const char *text = weft__env("WEFT_WORKERS");
    *ret_is_asked = options->workers != 0 || text;
    if (options->workers != 0)
        return options->workers > 0 && options->workers <= WEFT__WORKERS_MAX
                   ? (uint32_t)options->workers
                   : 0;
    if (!text) {
        uint32_t count = weft__os_cpu_count();
        return count < WEFT__WORKERS_MAX ? count : WEFT__WORKERS_MAX;
    }
    uint32_t count = 0;
    for (; *text >= '0' && *text <= '9' && count <= WEFT__WORKERS_MAX; text++)
        count = count * 10 + (uint32_t)(*text - '0');
    return *text == '\0' && count <= WEFT__WORKERS_MAX ? count : 0;
}

// Worker 0's driver decides for all: it is made here, or, with own threads, on its own.
static int start_drivers(struct weft__waiter *self, const weft_options *options, uint32_t count,
                         bool may_be_fewer, struct weft__worker_plan *plan) {
    struct weft__driver *driver = NULL;
    if (!options->own_threads) {
        int error = weft__driver_start(plan->driver, &driver, plan->note, plan->text_size);
        if (error < 0) {
            plan->cause = plan->note;
            return error;
        }
        plan->driver = driver->class->name;
    }
    return start_on(self, driver, count, may_be_fewer, options, plan);
}

static int start_locked(struct weft__waiter *self, const weft_options *options) {
    if (weft__load(&current, relaxed))
        return (int)weft__failed(self, "start", 0, -EALREADY);
    if (!options->alloc != !options->free)
        return (int)weft__failed_text(self, "start", "", "alloc and free go together", -EINVAL);
    bool is_count_asked;
    uint32_t count = worker_count(options, &is_count_asked);
    if (count == 0)
        return (int)weft__failed_text(
            self, "start", options->workers != 0 ? "" : weft__env("WEFT_WORKERS"),
            options->workers != 0 ? "the number of workers is from 1 to 1024"
                                  : "WEFT_WORKERS: the number of workers is from 1 to 1024",
            -EINVAL);
    if (options->blocking_threads < 0)
        return (int)weft__failed_text(self, "start", "", "the number of blocking threads is >= 0",
                                      -EINVAL);
    struct weft__allocator allocator = {options->alloc, options->free, options->alloc_context};
    weft__log_to(options->log, options->log_context);
    weft__alloc_use(options->alloc ? &allocator : NULL);
    char note[WEFT__SUBJECT_SIZE * 2] = "", cause[sizeof note] = "";
    struct weft__worker_plan plan = {
        .driver = options->driver ? options->driver : weft__env("WEFT_DRIVER"),
        .stack_size = options->stack_size,
        .note = note,
        .cause = cause,
        .text_size = sizeof note,
    };
    plan.may_fall_back = !plan.driver || strcmp(plan.driver, "auto") == 0;
    int error = start_drivers(self, options, count, !is_count_asked, &plan);
    if (error < 0) {
        weft__alloc_use(NULL);
        weft__log_to(NULL, NULL);
        return (int)weft__failed_text(self, "start", plan.cause, NULL, error);
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

// That another thread was quicker is no failure, and leaves no record of one.
int weft__runtime_start_if_none(struct weft__waiter *self) {
    weft__lock(&start_lock);
    bool runs = weft__load(&current, relaxed) != NULL;
    int error = runs ? 0 : start_locked(self, &(weft_options){0});
    weft__unlock(&start_lock);
    return error;
}

int weft__runtime_start_on(struct weft__waiter *self, struct weft__driver *driver,
                           uint32_t workers) {
    ASSERT(workers == 1 || driver->class->beside);
    weft__lock(&start_lock);
    bool runs = weft__load(&current, relaxed) != NULL;
    struct weft__worker_plan plan = {0};
    int error =
        runs ? -EALREADY : start_on(self, driver, workers, false, &(weft_options){0}, &plan);
    weft__unlock(&start_lock);
    if (runs)
        driver->class->stop(driver);
    return error;
}

// ---- Ending ---------------------------------------------------------------------------------

void weft__runtime_end(struct weft__runtime *runtime, struct weft__waiter *self) {
    if (runtime->dumps_on_quit)
        weft__dump_on_quit_end();
    weft__lock(&start_lock);
    weft__scope_orphan_children(&runtime->root, self);
    if (runtime->zero)
        weft__scope_disown_all(&runtime->zero->waiter);
    weft__store(&current, NULL, seq_cst);
    weft__runtime_drain();
    weft__helpers_end(runtime);
    weft__worker_threads_end(runtime, runtime->worker_count);
    if (runtime->reports_overflow)
        weft__overflow_unwatch();
    if (runtime->zero) {
        weft__worker_release(runtime->workers[0], runtime->zero,
                             weft__thread_driver(runtime->zero));
        weft__worker_destroy(runtime->workers[0]);
        weft__overflow_stack_take(runtime->signal_stack);
    }
    weft__task_pool_destroy(&runtime->pool);
    free_all(runtime);
    weft__alloc_use(NULL);
    weft__log_to(NULL, NULL);
    weft__unlock(&start_lock);
}

// Makes the caller the one that stops. Task zero alone may; with own threads, any plain thread, but
// one at a time.
int weft__runtime_begin_stop(struct weft__waiter *self, struct weft__runtime **ret_runtime) {
    weft__lock(&start_lock);
    struct weft__runtime *runtime = weft__load(&current, acquire);
    int error = 0;
    if (!runtime)
        error = -ENOENT;
    else if (!self->is_thread || !self->worker == !runtime->has_own_threads)
        error = -EPERM;
    else if (weft__load(&runtime->stopper, relaxed))
        error = -EBUSY;
    else
        weft__store(&runtime->stopper, self, seq_cst);
    weft__unlock(&start_lock);
    *ret_runtime = runtime;
    return error;
}

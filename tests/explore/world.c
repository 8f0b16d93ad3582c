// SPDX-License-Identifier: MIT
//
// The operating system and the driver as the sources under test see them: os/os.h, os/pages.h,
// os/fault.h and driver/driver.h, as far as src/task needs them. Nothing fails here, and time moves
// only when a wait ends by its deadline.
#include "engine.h"

#include "base/assert.h"
#include "driver/driver.h"
#include "os/fault.h"
#include "os/look.h"
#include "os/os.h"
#include "os/pages.h"
#include "os/symbol.h"
#include "task/monitor.h"
#include "task/runtime.h"
#include "task/signals.h"
#include "task/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// ---- The end --------------------------------------------------------------------------------

void weft__panic(const char *file, int line, const char *format, ...) {
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *name = strrchr(file, '/');
    explore_fail("%s:%d: %s", name ? name + 1 : file, line, text);
}

// ---- Memory ---------------------------------------------------------------------------------

enum { HEADER_SIZE = 16, LOOK_NS = 1000000 };

void *weft__alloc(size_t size) {
    size_t *header = explore_arena_take(size + HEADER_SIZE);
    *header = size;
    return (char *)header + HEADER_SIZE;
}

void *weft__alloc_lasting(size_t size) {
    return weft__alloc(size);
}

void weft__free(void *block) {
    if (block)
        explore_memory_freed(block, *(size_t *)((char *)block - HEADER_SIZE));
}

void weft__alloc_use(const struct weft__allocator *allocator) {
    (void)allocator;
}

int weft__fail(enum weft__fail_kind kind) {
    (void)kind;
    return 0;
}

size_t weft__pages_size(void) {
    return 4096;
}

int weft__pages_reserve(size_t size, void **ret_base) {
    *ret_base = explore_pages_take(size);
    return *ret_base ? 0 : -ENOMEM;
}

void weft__pages_release(void *base, size_t size) {
    (void)base, (void)size;
}

void weft__pages_discard(void *base, size_t size) {
    (void)base, (void)size;
}

enum weft__guard weft__pages_guard_probe(void) {
    return WEFT__GUARD_INSTALL;
}

int weft__pages_guard(void *base, size_t size, enum weft__guard method) {
    (void)base, (void)size, (void)method;
    return 0;
}

void weft__pages_guards_gone(size_t count, enum weft__guard method) {
    (void)count, (void)method;
}

// ---- Locks ----------------------------------------------------------------------------------

static void check_name(const void *self, const char *site) {
    if (self && self != weft__this_worker())
        explore_fail("%s: by another thread's name", site);
}

void explore_biased_lock(uint32_t *word, const void *self, const char *site) {
    check_name(self, site);
    explore_lock(word, site);
}

bool explore_biased_try(uint32_t *word, const void *self, const char *site) {
    check_name(self, site);
    return explore_lock_try(word, site);
}

#pragma weak weft__heavy_barrier_ask // the real lock's, where that is explored
void weft__heavy_barrier_ask(void) {}

// ---- Threads --------------------------------------------------------------------------------

int weft__os_thread_create(struct weft__os_thread *ret_thread, const char *name, void (*fn)(void *),
                           void *arg) {
    *ret_thread = (struct weft__os_thread){.words = {(uint64_t)explore_spawn(name, fn, arg), 1}};
    return 0;
}

void weft__os_thread_join(struct weft__os_thread *thread) {
    explorer->current->awaited = (int)thread->words[0];
    explore_block(WAIT_END, NULL, INT64_MAX, EXPLORE_SITE("weft__os_thread_join"));
    explore_synchronize(explorer->current, &explorer->threads[thread->words[0]]);
}

void weft__os_yield(void) {
    explore_trace("gives way");
    explore_poll(WAIT_CHANGE, EXPLORE_SITE("weft__os_yield"));
    explore_look_again();
}

uint32_t weft__os_cpu_count(void) {
    return 1; // workers, unless a case asks for more
}

int weft__os_at_thread_exit(void (*fn)(void *), void *arg) {
    explorer->current->at_exit = fn;
    explorer->current->exit_arg = arg;
    return 0;
}

int weft__os_at_fork_child(void (*fn)(void)) {
    (void)fn;
    return 0;
}

int weft__os_at_exit(void (*fn)(void)) {
    (void)fn;
    return 0;
}

// ---- The futex ------------------------------------------------------------------------------

void weft__futex_wait(uint32_t *word, uint32_t expected, int64_t until_ns) {
    explore_step(EXPLORE_SITE("futex_wait compares"));
    bool is_refused = explore_futex_look(word) != expected;
    explore_trace("futex_wait%s", is_refused ? " refuses to wait" : "");
    if (is_refused)
        return;
    struct thread *self = explorer->current;
    self->is_signalled = false;
    self->ticket = ++explorer->tickets;
    explore_block(WAIT_SIGNAL, word, until_ns, EXPLORE_SITE("futex_wait"));
}

void weft__futex_wake(uint32_t *word, uint32_t count) {
    explore_step(EXPLORE_SITE("futex_wake"));
    (void)explore_futex_look(word);
    for (; count > 0; count--) {
        struct thread *first = NULL;
        for (int i = 0; i < explorer->thread_count; i++) {
            struct thread *thread = &explorer->threads[i];
            bool is_waiting = thread->wait == WAIT_SIGNAL && thread->place == word;
            if (is_waiting && !thread->is_signalled && (!first || thread->ticket < first->ticket))
                first = thread;
        }
        explore_trace("futex_wake of %s", first ? first->name : "nobody");
        if (!first)
            return;
        first->is_signalled = true;
        first->hash = explore_mix(first->hash, explorer->current->hash);
    }
}

// ---- The rest of os.h -----------------------------------------------------------------------

// For who looks at it until it has moved on: with each look it does, for that thread. What drivers
// say moves only in waits.
int64_t weft__clock_monotonic_ns(void) {
    return explorer->now_ns + LOOK_NS * ++explorer->current->clock_looks;
}

const char *weft__env(const char *name) {
    (void)name;
    return NULL;
}

void weft__log_to(weft__log_sink *sink, void *context) {
    (void)sink, (void)context;
}

void weft__log(enum weft__log_level level, const char *format, ...) {
    (void)level, (void)format;
}

void weft__signals_give_back(void) {}

void weft__signals_end(void) {}

void weft__monitor_start(struct weft__runtime *runtime, int64_t patience_ns, bool has_sink) {
    (void)runtime, (void)patience_ns, (void)has_sink;
}

void weft__monitor_rouse(struct weft__runtime *runtime) {
    (void)runtime;
}

void weft__monitor_end(struct weft__runtime *runtime) {
    (void)runtime;
}

int weft__dump_on_quit_start(void) {
    return 0;
}

void weft__dump_on_quit_end(void) {}

bool weft__symbol_is_code(uintptr_t address) {
    (void)address;
    return false;
}

void weft__symbol_put_caller(struct weft__text *text, uintptr_t address) {
    weft__symbol_put(text, address);
}

void weft__symbol_put(struct weft__text *text, uintptr_t address) {
    (void)text, (void)address;
}

uint32_t weft__os_thread_id(void) {
    return (uint32_t)(explorer->current - explorer->threads) + 1;
}

size_t weft__look_calls(uintptr_t pc, uintptr_t sp, uintptr_t top, uintptr_t *ret_calls,
                        size_t capacity) {
    (void)pc, (void)sp, (void)top, (void)ret_calls, (void)capacity;
    return 0;
}

size_t weft__look_calls_running(uint32_t thread_id, uintptr_t *ret_calls, size_t capacity) {
    (void)thread_id, (void)ret_calls, (void)capacity;
    return 0;
}

size_t weft__look_own_calls(size_t skipped, uintptr_t *ret_calls, size_t capacity) {
    (void)skipped, (void)ret_calls, (void)capacity;
    return 0;
}

void weft__look_put_calls(struct weft__text *text, const uintptr_t *calls, size_t count) {
    (void)text, (void)calls, (void)count;
}

void weft__fault_watch(weft__fault_describe *describe) {
    (void)describe;
}

void weft__fault_unwatch(void) {}

int weft__fault_stack_give(void **ret_stack) {
    *ret_stack = NULL;
    return 0;
}

void weft__fault_stack_take(void *stack) {
    (void)stack;
}

// ---- The driver -----------------------------------------------------------------------------

struct driver {
    struct weft__driver driver;
    uint32_t is_woken; // atomic
};

static struct driver *driver_of(struct weft__driver *d) {
    return (struct driver *)d;
}

static void driver_stop(struct weft__driver *d) {
    ASSERT(d->pending == 0);
    weft__free(d);
}

static int64_t driver_try(struct weft__driver *d, struct weft__op *op) {
    (void)d, (void)op;
    return -EAGAIN;
}

static int driver_submit(struct weft__driver *d, struct weft__op *op) {
    d->pending++;
    op->is_pending = true;
    return 0;
}

static void driver_cancel(struct weft__driver *d, struct weft__op *op) {
    d->pending--;
    op->is_pending = false;
    op->result = -ECANCELED;
    op->done(op);
}

static void driver_wait(struct weft__driver *d, int64_t until_ns) {
    uint32_t *is_woken = &driver_of(d)->is_woken;
    if (until_ns > explorer->now_ns)
        explore_block(WAIT_SET, is_woken, until_ns, EXPLORE_SITE("driver->wait"));
    else
        explore_poll(WAIT_NONE, EXPLORE_SITE("driver->wait looks"));
    explore_take_wake(is_woken, EXPLORE_SITE("driver->wait returns"));
}

static void driver_wake(struct weft__driver *d) {
    (void)weft__exchange(&driver_of(d)->is_woken, 1, acq_rel);
}

static int64_t driver_now(struct weft__driver *d, enum weft__clock clock) {
    (void)d, (void)clock;
    explorer->current->hash = explore_mix(explorer->current->hash, (uint64_t)explorer->now_ns);
    return explorer->now_ns;
}

static int64_t driver_ctl(struct weft__driver *d, struct weft__ctl *ctl) {
    (void)d, (void)ctl;
    return 0;
}

static const struct weft__driver_class driver_class = {
    .name = "explore",
    .stop = driver_stop,
    .try = driver_try,
    .submit = driver_submit,
    .cancel = driver_cancel,
    .wait = driver_wait,
    .wake = driver_wake,
    .now = driver_now,
    .ctl = driver_ctl,
    .is_virtual = true, // so that there is no pool for weft_blocking
};

struct weft__driver *explore_driver(void) {
    struct driver *driver = weft__alloc_lasting(sizeof *driver);
    driver->driver.class = &driver_class;
    return &driver->driver;
}

int weft__thread_start(struct weft__driver **ret_driver, const char **ret_why) {
    (void)ret_why;
    *ret_driver = explore_driver();
    return 0;
}

int weft__driver_start(const char *name, struct weft__driver **ret_driver, char *note,
                       size_t note_size) {
    (void)name, (void)note, (void)note_size;
    *ret_driver = explore_driver();
    return 0;
}

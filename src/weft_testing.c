// SPDX-License-Identifier: MIT
//
// What weft_testing.h promises: doors into the library for its own tests. Nothing here changes what
// the library does until a test opens one.
#include "weft_testing.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/handle.h"
#include "task/runtime.h"

#include <errno.h>
#include <string.h>
#include <weft/io.h>
#include <weft/task.h>

int weft__testing_start(const char *driver, uint64_t seed) {
    if (strcmp(driver, "thread") == 0)
        return 0;
    if (strcmp(driver, "sim") != 0)
        return weft_start((&(weft_options){.driver = driver}));
    struct weft__waiter *self = weft__self();
    struct weft__driver *sim;
    int error = self ? weft__sim_start(seed, &sim, NULL) : -ENOMEM;
    return error < 0 ? error : weft__runtime_start_on(self, sim);
}

int weft__testing_waiting(int handle, int direction) {
    return weft__handle_waiting(handle,
                                direction == WEFT_READ ? WEFT__SIDE_READ : WEFT__SIDE_WRITE);
}

static struct weft__worker *worker(void) {
    struct weft__runtime *runtime = weft__runtime_now();
    return runtime ? runtime->workers[0] : NULL;
}

size_t weft__testing_parked_tasks(void) {
    struct weft__worker *w = worker();
    if (!w)
        return 0;
    size_t living = weft__load(&w->runtime->living, seq_cst);
    size_t running = w->current && !w->current->waiter.is_thread;
    size_t ready = w->ready_count + w->unstarted_count + running;
    return living > ready ? living - ready : 0;
}

static const struct {
    const char *name;
    enum weft__fail_kind kind;
} kinds[] = {
    {"alloc", WEFT__FAIL_ALLOC},     {"pages", WEFT__FAIL_PAGES},
    {"thread", WEFT__FAIL_THREAD},   {"read", WEFT__FAIL_READ},
    {"write", WEFT__FAIL_WRITE},     {"recvmsg", WEFT__FAIL_RECVMSG},
    {"sendmsg", WEFT__FAIL_SENDMSG}, {"accept", WEFT__FAIL_ACCEPT},
    {"connect", WEFT__FAIL_CONNECT}, {"ready", WEFT__FAIL_READY},
    {"resolve", WEFT__FAIL_RESOLVE}, {"ctl", WEFT__FAIL_CTL},
};

int weft__testing_fail(const char *kind, uint64_t n, int every, int error) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i].name) == 0) {
            weft__fail_arm(kinds[i].kind, n, every, error);
            return 0;
        }
    }
    return -EINVAL;
}

void weft__testing_fail_none(void) {
    weft__fail_disarm();
}

void weft__testing_left(struct weft__testing_left *ret_left) {
    struct weft__worker *w = worker();
    *ret_left = (struct weft__testing_left){.handles = weft__handles_open()};
    if (!w)
        return;
    ret_left->tasks = weft__load(&w->runtime->living, seq_cst);
    ret_left->operations = w->driver->pending;
    ret_left->stacks = w->stacks.in_use;
}

uint64_t weft__testing_requests(uint8_t opcode) {
    struct weft__worker *w = worker();
    return w ? w->driver->stats.sqe[opcode] : 0;
}

uint64_t weft__testing_trace_hash(void) {
    struct weft__worker *w = worker();
    if (!w || strcmp(w->driver->class->name, "sim") != 0)
        return 0;
    return weft__sim_trace_hash(w->driver);
}

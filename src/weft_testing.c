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
#include <weft/task.h>

int weft__testing_start(const char *driver, uint64_t seed) {
    if (strcmp(driver, "thread") == 0)
        return 0;
    if (strcmp(driver, "sim") != 0)
        return weft_start((&(weft_options){.driver = driver}));
    return weft__testing_start_workers(seed, 1);
}

int weft__testing_start_workers(uint64_t seed, unsigned workers) {
    struct weft__waiter *self = weft__self();
    struct weft__driver *sim;
    int error = self ? weft__sim_start(seed, &sim, NULL) : -ENOMEM;
    return error < 0 ? error : weft__runtime_start_on(self, sim, workers);
}

int weft__testing_fail(const char *kind, uint64_t n, int every, int error) {
    int found = weft__fail_find(kind);
    if (found < 0)
        return found;
    weft__fail_arm((enum weft__fail_kind)found, n, every, error);
    return 0;
}

void weft__testing_fail_none(void) {
    weft__fail_disarm();
}

void weft__testing_left(struct weft__testing_left *ret_left) {
    struct weft__runtime *runtime = weft__runtime_now();
    *ret_left = (struct weft__testing_left){.handles = weft__handles_open()};
    if (!runtime)
        return;
    ret_left->tasks = weft__runtime_living(runtime);
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        ret_left->operations += weft__load(&runtime->workers[i]->driver->pending, relaxed);
        ret_left->stacks += weft__load(&runtime->workers[i]->stacks.in_use, relaxed);
    }
}

uint64_t weft__testing_requests(uint8_t opcode) {
    struct weft__runtime *runtime = weft__runtime_now();
    uint64_t count = 0;
    for (uint32_t i = 0; runtime && i < runtime->worker_count; i++)
        count += weft__load(&runtime->workers[i]->driver->stats.sqe[opcode], relaxed);
    return count;
}

uint64_t weft__testing_trace_hash(void) {
    struct weft__runtime *runtime = weft__runtime_now();
    struct weft__driver *driver = runtime ? runtime->workers[0]->driver : NULL;
    return driver && strcmp(driver->class->name, "sim") == 0 ? weft__sim_trace_hash(driver) : 0;
}

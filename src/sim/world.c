// SPDX-License-Identifier: MIT
//
// One run from its start to its end.
#include "sim/world.h"

#include "base/rng.h"
#include "base/text.h"
#include "task/handle.h"
#include "task/runtime.h"

#include <errno.h>
#include <string.h>
#include <weft/debug.h>

enum { STDERR = 2, CHAOS_WORKERS = 4 };

struct weft__world weft__world;

bool weft__world_is(const weft_sim *sim) {
    return sim && weft__world.sim == sim;
}

// ---- A run ----------------------------------------------------------------------------------

static void on_deadlock(struct weft__driver *driver, const char *report) {
    (void)driver;
    (void)weft_dump(STDERR);
    weft__report_failure(report);
}

static void check_none_left(size_t left, const char *thing) {
    char what[96];
    struct weft__text text;
    weft__text_init(&text, what, sizeof what);
    weft__text_putf(&text, "%zu %s%s still open after all programs have ended", left, thing,
                    left == 1 ? " is" : "s are");
    if (left > 0)
        weft__report_failure(what);
}

// A descriptor without a handle is the library's fault, not the program's.
static void check_leaks(void) {
    check_none_left(weft__handles_open() - weft__world.handles_before, "handle");
    check_none_left(weft__sim_descriptors(weft__world.driver), "descriptor");
}

// What a link does wrong is among the faults (weft__faults_set), as it may be limited and drawn.
static int read_link(const weft_sim *options, struct weft__sim_link *ret_link) {
    const weft_sim_link_options link = {
        .latency_ns = options->latency_ns,
        .jitter_ns = options->jitter_ns,
        .bytes_per_second = options->bytes_per_second,
        .mtu_bytes = options->mtu_bytes,
    };
    return weft__link_read(&link, ret_link);
}

static int read_options(const weft_sim *options, struct weft__sim_link *ret_link,
                        uint64_t *ret_seed, uint64_t *ret_faults) {
    if (options->workers < 0 || options->workers > WEFT__WORKERS_MAX)
        return weft__sim_refused("workers", "from 1 to 1024, or 0");
    if (read_link(options, ret_link) < 0)
        return weft__sim_refused("link",
                                 "latency and jitter are up to an hour, the MTU is from 576 "
                                 "to 65536 bytes");
    int error = weft__report_seed(options->seed, ret_seed);
    if (error == 0)
        error = weft__faults_read(options, ret_faults);
    return error == 0 ? weft__fail_read(options) : error;
}

// Of the seed alone: they stay as they are when faults are left out to find which of them matter.
static uint32_t workers_of(const weft_sim *options, uint64_t seed) {
    if (options->workers > 0)
        return (uint32_t)options->workers;
    return options->chaos ? 1 + (uint32_t)(weft__mix64(seed) % CHAOS_WORKERS) : 1;
}

static int start(struct weft__waiter *self, const weft_sim *options,
                 const struct weft__sim_link *link, uint64_t seed, uint64_t faults) {
    struct weft__driver *driver;
    int error = weft__sim_start(seed, &driver, NULL);
    if (error < 0)
        return error;
    error = weft__report_watch(driver);
    if (error < 0) {
        driver->class->stop(driver);
        return error;
    }
    weft__sim_link_all(driver, link);
    weft__faults_set(driver, options, faults);
    error = weft__runtime_start_on(self, driver, workers_of(options, seed)); // takes the driver
    if (error < 0)
        return error;
    weft__world.driver = driver;
    weft__world.seed = seed;
    weft__world.handles_before = weft__handles_open();
    weft__list_init(&weft__world.hosts);
    weft__list_init(&weft__world.blocks);
    weft__world.has_crashed = weft__world.is_ending = false;
    return 0;
}

int weft_priv_sim_run(size_t size, weft_sim *sim, int (*fn)(weft_sim *sim, void *arg), void *arg) {
    struct weft__waiter *self = weft__self();
    weft_sim options = {0};
    struct weft__sim_link link;
    uint64_t seed = 0, faults = 0;
    if (!self)
        return -ENOMEM;
    if (self->worker || weft__world.sim)
        return (int)weft__failed_text(self, "sim_run", "", "a runtime runs: weft_stop ends it",
                                      -EALREADY);
    if (sim)
        memcpy(&options, sim, size < sizeof options ? size : sizeof options);
    if (!sim || !fn)
        return weft__sim_refused("", "the options or fn are NULL");
    int error = read_options(&options, &link, &seed, &faults);
    if (error < 0)
        return error;
    error = start(self, &options, &link, seed, faults);
    if (error < 0)
        return error;
    weft__report_begin();
    weft__sim_deadlock = on_deadlock;
    weft__world.sim = sim;
    weft__store(&weft__threads_barred, 1, relaxed);
    weft__fail_begin(&options);
    error = weft__accidents_begin();
    int result = error < 0 ? error : fn(sim, arg);
    weft__accidents_end();
    int program_result = weft__hosts_end();
    weft__fail_end();
    weft__hosts_bury();
    result = result != 0 ? result : program_result;
    check_leaks();
    weft__report_end(result);
    weft__store(&weft__threads_barred, 0, relaxed);
    weft__sim_deadlock = NULL;
    weft__world.sim = NULL;
    (void)weft_stop(INT64_MAX);
    weft__hosts_free();
    weft__world_free();
    return result;
}

// ---- The state of a run ---------------------------------------------------------------------

uint64_t weft_sim_step(weft_sim *sim) {
    return weft__world_is(sim) ? weft__sim_steps(weft__world.driver) : 0;
}

uint64_t weft_sim_hash(weft_sim *sim) {
    return weft__world_is(sim) ? weft__sim_trace_hash(weft__world.driver) : 0;
}

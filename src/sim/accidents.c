// SPDX-License-Identifier: MIT
//
// Accidents: what strikes whole hosts by chance. The driver says when (weft__sim_accident), a task
// of its own makes it happen, and ends it after a while. One at a time: meanwhile the driver is
// told of nobody who listens.
#include "sim/world.h"

#include "task/park.h"

#include <weft/task.h>

static struct {
    weft_scope scope;
    struct weft__waiter *waiter;
    bool is_asked;
    enum weft__sim_fault fault;
    uint32_t from, to;
    int64_t ns;
} accident;

// Called by the driver, perhaps inside a wait of the task's own worker, which has to end then.
static void on_accident(enum weft__sim_fault fault, uint32_t from, uint32_t to, int64_t ns) {
    weft__sim_accident = NULL;
    accident.fault = fault;
    accident.from = from;
    accident.to = to;
    accident.ns = ns;
    accident.is_asked = true;
    weft__unpark(accident.waiter);
    accident.waiter->driver->class->wake(accident.waiter->driver);
}

// By chance in one direction, the other, or both.
static void cut(bool is_cut) {
    int64_t ways = accident.ns % 3;
    if (ways != 0)
        weft__sim_storm(weft__world.driver, accident.from, accident.to, is_cut);
    if (ways != 1)
        weft__sim_storm(weft__world.driver, accident.to, accident.from, is_cut);
}

static void jump(const struct weft__world_host *host) {
    const int64_t scale = 360; // 10 s to an hour
    int64_t ns = accident.ns * scale;
    (void)weft_sim_jump_clock(weft__world.sim, host->name, accident.ns % 2 ? ns : -ns);
}

static void begin(struct weft__world_host *host) {
    if (accident.fault == WEFT__SIM_PARTITIONS)
        cut(true);
    else if (accident.fault == WEFT__SIM_PAUSES && !host->is_down)
        weft__host_still(host, WEFT__STILL_BY_ACCIDENT, true);
    else if (accident.fault == WEFT__SIM_CRASHES)
        weft__host_crash(host, accident.waiter);
    else if (accident.fault == WEFT__SIM_CLOCK_JUMPS)
        jump(host);
}

// What the program has done with the host meanwhile is left as it is. One that cannot start for
// want of memory stays down.
static void end(struct weft__world_host *host) {
    if (accident.fault == WEFT__SIM_PARTITIONS)
        cut(false);
    else if (accident.fault == WEFT__SIM_PAUSES)
        weft__host_still(host, WEFT__STILL_BY_ACCIDENT, false);
    else if (accident.fault == WEFT__SIM_CRASHES && host->is_down)
        (void)weft__host_restart(host, accident.waiter);
}

static void happen(struct weft__world_host *host) {
    begin(host);
    if (accident.fault != WEFT__SIM_CLOCK_JUMPS)
        (void)weft_sleep(accident.ns);
    end(host);
}

static int make_accidents(void *unused) {
    struct weft__waiter *self = accident.waiter = weft__self();
    (void)unused;
    while (weft__interrupted(self) == 0) {
        weft__sim_accident = on_accident;
        weft__waits(self, "an accident", 0, NULL);
        while (!accident.is_asked && weft__interrupted(self) == 0)
            weft__park(self, INT64_MAX);
        if (!accident.is_asked)
            break;
        happen(weft__world_at(accident.to));
        accident.is_asked = false;
    }
    weft__sim_accident = NULL;
    return 0;
}

static bool has_any(void) {
    for (int fault = WEFT__SIM_PARTITIONS; fault <= WEFT__SIM_CRASHES; fault++)
        if (weft__sim_fault_rate(weft__world.driver, (enum weft__sim_fault)fault) > 0)
            return true;
    return false;
}

int weft__accidents_begin(void) {
    accident.is_asked = false;
    if (!has_any())
        return 0;
    return weft_go_with(&accident.scope, make_accidents, NULL,
                        &(weft_task_options){.name = "accidents"});
}

// Before the programs end: what it has begun it ends.
void weft__accidents_end(void) {
    weft_cancel(&accident.scope);
    (void)weft_join(&accident.scope);
}

// SPDX-License-Identifier: MIT
//
// Hosts that stand still, crash, and start again.
#include "sim/world.h"

#include "task/freeze.h"
#include "task/handle.h"
#include "task/park.h"

#include <errno.h>

// ---- Standing still -------------------------------------------------------------------------

void weft__host_still(struct weft__world_host *host, unsigned by, bool is_still) {
    unsigned before = host->stills;
    host->stills = is_still ? before | by : before & ~by;
    if (!before == !host->stills)
        return;
    weft__sim_note(weft__world.driver, host->number, is_still ? "stands still" : "goes on");
    if (is_still)
        weft__freeze(host->number);
    else
        weft__thaw(host->number);
}

// The host of that name, and the caller: 0, -ENOENT, or -EDEADLK when it is the caller's own.
static int find_other(weft_sim *sim, const char *name, struct weft__world_host **ret_host,
                      struct weft__waiter **ret_self) {
    *ret_self = weft__self();
    *ret_host = weft__world_is(sim) && name && *ret_self ? weft__world_find(name) : NULL;
    if (!*ret_host)
        return -ENOENT;
    return (*ret_self)->host == (*ret_host)->number ? -EDEADLK : 0;
}

int weft_sim_pause(weft_sim *sim, const char *name) {
    struct weft__world_host *host;
    struct weft__waiter *self;
    int error = find_other(sim, name, &host, &self);
    if (error == 0 && host->is_down)
        error = -EHOSTDOWN;
    if (error == 0)
        weft__host_still(host, WEFT__STILL_BY_PROGRAM, true);
    return error;
}

int weft_sim_resume(weft_sim *sim, const char *name) {
    struct weft__world_host *host;
    struct weft__waiter *self;
    int error = find_other(sim, name, &host, &self);
    if (error == 0)
        weft__host_still(host, WEFT__STILL_BY_PROGRAM, false);
    return error;
}

// ---- Crashing -------------------------------------------------------------------------------

static bool is_its(int fd, const void *host) {
    return weft__sim_host_of_fd(weft__world.driver, fd) == (int)*(const uint32_t *)host;
}

// First nobody runs any more, then nothing knows of it: wakes and results that still come are for
// tasks that never look.
void weft__host_crash(struct weft__world_host *host, struct weft__waiter *self) {
    bool is_own = self->host == host->number;
    if (host->is_down)
        return;
    weft__sim_note(weft__world.driver, host->number, "crashes");
    if (host->stills == 0)
        weft__freeze(host->number);
    weft__frozen_lose(host->number, &host->scope);
    weft__handles_abandon(is_its, &host->number);
    weft__sim_host_down(weft__world.driver, host->number);
    host->stills = 0;
    host->is_down = weft__world.has_crashed = true;
    host->boots++;
    weft__host_tell(host);
    if (!is_own)
        return;
    for (;;) // it is lost, whatever wakes it
        weft__park(self, INT64_MAX);
}

int weft_sim_crash(weft_sim *sim, const char *name) {
    struct weft__world_host *host;
    struct weft__waiter *self;
    int error = find_other(sim, name, &host, &self);
    if (error == -ENOENT)
        return error;
    weft__host_crash(host, self);
    return 0;
}

// A program that has ended may have been cancelled before, and its host paused since.
int weft__host_restart(struct weft__world_host *host, struct weft__waiter *self) {
    if (weft__world.is_ending)
        return -ECANCELED;
    if (!host->is_over && !host->is_down)
        weft__host_crash(host, self);
    weft__host_still(host, host->stills, false);
    weft__scope_renew(&host->scope);
    int error = weft__host_start(host, self);
    if (error < 0)
        return error;
    weft__sim_note(weft__world.driver, host->number, "starts again");
    if (host->is_down)
        weft__sim_host_up(weft__world.driver, host->number);
    host->is_over = host->is_down = false;
    host->result = 0;
    return 0;
}

int weft_sim_restart(weft_sim *sim, const char *name) {
    struct weft__world_host *host;
    struct weft__waiter *self;
    int error = find_other(sim, name, &host, &self);
    return error == 0 ? weft__host_restart(host, self) : error;
}

int weft_sim_is_down(weft_sim *sim, const char *name) {
    const struct weft__world_host *host = name ? weft__world_find(name) : NULL;
    return weft__world_is(sim) && host ? host->is_down : -ENOENT;
}

void weft__hosts_bury(void) {
    if (!weft__world.has_crashed)
        return;
    weft__sim_abandon(weft__world.driver);
    weft__handles_discard();
    weft__frozen_free();
}

// ---- Clocks ---------------------------------------------------------------------------------

// A clock is never further from the world's than so much, which leaves room for sums.
static const int64_t JUMP_MAX_NS = INT64_MAX / 4;

static bool can_jump(const struct weft__world_host *host, int64_t ns) {
    int64_t off_ns = weft__sim_wall_off(weft__world.driver, host->number);
    return ns >= -JUMP_MAX_NS && ns <= JUMP_MAX_NS && off_ns + ns >= -JUMP_MAX_NS &&
           off_ns + ns <= JUMP_MAX_NS;
}

int weft_sim_jump_clock(weft_sim *sim, const char *name, int64_t ns) {
    struct weft__list *hosts = &weft__world.hosts;
    if (!weft__world_is(sim) || (name && !weft__world_find(name)))
        return -ENOENT;
    for (struct weft__list *i = weft__list_first(hosts); i; i = weft__list_next(hosts, i)) {
        struct weft__world_host *host = WEFT__CONTAINER(i, struct weft__world_host, link);
        if (weft__is_meant(host, name) && !can_jump(host, ns))
            return -EINVAL;
    }
    for (struct weft__list *i = weft__list_first(hosts); i; i = weft__list_next(hosts, i)) {
        struct weft__world_host *host = WEFT__CONTAINER(i, struct weft__world_host, link);
        if (weft__is_meant(host, name))
            weft__sim_jump(weft__world.driver, host->number, ns);
    }
    return 0;
}

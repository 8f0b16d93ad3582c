// SPDX-License-Identifier: MIT
// Fronts: the drivers that share one simulated machine, and the thread. Which of them goes on is by
// seed, among those whose wait can end; only when no wait can end does time move (sim.c).
// Not here: changing from one to the other, which their user does (weft__relay).
#include "driver/sim_net.h"
#include "os/os.h"

static struct weft__sim_front *front_in(struct weft__list *link) {
    return WEFT__CONTAINER(link, struct weft__sim_front, link);
}

void weft__sim_front_add(struct weft__sim *sim, struct weft__sim_front *front) {
    front->number = sim->front_count++;
    front->sim = sim;
    weft__list_init(&front->finished);
    weft__list_push_back(&sim->fronts, &front->link);
}

int weft__sim_beside(struct weft__driver *d, weft__relay *relay, struct weft__driver **ret_driver) {
    struct weft__sim *sim = weft__sim_of(d);
    struct weft__sim_front *front = weft__alloc(sizeof *front);
    if (front == NULL)
        return -ENOMEM;
    front->driver.class = d->class;
    sim->relay = relay;
    weft__sim_front_add(sim, front);
    *ret_driver = &front->driver;
    return 0;
}

static bool can_go_on(struct weft__sim_front *front) {
    return front->is_busy || !weft__list_is_empty(&front->finished) ||
           weft__load(&front->is_woken, acquire) != 0 ||
           weft__sim_now(front->sim) >= front->until_ns;
}

// The n-th of those that can, from 0; NULL: there are no more than *ret_count.
static struct weft__sim_front *find(struct weft__sim *sim, uint64_t n, uint64_t *ret_count) {
    *ret_count = 0;
    for (struct weft__list *link = weft__list_first(&sim->fronts); link != NULL;
         link = weft__list_next(&sim->fronts, link))
        if (can_go_on(front_in(link)) && (*ret_count)++ == n)
            return front_in(link);
    return NULL;
}

bool weft__sim_is_shared(const struct weft__sim *sim) {
    return weft__list_first(&sim->fronts) != weft__list_last(&sim->fronts);
}

// With one front alone there is nothing to choose, and nothing is drawn.
struct weft__sim_front *weft__sim_front_pick(struct weft__sim *sim) {
    uint64_t count;
    (void)find(sim, UINT64_MAX, &count);
    if (count == 0)
        return NULL;
    uint64_t choice = count > 1 ? weft__rng_below(&sim->scheduler, count) : 0;
    struct weft__sim_front *front = find(sim, choice, &count);
    if (weft__sim_is_shared(sim))
        weft__sim_trace(sim, WEFT__SIM_TRACE_FRONT, front->number, 0);
    return front;
}

int64_t weft__sim_front_until(const struct weft__sim *sim, int64_t until_ns) {
    for (struct weft__list *link = weft__list_first(&sim->fronts); link != NULL;
         link = weft__list_next(&sim->fronts, link))
        if (front_in(link)->until_ns < until_ns)
            until_ns = front_in(link)->until_ns;
    return until_ns;
}

size_t weft__sim_pending(const struct weft__sim *sim) {
    size_t sum = 0;
    for (struct weft__list *link = weft__list_first(&sim->fronts); link != NULL;
         link = weft__list_next(&sim->fronts, link))
        sum += front_in(link)->driver.pending;
    return sum;
}

uint64_t weft__sim_completions(const struct weft__sim *sim) {
    uint64_t sum = 0;
    for (struct weft__list *link = weft__list_first(&sim->fronts); link != NULL;
         link = weft__list_next(&sim->fronts, link))
        sum += front_in(link)->driver.stats.completions;
    return sum;
}

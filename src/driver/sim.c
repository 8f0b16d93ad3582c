// SPDX-License-Identifier: MIT
// The simulated driver: hosts and a network in memory, whose time is virtual and whose every choice
// comes from a seed. This file is the driver itself: start and stop, time and events, choices, the
// trace. What is on the hosts and between them is in the other sim_*.c (see sim_net.h).
#include "driver/sim.h"

#include "base/text.h"
#include "driver/sim_net.h"
#include "os/os.h"

#include <inttypes.h>

static const int64_t START_NS = 1000000000;                    // the monotonic clock at start
static const int64_t WALL_START_NS = 1767225600 * 1000000000L; // 2026-01-01 00:00:00 UTC

// One random stream each, by its number behind the seed: a new draw for a latency leaves the order
// of tasks as it was, which keeps a shrunk failure a failure.
enum { STREAM_NETWORK = 1, STREAM_SCHEDULER, STREAM_APPLICATION, STREAM_CHANCE };

// One in so many turns of a worker is longer than one pick: else the others would seldom get in
// between two steps of a task.
enum { LONG_EVERY = 4 };

// One for the process, since it is a choice of the program's and not of one simulation.
void (*weft__sim_deadlock)(struct weft__driver *d, const char *report);

// ---- Time, events, trace ----

int64_t weft__sim_now(struct weft__sim *sim) {
    return weft__load(&sim->now, relaxed);
}

// An event has one place: setting it again moves it.
void weft__sim_set(struct weft__sim *sim, struct weft__sim_event *event, int64_t at_ns) {
    weft__heap_remove(&sim->events, &event->node);
    weft__heap_insert(&sim->events, &event->node, at_ns);
}

void weft__sim_unset(struct weft__sim *sim, struct weft__sim_event *event) {
    weft__heap_remove(&sim->events, &event->node);
}

bool weft__sim_is_set(const struct weft__sim_event *event) {
    return weft__heap_is_linked(&event->node);
}

// A chain of a one-to-one scattering, so that order counts and no event can undo another.
void weft__sim_trace(struct weft__sim *sim, enum weft__sim_trace what, int64_t who, int64_t size) {
    const uint64_t words[] = {(uint64_t)what, (uint64_t)who, (uint64_t)size,
                              (uint64_t)weft__sim_now(sim)};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        sim->hash = weft__mix64(sim->hash ^ words[i]);
    sim->steps++;
}

uint64_t weft__sim_steps(struct weft__driver *d) {
    return weft__sim_of(d)->steps;
}

int64_t weft__sim_elapsed(struct weft__driver *d) {
    return weft__sim_now(weft__sim_of(d)) - START_NS;
}

uint64_t weft__sim_trace_hash(struct weft__driver *d) {
    return weft__sim_of(d)->hash;
}

// All that is due now, also what these events add for this very moment, in the order in which it
// was set: two packets of one pipe never overtake each other.
static void fire_due(struct weft__sim *sim) {
    struct weft__heap_node *node;
    while ((node = weft__heap_min(&sim->events)) != NULL && node->key <= weft__sim_now(sim)) {
        struct weft__sim_event *event = WEFT__CONTAINER(node, struct weft__sim_event, node);
        weft__heap_remove(&sim->events, node);
        event->fire(sim, event);
    }
}

// ---- Waiting ----

static const char *const kinds[] = {
    [WEFT__OP_READ] = "read",       [WEFT__OP_WRITE] = "write",     [WEFT__OP_RECVMSG] = "recvmsg",
    [WEFT__OP_SENDMSG] = "sendmsg", [WEFT__OP_ACCEPT] = "accept",   [WEFT__OP_CONNECT] = "connect",
    [WEFT__OP_READY] = "ready",     [WEFT__OP_RESOLVE] = "resolve",
};

static void report_queue(struct weft__text *text, const struct weft__sim_socket *s,
                         const struct weft__sim_queue *queue) {
    for (struct weft__list *link = weft__list_first(&queue->ops); link != NULL;
         link = weft__list_next(&queue->ops, link)) {
        const struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        weft__text_putf(text, "; %s on descriptor %d", kinds[op->kind], s->fd);
    }
}

// Nothing can happen any more, unless another thread says so; and in a simulation there is none.
static void report_deadlock(struct weft__sim *sim) {
    char buf[480];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    int64_t elapsed_ns = weft__sim_now(sim) - START_NS;
    weft__text_putf(&text,
                    "simulation: nothing can run and no timer is set (deadlock) at virtual time "
                    "%" PRId64 ".%09" PRId64 " s, seed %" PRIu64 ", %zu operations wait",
                    elapsed_ns / 1000000000, elapsed_ns % 1000000000, sim->seed,
                    weft__sim_pending(sim));
    for (struct weft__list *link = weft__list_first(&sim->sockets); link != NULL;
         link = weft__list_next(&sim->sockets, link)) {
        const struct weft__sim_socket *s = WEFT__CONTAINER(link, struct weft__sim_socket, link);
        report_queue(&text, s, &s->readers);
        report_queue(&text, s, &s->writers);
        report_queue(&text, s, &s->watchers);
    }
    if (weft__sim_deadlock == NULL)
        PANIC("%s", buf);
    weft__sim_deadlock(&sim->front.driver, buf);
}

// Moves the clock to whatever comes next. False: nothing ever will.
static bool advance(struct weft__sim *sim) {
    struct weft__heap_node *node = weft__heap_min(&sim->events);
    int64_t next_ns = weft__sim_front_until(sim, node != NULL ? node->key : INT64_MAX);
    if (next_ns == INT64_MAX)
        return false;
    weft__store(&sim->now, next_ns, relaxed);
    return true;
}

// Lets the machine live until a front can go on. If that is another one, this goes on when it is
// its turn again.
static void live(struct weft__sim_front *front) {
    struct weft__sim *sim = front->sim;
    struct weft__sim_front *next;
    do {
        fire_due(sim);
        front->is_busy |= weft__sim_serve(front);
        next = weft__sim_front_pick(sim);
    } while (next == NULL && advance(sim));
    if (next == NULL)
        report_deadlock(sim);
    if (next == NULL || next == front)
        return;
    sim->relay(&front->driver, &next->driver);
    weft__op_deliver_all(&front->driver, &front->finished);
}

// A wake pairs with what its sender wrote before: hence acquire here, release in `wake`.
static void sim_wait(struct weft__driver *d, int64_t until_ns) {
    struct weft__sim_front *front = weft__sim_front_of(d);
    weft__own_add(&d->stats.waits, 1);
    front->until_ns = until_ns;
    front->is_busy = false;
    live(front);
    weft__exchange(&front->is_woken, 0, acquire);
}

// A flag and no more: nobody can be asleep in `wait`, which only computes.
static void sim_wake(struct weft__driver *d) {
    weft__store(&weft__sim_front_of(d)->is_woken, 1, release);
}

static int64_t sim_now(struct weft__driver *d, enum weft__clock clock) {
    int64_t now = weft__sim_now(weft__sim_of(d));
    return clock == WEFT__WALL ? now - START_NS + WALL_START_NS : now;
}

// ---- Choices ----

static bool is_one_in(struct weft__sim *sim, uint64_t n) {
    return weft__rng_below(&sim->scheduler, n) == 0;
}

// Which task runs is wide open; to yield or to suspend for no reason is rare, or else that would be
// all that happens.
static uint32_t choose(struct weft__sim *sim, enum weft__choice what, uint32_t n) {
    switch (what) {
    case WEFT__PICK_READY:
    case WEFT__PICK_UNSTARTED:
    case WEFT__PICK_WORKER:
    case WEFT__PICK_STEAL:
        return (uint32_t)weft__rng_below(&sim->scheduler, n);
    case WEFT__PICK_TURN:
        return is_one_in(sim, LONG_EVERY) ? (uint32_t)weft__rng_below(&sim->scheduler, n) : n - 1;
    case WEFT__PICK_YIELD:
        return n > 1 && weft__sim_strikes(sim, WEFT__SIM_YIELDS);
    case WEFT__PICK_INLINE:
        return n > 1 && weft__sim_strikes(sim, WEFT__SIM_SUSPENSIONS);
    case WEFT__PICK_STARVE:
        return weft__sim_strikes(sim, WEFT__SIM_STACK_SHORTAGES);
    case WEFT__PICK_CANCEL:
        return weft__fail(WEFT__FAIL_CANCEL) < 0 || weft__sim_strikes(sim, WEFT__SIM_CANCELS);
    }
    PANIC("unknown choice: %d", (int)what);
}

static uint32_t sim_choose(struct weft__driver *d, enum weft__choice what, uint32_t n) {
    struct weft__sim *sim = weft__sim_of(d);
    ASSERT(n >= 1);
    if (what == WEFT__PICK_TURN && !weft__sim_is_shared(sim))
        return 0; // nobody waits for its end
    uint32_t choice = choose(sim, what, n);
    bool is_rare = what == WEFT__PICK_CANCEL || what == WEFT__PICK_STARVE;
    if (is_rare && choice == 0)
        return 0; // asked for all tasks
    weft__sim_trace(sim, WEFT__SIM_TRACE_CHOICE, (int64_t)what, choice);
    return choice;
}

// ---- Start and stop ----

// Listeners have their children in lists, so those go first.
static void free_sockets(struct weft__sim *sim) {
    struct weft__list *link = weft__list_first(&sim->sockets);
    for (; link != NULL; link = weft__list_next(&sim->sockets, link))
        weft__list_remove(&WEFT__CONTAINER(link, struct weft__sim_socket, link)->tcp.sibling);
    while ((link = weft__list_first(&sim->sockets)) != NULL) {
        struct weft__sim_socket *s = WEFT__CONTAINER(link, struct weft__sim_socket, link);
        if (s->tcp.stream != NULL)
            weft__sim_stream_leave(s->tcp.stream, s->tcp.end);
        weft__sim_socket_free(s);
    }
}

static void forget_all(struct weft__list *ops) {
    struct weft__list *link;
    while ((link = weft__list_pop_front(ops)) != NULL)
        WEFT__CONTAINER(link, struct weft__op, link)->is_pending = false;
}

void weft__sim_abandon(struct weft__driver *d) {
    struct weft__sim *sim = weft__sim_of(d);
    struct weft__list *link;
    forget_all(&sim->lookups);
    for (link = weft__list_first(&sim->sockets); link != NULL;
         link = weft__list_next(&sim->sockets, link)) {
        struct weft__sim_socket *s = WEFT__CONTAINER(link, struct weft__sim_socket, link);
        forget_all(&s->readers.ops);
        forget_all(&s->writers.ops);
        forget_all(&s->watchers.ops);
    }
    for (link = weft__list_first(&sim->fronts); link != NULL;
         link = weft__list_next(&sim->fronts, link)) {
        struct weft__sim_front *front = WEFT__CONTAINER(link, struct weft__sim_front, link);
        forget_all(&front->finished);
        weft__store(&front->driver.pending, 0, relaxed);
    }
}

// Sockets that nobody closed end here without a word to their peers: there is no time left in
// which a packet could arrive.
static void sim_stop(struct weft__driver *d) {
    struct weft__sim_front *front = weft__sim_front_of(d);
    struct weft__sim *sim = front->sim;
    ASSERT(d->pending == 0);
    weft__list_remove(&front->link);
    if (front != &sim->front) {
        weft__free(front);
        return;
    }
    ASSERT(weft__list_is_empty(&sim->fronts));
    free_sockets(sim);
    weft__sim_udp_drop_in_flight(sim);
    weft__sim_ports_free(sim);
    weft__sim_names_free(sim);
    weft__sim_watch_close(sim);
    weft__sim_hosts_free(sim);
    weft__free(sim->slots);
    weft__free(sim);
}

static const struct weft__driver_class sim_class = {
    .name = "sim",
    .is_virtual = true,
    .stop = sim_stop,
    .try = weft__sim_try,
    .submit = weft__sim_submit,
    .cancel = weft__sim_cancel,
    .wait = sim_wait,
    .wake = sim_wake,
    .now = sim_now,
    .ctl = weft__sim_ctl,
    .choose = sim_choose,
    .beside = weft__sim_beside,
};

static void init(struct weft__sim *sim, uint64_t seed) {
    sim->front.driver.class = &sim_class;
    weft__list_init(&sim->fronts);
    weft__sim_front_add(sim, &sim->front);
    sim->seed = seed;
    weft__store(&sim->now, START_NS, relaxed);
    weft__rng_seed(&sim->network, weft__mix64(seed + STREAM_NETWORK));
    weft__rng_seed(&sim->scheduler, weft__mix64(seed + STREAM_SCHEDULER));
    weft__rng_seed(&sim->application, weft__mix64(seed + STREAM_APPLICATION));
    weft__sim_faults_init(sim, seed + STREAM_CHANCE);
    weft__list_init(&sim->sockets);
    weft__list_init(&sim->in_flight);
    weft__list_init(&sim->names);
    weft__list_init(&sim->lookups);
}

int weft__sim_start(uint64_t seed, struct weft__driver **ret_driver, const char **ret_why) {
    struct weft__sim *sim = weft__alloc(sizeof *sim);
    struct weft__list *buckets = weft__alloc(WEFT__SIM_PORT_BUCKETS * sizeof *buckets);
    bool is_complete = sim != NULL && buckets != NULL;
    if (is_complete)
        sim->link = weft__sim_link_ordinary();
    if (!is_complete || weft__sim_host_make(sim) == NULL) {
        if (sim != NULL)
            weft__sim_hosts_free(sim);
        weft__free(sim);
        weft__free(buckets);
        if (ret_why != NULL)
            *ret_why = "memory";
        return -ENOMEM;
    }
    for (int i = 0; i < WEFT__SIM_PORT_BUCKETS; i++)
        weft__list_init(&buckets[i]);
    init(sim, seed);
    sim->buckets = buckets;
    *ret_driver = &sim->front.driver;
    return 0;
}

// SPDX-License-Identifier: MIT
// Hosts of the simulated world and the links between them: who has an address, how long a packet
// takes, whether it arrives.
// Not for ports (sim_port.c), nor for what a lost packet means to its protocol (sim_stream.c,
// sim_udp.c).
#include "driver/sim.h"

#include "base/address.h"
#include "base/text.h"
#include "driver/sim_net.h"
#include "os/os.h"

#include <string.h>

enum { HOSTS_MIN = 4, HOSTS_MAX = 1024 };
static const uint64_t ACCIDENT_MAX_NS = 10 * 1000000000L;

// A host has one link to itself: loopback, about as fast as the real one. The jitter is what makes
// two connections overtake each other.
static const struct weft__sim_link loopback = {
    .latency_ns = 5000, .jitter_ns = 10000, .mtu = 65536};
// Two machines in one rack.
static const struct weft__sim_link ordinary = {
    .latency_ns = 100000, .jitter_ns = 50000, .mtu = 1500};

// ---- Routes ----

static struct weft__sim_way *way_at(struct weft__sim *sim, uint32_t from, uint32_t to) {
    return &sim->ways[(size_t)from * sim->host_capacity + to];
}

struct weft__sim_way *weft__sim_way(const struct weft__sim_host *from,
                                    const struct weft__sim_host *to) {
    return way_at(from->sim, from->number, to->number);
}

static void init_ways(struct weft__sim *sim, uint32_t number) {
    for (uint32_t other = 0; other < number; other++) {
        way_at(sim, number, other)->link = sim->link;
        way_at(sim, other, number)->link = sim->link;
    }
    way_at(sim, number, number)->link = loopback;
}

// Ways move when the table grows; whoever needs one asks for it anew.
static int grow(struct weft__sim *sim) {
    uint32_t capacity = sim->host_capacity > 0 ? 2 * sim->host_capacity : HOSTS_MIN;
    struct weft__sim_host **hosts = weft__alloc(capacity * sizeof(void *));
    struct weft__sim_way *ways = weft__alloc((size_t)capacity * capacity * sizeof *ways);
    if (hosts == NULL || ways == NULL) {
        weft__free(hosts);
        weft__free(ways);
        return -ENOMEM;
    }
    for (uint32_t from = 0; from < sim->host_count; from++) {
        hosts[from] = sim->hosts[from];
        memcpy(&ways[(size_t)from * capacity], way_at(sim, from, 0),
               sim->host_count * sizeof *ways);
    }
    weft__free(sim->hosts);
    weft__free(sim->ways);
    sim->hosts = hosts;
    sim->ways = ways;
    sim->host_capacity = capacity;
    return 0;
}

// ---- Hosts ----

struct weft__sim_host *weft__sim_host_make(struct weft__sim *sim) {
    if (sim->host_count == sim->host_capacity && grow(sim) != 0)
        return NULL;
    struct weft__sim_host *host = weft__alloc(sizeof *host);
    if (host == NULL)
        return NULL;
    host->sim = sim;
    host->number = sim->host_count;
    sim->hosts[sim->host_count++] = host;
    init_ways(sim, host->number);
    return host;
}

void weft__sim_hosts_free(struct weft__sim *sim) {
    for (uint32_t i = 0; i < sim->host_count; i++)
        weft__free(sim->hosts[i]);
    weft__free(sim->hosts);
    weft__free(sim->ways);
}

static bool has_ip(const struct weft__sim_host *host, const struct weft__sim_name *name) {
    for (size_t i = 0; i < host->ip_count; i++)
        if (weft__sim_same_ip(&host->ips[i], name))
            return true;
    return false;
}

bool weft__sim_is_local(const struct weft__sim_host *host, const struct weft__sim_name *name) {
    return weft__sim_is_loopback(name) || (host != NULL && has_ip(host, name));
}

struct weft__sim_host *weft__sim_host_of(struct weft__sim_host *from,
                                         const struct weft__sim_name *name) {
    if (weft__sim_is_local(from, name))
        return from;
    for (uint32_t i = 0; i < from->sim->host_count; i++)
        if (has_ip(from->sim->hosts[i], name))
            return from->sim->hosts[i];
    return NULL;
}

const struct weft__sim_name *weft__sim_host_ip(const struct weft__sim_host *host, bool is_v4) {
    for (size_t i = 0; host != NULL && i < host->ip_count; i++)
        if (weft__sim_is_v4(&host->ips[i]) == is_v4)
            return &host->ips[i];
    return NULL;
}

static int check_ip(struct weft__sim *sim, const struct weft__sim_name *ip) {
    bool is_multicast = weft__sim_is_v4(ip) ? ip->ip[12] >= 224 : ip->ip[0] == 0xff;
    if (weft__sim_is_wildcard(ip) || weft__sim_is_loopback(ip) || is_multicast)
        return -EINVAL;
    return weft__sim_host_of(sim->hosts[0], ip) != NULL ? -EADDRINUSE : 0;
}

int weft__sim_host_add(struct weft__driver *d, const weft_addr *ips, size_t count) {
    struct weft__sim *sim = weft__sim_of(d);
    struct weft__sim_name names[WEFT__SIM_IPS] = {0};
    if (count > WEFT__SIM_IPS)
        return -EINVAL;
    if (sim->host_count == HOSTS_MAX)
        return -ENOSPC;
    for (size_t i = 0; i < count; i++) {
        names[i] = weft__sim_name_of(&ips[i]);
        int error = check_ip(sim, &names[i]);
        if (error != 0)
            return error;
    }
    struct weft__sim_host *host = weft__sim_host_make(sim);
    if (host == NULL)
        return -ENOMEM;
    memcpy(host->ips, names, sizeof names);
    host->ip_count = count;
    return (int)host->number;
}

void weft__sim_host_drop(struct weft__driver *d, const char *name) {
    struct weft__sim *sim = weft__sim_of(d);
    weft__free(sim->hosts[--sim->host_count]);
    weft__sim_name_drop(sim, name);
}

// ---- Links ----

struct weft__sim_link weft__sim_link_ordinary(void) {
    return ordinary;
}

void weft__sim_link_all(struct weft__driver *d, const struct weft__sim_link *link) {
    struct weft__sim *sim = weft__sim_of(d);
    sim->link = *link;
    for (uint32_t from = 0; from < sim->host_count; from++)
        for (uint32_t to = 0; to < sim->host_count; to++)
            if (from != to)
                way_at(sim, from, to)->link = *link;
}

void weft__sim_link_set(struct weft__driver *d, uint32_t from, uint32_t to,
                        const struct weft__sim_link *link) {
    way_at(weft__sim_of(d), from, to)->link = *link;
}

struct weft__sim_link weft__sim_link_base(struct weft__driver *d) {
    return weft__sim_of(d)->link;
}

// For who has a timeline: the host that packets come from, and the one that they do not reach.
static void note_way(struct weft__sim *sim, uint32_t from, uint32_t to, bool is_cut) {
    const char *name = weft__sim_host_name(sim->hosts[to]);
    char line[64];
    struct weft__text text;
    weft__text_init(&text, line, sizeof line);
    weft__text_putf(&text, "the way to %s is %s", name != NULL ? name : "another host",
                    is_cut ? "cut" : "mended");
    weft__sim_note(&sim->front.driver, from, line);
}

void weft__sim_cut(struct weft__driver *d, uint32_t from, uint32_t to, bool is_cut) {
    struct weft__sim *sim = weft__sim_of(d);
    if (way_at(sim, from, to)->is_cut != is_cut)
        note_way(sim, from, to, is_cut);
    way_at(sim, from, to)->is_cut = is_cut;
    weft__sim_keepalive_look(sim);
    weft__sim_trace(sim, WEFT__SIM_TRACE_CUT, from << 16 | to, is_cut);
}

void weft__sim_storm(struct weft__driver *d, uint32_t from, uint32_t to, bool is_cut) {
    struct weft__sim *sim = weft__sim_of(d);
    note_way(sim, from, to, is_cut);
    way_at(sim, from, to)->is_stormy = is_cut;
    weft__sim_keepalive_look(sim);
    weft__sim_trace(sim, WEFT__SIM_TRACE_CUT, from << 16 | to, 2 + is_cut);
}

// ---- Power ----

// Children of listeners are in lists of theirs, so those lists go first.
static void lose_sockets(struct weft__sim_host *host) {
    struct weft__list *sockets = &host->sim->sockets, *next;
    for (struct weft__list *link = weft__list_first(sockets); link != NULL;
         link = weft__list_next(sockets, link)) {
        struct weft__sim_socket *s = WEFT__CONTAINER(link, struct weft__sim_socket, link);
        if (s->host == host)
            weft__list_remove(&s->tcp.sibling);
    }
    for (struct weft__list *link = weft__list_first(sockets); link != NULL; link = next) {
        struct weft__sim_socket *s = WEFT__CONTAINER(link, struct weft__sim_socket, link);
        next = weft__list_next(sockets, link);
        if (s->host == host)
            weft__sim_socket_lose(s);
    }
}

static void set_power(struct weft__driver *d, uint32_t number, bool is_down) {
    struct weft__sim *sim = weft__sim_of(d);
    ASSERT(number > 0 && number < sim->host_count);
    sim->hosts[number]->is_down = is_down;
    weft__sim_trace(sim, WEFT__SIM_TRACE_HOST, number, is_down);
}

void weft__sim_host_down(struct weft__driver *d, uint32_t number) {
    set_power(d, number, true);
    lose_sockets(weft__sim_of(d)->hosts[number]);
    weft__sim_ports_forget(weft__sim_of(d)->hosts[number]);
    weft__sim_keepalive_look(weft__sim_of(d));
}

void weft__sim_host_up(struct weft__driver *d, uint32_t number) {
    set_power(d, number, false);
}

int weft__sim_host_of_fd(struct weft__driver *d, int fd) {
    const struct weft__sim_socket *s = weft__sim_socket_at(weft__sim_of(d), fd);
    return s != NULL ? (int)s->host->number : -1;
}

int64_t weft__sim_wall_off(struct weft__driver *d, uint32_t number) {
    return weft__sim_of(d)->hosts[number]->wall_off_ns;
}

void weft__sim_jump(struct weft__driver *d, uint32_t number, int64_t ns) {
    struct weft__sim *sim = weft__sim_of(d);
    ASSERT(number < sim->host_count);
    sim->hosts[number]->wall_off_ns += ns;
    weft__sim_note(d, number, ns < 0 ? "its wall clock jumps back" : "its wall clock jumps ahead");
    weft__sim_trace(sim, WEFT__SIM_TRACE_HOST, number, ns);
}

// ---- Packets ----

void (*weft__sim_accident)(enum weft__sim_fault fault, uint32_t from, uint32_t to, int64_t ns);

// Only between two hosts of the program's: the world itself, number 0, meets with none.
static void have_accidents(struct weft__sim *sim, const struct weft__sim_way *way) {
    static const enum weft__sim_fault accidents[] = {WEFT__SIM_PARTITIONS, WEFT__SIM_PAUSES,
                                                     WEFT__SIM_CLOCK_JUMPS, WEFT__SIM_CRASHES};
    uint32_t index = (uint32_t)(way - sim->ways);
    uint32_t from = index / sim->host_capacity, to = index % sim->host_capacity;
    bool is_among = from != to && from > 0 && to > 0;
    for (size_t i = 0; is_among && i < sizeof accidents / sizeof *accidents; i++) {
        if (weft__sim_accident == NULL || !weft__sim_strikes(sim, accidents[i]))
            continue;
        int64_t ns = (int64_t)weft__sim_fault_below(sim, accidents[i], ACCIDENT_MAX_NS);
        weft__sim_accident(accidents[i], from, to, ns);
    }
}

// A link sends one packet after the other, and then each takes its time. What has no bandwidth to
// share begins at once.
int64_t weft__sim_arrival(struct weft__sim *sim, struct weft__sim_way *way, size_t size) {
    have_accidents(sim, way);
    int64_t now = weft__sim_now(sim), begin = way->free_at > now ? way->free_at : now;
    if (way->link.bytes_per_s > 0) {
        uint64_t ns = (uint64_t)size * 1000000000u / (uint64_t)way->link.bytes_per_s;
        begin = way->free_at = begin + (int64_t)ns;
    }
    uint64_t jitter = weft__rng_below(&sim->network, (uint64_t)way->link.jitter_ns + 1);
    return begin + way->link.latency_ns + (int64_t)jitter;
}

bool weft__sim_is_cut(const struct weft__sim *sim, const struct weft__sim_way *way) {
    size_t to = (size_t)(way - sim->ways) % sim->host_capacity;
    return way->is_cut || way->is_stormy || sim->hosts[to]->is_down;
}

bool weft__sim_is_lost(struct weft__sim *sim, const struct weft__sim_way *way) {
    return weft__sim_is_cut(sim, way) || weft__sim_strikes_at(sim, WEFT__SIM_LOSS, way->link.loss);
}

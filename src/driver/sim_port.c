// SPDX-License-Identifier: MIT
// Which socket a port belongs to, by the rules of Linux: who may bind(2) beside whom, who gets what
// arrives, which port is given to whoever does not ask for one, and TIME_WAIT.
// Not for what an address is (sim_address.c).
#include "driver/sim_net.h"
#include "os/os.h"

#include <string.h>

enum {
    EPHEMERAL_FIRST = 32768, // net.ipv4.ip_local_port_range
    EPHEMERAL_COUNT = 60999 - 32768 + 1,
    EASY_TRIES = 32, // then a port will do that somebody else has, if the rules allow it
};

static const int64_t TIME_WAIT_NS = 60 * 1000000000L;

// Claims of one port share a bucket, and at most a few ports do. It is a plain remainder, since
// ports are dense, and the order within a bucket is that of insertion: nothing depends on a hash.
static struct weft__list *bucket_of(struct weft__sim *sim, uint16_t port) {
    return &sim->buckets[port % WEFT__SIM_PORT_BUCKETS];
}

// The first claim to a port of the host from `link` on, or NULL.
static struct weft__sim_claim *claim_from(const struct weft__sim_host *host, int type,
                                          uint16_t port, struct weft__list *link) {
    for (; link != NULL; link = weft__list_next(bucket_of(host->sim, port), link)) {
        struct weft__sim_claim *claim = WEFT__CONTAINER(link, struct weft__sim_claim, link);
        if (claim->host == host && claim->type == type && claim->local.port == port)
            return claim;
    }
    return NULL;
}

static struct weft__sim_claim *first_claim(const struct weft__sim_host *host, int type,
                                           uint16_t port) {
    return claim_from(host, type, port, weft__list_first(bucket_of(host->sim, port)));
}

static struct weft__sim_claim *next_claim(const struct weft__sim_claim *claim) {
    uint16_t port = claim->local.port;
    struct weft__list *link = weft__list_next(bucket_of(claim->host->sim, port), &claim->link);
    return claim_from(claim->host, claim->type, port, link);
}

// ---- Who may be beside whom ----
//
// inet_csk_bind_conflict() and udp_lib_lport_inuse() of Linux, for one host and one user:
// two names conflict when a packet could be for both, unless both sockets have SO_REUSEADDR and the
// other does not listen, or both have SO_REUSEPORT. A connection in TIME_WAIT counts like a socket.

static bool has_option(const struct weft__sim_claim *claim, enum weft__option option) {
    return claim->socket != NULL && claim->socket->options[option];
}

static bool is_reusable(const struct weft__sim_claim *claim) {
    return claim->is_reusable || has_option(claim, WEFT__OPT_REUSEADDR);
}

static bool is_shareable(const struct weft__sim_claim *claim) {
    return claim->is_shareable || has_option(claim, WEFT__OPT_REUSEPORT);
}

static bool is_listening(const struct weft__sim_claim *claim) {
    return claim->socket != NULL && claim->socket->tcp.state == WEFT__SIM_LISTENING;
}

// How well a bound address fits one that a packet is for, 0: not at all. An IPv6 wildcard takes
// IPv4, too, but an IPv4 one goes before it.
static int fit(const struct weft__sim_name *bound, bool is_v6only,
               const struct weft__sim_name *to) {
    if (weft__sim_same_ip(bound, to))
        return 3;
    if (!weft__sim_is_wildcard(bound))
        return 0;
    if (weft__sim_is_v4(bound) == weft__sim_is_v4(to))
        return 2;
    return weft__sim_is_v4(to) && !is_v6only ? 1 : 0;
}

bool weft__sim_is_taken(const struct weft__sim_socket *s, const struct weft__sim_name *local) {
    struct weft__sim_claim *claim = first_claim(s->host, s->type, local->port);
    for (; claim != NULL; claim = next_claim(claim)) {
        bool overlaps = fit(local, s->options[WEFT__OPT_V6ONLY], &claim->local) > 0 ||
                        fit(&claim->local, has_option(claim, WEFT__OPT_V6ONLY), local) > 0;
        if (claim == s->claim || !overlaps)
            continue;
        bool both_reuse =
            s->options[WEFT__OPT_REUSEADDR] && is_reusable(claim) && !is_listening(claim);
        bool both_share = s->options[WEFT__OPT_REUSEPORT] && is_shareable(claim);
        if (!both_reuse && !both_share)
            return true;
    }
    return false;
}

static bool is_pair(const struct weft__sim_claim *claim, const struct weft__sim_name *local,
                    const struct weft__sim_name *remote) {
    return weft__sim_same_name(&claim->local, local) && weft__sim_same_name(&claim->remote, remote);
}

// Whether a living connection has this pair of names. One in TIME_WAIT gives it away: on loopback
// Linux lets a new connection have it, too (tcp_tw_reuse).
static bool is_pair_taken(const struct weft__sim_socket *s, const struct weft__sim_name *local,
                          const struct weft__sim_name *remote) {
    struct weft__sim_claim *claim = first_claim(s->host, s->type, local->port);
    for (; claim != NULL; claim = next_claim(claim)) {
        if (claim == s->claim || claim->socket == NULL)
            continue;
        bool is_reserved = s->claim == NULL && claim->is_bound &&
                           fit(&claim->local, has_option(claim, WEFT__OPT_V6ONLY), local) > 0;
        if (is_reserved || is_pair(claim, local, remote))
            return true;
    }
    return false;
}

// ---- Choosing a port ----

// The first tries look for a port that is nobody's at all; only then one that may be shared.
static bool is_usable(const struct weft__sim_socket *s, const struct weft__sim_name *local,
                      const struct weft__sim_name *remote, bool is_easy) {
    if (is_easy && first_claim(s->host, s->type, local->port) != NULL)
        return false;
    if (remote == NULL)
        return !weft__sim_is_taken(s, local);
    // A connection to one's own port would be a connection to oneself (RFC 9293, 3.5).
    return !weft__sim_same_name(local, remote) && !is_pair_taken(s, local, remote);
}

// From a random place upwards, so that a port is found whenever there is one, and that two runs
// with different seeds do not meet the same ones. Sets local->port. False: there is none.
static bool choose_port(const struct weft__sim_socket *s, struct weft__sim_name *local,
                        const struct weft__sim_name *remote) {
    uint32_t start = (uint32_t)weft__rng_below(&s->sim->network, EPHEMERAL_COUNT);
    for (uint32_t i = 0; i < EPHEMERAL_COUNT + EASY_TRIES; i++) {
        local->port = (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);
        if (is_usable(s, local, remote, i < EASY_TRIES))
            return true;
    }
    return false;
}

// ---- Making and ending claims ----

static struct weft__sim_claim *make_claim(struct weft__sim_socket *s) {
    struct weft__sim_claim *claim = weft__alloc(sizeof *claim);
    if (claim == NULL)
        return NULL;
    claim->host = s->host;
    claim->socket = s;
    claim->type = s->type;
    s->claim = claim;
    return claim;
}

static void free_claim(struct weft__sim_claim *claim) {
    weft__sim_unset(claim->host->sim, &claim->expiry);
    weft__list_remove(&claim->link);
    weft__free(claim);
}

void weft__sim_rename(struct weft__sim_socket *s, const struct weft__sim_name *local,
                      const struct weft__sim_name *remote) {
    ASSERT(s->claim != NULL);
    s->local = s->claim->local = *local;
    s->remote = s->claim->remote = *remote;
}

// The newest goes first: it gets what more than one could get.
static int claim_names(struct weft__sim_socket *s, const struct weft__sim_name *local,
                       const struct weft__sim_name *remote) {
    struct weft__sim_claim *claim = make_claim(s);
    if (claim == NULL)
        return -ENOMEM;
    weft__sim_rename(s, local, remote);
    weft__list_push_front(bucket_of(s->sim, local->port), &claim->link);
    return 0;
}

int weft__sim_bind(struct weft__sim_socket *s, const struct weft__sim_name *local) {
    struct weft__sim_name name = *local;
    bool is_wildcard = weft__sim_is_wildcard(&name);
    if (s->family == WEFT_IPV6 && weft__sim_is_v4(&name) && s->options[WEFT__OPT_V6ONLY])
        return -EINVAL;
    if (!is_wildcard && !weft__sim_is_local(s->host, &name))
        return -EADDRNOTAVAIL;
    if (name.port == 0 ? !choose_port(s, &name, NULL) : weft__sim_is_taken(s, &name))
        return -EADDRINUSE;
    int error = claim_names(s, &name, &s->remote);
    if (error != 0)
        return error;
    s->claim->is_bound = true;
    if (s->family == WEFT_IPV6 && !is_wildcard && !weft__sim_is_v4(&name))
        s->options[WEFT__OPT_V6ONLY] = 1; // an address of IPv6 is of IPv6 alone (__inet6_bind)
    s->claim->is_fixed = local->port != 0;
    s->is_local_fixed = !is_wildcard;
    return 0;
}

// The new connection is the owner of the names now.
static void drop_time_wait(struct weft__sim_socket *s) {
    struct weft__sim_claim *next, *claim = first_claim(s->host, s->type, s->local.port);
    for (; claim != NULL; claim = next) {
        next = next_claim(claim);
        if (claim->socket != NULL || !is_pair(claim, &s->local, &s->remote))
            continue;
        s->sim->time_wait_count--;
        free_claim(claim);
    }
}

int weft__sim_bind_pair(struct weft__sim_socket *s, const struct weft__sim_name *local,
                        const struct weft__sim_name *remote) {
    struct weft__sim_name name = *local;
    bool is_free =
        s->claim != NULL ? !is_pair_taken(s, &name, remote) : choose_port(s, &name, remote);
    if (!is_free)
        return -EADDRNOTAVAIL;
    if (s->claim == NULL) {
        int error = claim_names(s, &name, remote);
        if (error != 0)
            return error;
    }
    weft__sim_rename(s, &name, remote);
    drop_time_wait(s);
    return 0;
}

int weft__sim_bind_child(struct weft__sim_socket *child, const struct weft__sim_name *local,
                         const struct weft__sim_name *remote) {
    struct weft__sim_claim *claim = make_claim(child);
    if (claim == NULL)
        return -ENOMEM;
    claim->is_child = true;
    weft__sim_rename(child, local, remote);
    weft__list_push_back(bucket_of(child->sim, local->port), &claim->link);
    return 0;
}

static void expire(struct weft__sim *sim, struct weft__sim_event *event) {
    sim->time_wait_count--;
    free_claim(WEFT__CONTAINER(event, struct weft__sim_claim, expiry));
}

// What is in TIME_WAIT is a name and nothing else: the socket and the stream are gone.
void weft__sim_unbind(struct weft__sim_socket *s, bool time_wait) {
    struct weft__sim *sim = s->sim;
    struct weft__sim_claim *claim = s->claim;
    if (claim == NULL)
        return;
    s->claim = NULL;
    if (!time_wait || sim->time_wait_count >= WEFT__SIM_TIME_WAIT_MAX) {
        free_claim(claim);
        return;
    }
    claim->is_reusable = s->options[WEFT__OPT_REUSEADDR];
    claim->is_shareable = s->options[WEFT__OPT_REUSEPORT];
    claim->socket = NULL;
    claim->expiry.fire = expire;
    sim->time_wait_count++;
    weft__sim_set(sim, &claim->expiry, weft__sim_now(sim) + TIME_WAIT_NS);
}

void weft__sim_ports_forget(const struct weft__sim_host *host) {
    struct weft__sim *sim = host->sim;
    struct weft__list *link, *next;
    for (int i = 0; i < WEFT__SIM_PORT_BUCKETS; i++)
        for (link = weft__list_first(&sim->buckets[i]); link != NULL; link = next) {
            next = weft__list_next(&sim->buckets[i], link);
            struct weft__sim_claim *claim = WEFT__CONTAINER(link, struct weft__sim_claim, link);
            if (claim->host != host)
                continue;
            sim->time_wait_count--; // its sockets are gone
            free_claim(claim);
        }
}

void weft__sim_ports_free(struct weft__sim *sim) {
    for (int i = 0; i < WEFT__SIM_PORT_BUCKETS; i++) {
        struct weft__list *link;
        while ((link = weft__list_first(&sim->buckets[i])) != NULL)
            free_claim(WEFT__CONTAINER(link, struct weft__sim_claim, link));
    }
    weft__free(sim->buckets);
}

// ---- Who gets it ----

// A connected datagram socket hears its peer alone, and nobody else hears that peer.
static int score(const struct weft__sim_claim *claim, const struct weft__sim_name *to,
                 const struct weft__sim_name *from) {
    const struct weft__sim_socket *s = claim->socket;
    if (s == NULL || (s->type == WEFT__STREAM && !is_listening(claim)))
        return 0;
    int value = fit(&claim->local, s->options[WEFT__OPT_V6ONLY], to);
    if (!s->is_connected || value == 0)
        return value;
    if (claim->remote.port == 0) // connected to an address alone, as Linux lets datagram sockets be
        return memcmp(claim->remote.ip, from->ip, sizeof from->ip) == 0 ? value + 2 : 0;
    return weft__sim_same_name(&claim->remote, from) ? value + 4 : 0;
}

// Sockets that share a port by SO_REUSEPORT divide the peers among themselves: a peer always
// reaches the same one, as long as their number stays.
static uint64_t share_of(const struct weft__sim *sim, const struct weft__sim_name *from) {
    uint64_t hash = sim->seed;
    for (size_t i = 0; i < sizeof from->ip; i++)
        hash = weft__mix64(hash ^ from->ip[i]);
    return weft__mix64(hash ^ from->port);
}

// The first of the best, which is the newest; where several share, the one that this peer always
// gets. Two looks at one bucket, the second only for those.
struct weft__sim_socket *weft__sim_find(struct weft__sim_host *host, int type,
                                        const struct weft__sim_name *to,
                                        const struct weft__sim_name *from) {
    struct weft__sim_claim *best = NULL;
    int best_score = 0;
    uint64_t sharers = 0;
    struct weft__sim_claim *claim = first_claim(host, type, to->port);
    for (; claim != NULL && !claim->is_child; claim = next_claim(claim)) {
        int value = score(claim, to, from);
        if (value > best_score) {
            best = claim;
            best_score = value;
            sharers = 0;
        }
        sharers += value == best_score && value > 0 && has_option(claim, WEFT__OPT_REUSEPORT);
    }
    if (best == NULL || sharers < 2)
        return best != NULL ? best->socket : NULL;
    uint64_t index = share_of(host->sim, from) % sharers;
    for (claim = first_claim(host, type, to->port);; claim = next_claim(claim)) {
        if (score(claim, to, from) == best_score && has_option(claim, WEFT__OPT_REUSEPORT) &&
            index-- == 0)
            return claim->socket;
    }
}

// SPDX-License-Identifier: MIT
// Datagrams. Those of one sender arrive in order unless the link reorders them; those of two
// senders in an order by seed. A receiver's full buffer drops them without a word, and so does the
// link.
#include "driver/sim_watch.h"
#include "driver/socket.h"
#include "os/os.h"

enum {
    SIZE_MAX_V4 = 65535 - 20 - 8, // behind the headers of IPv4 and UDP
    SIZE_MAX_V6 = 65535 - 8,

    // What a datagram costs its receiver's buffer, as Linux counts it (sk_buff.truesize): one block
    // with room for headers and bookkeeping, a power of two while it is small.
    COST_MIN = 832,
    COST_FIXED = 256,
    COST_AROUND = 384,
    COST_BLOCK_MAX = 16384,
};

static struct weft__sim_datagram *datagram_of(struct weft__list *link) {
    return link != NULL ? WEFT__CONTAINER(link, struct weft__sim_datagram, link) : NULL;
}

static void free_datagram(struct weft__sim_datagram *datagram) {
    weft__list_remove(&datagram->link);
    weft__free(datagram);
}

// Measured on Linux 6.18 with datagrams of 0 to 65,507 bytes; test_sim_udp.c has the counts.
static size_t cost_of(size_t size) {
    size_t block = 512;
    while (block < size + COST_AROUND)
        block *= 2;
    size_t cost = COST_FIXED + (block <= COST_BLOCK_MAX ? block : size + 1024);
    return cost > COST_MIN ? cost : COST_MIN;
}

// ---- On the way ----

// Nobody is there: the ICMP message that says so reaches whoever is connected to that name, unless
// the way back is cut. An unconnected sender is told nothing (udp(7), without IP_RECVERR).
static void refuse(struct weft__sim *sim, const struct weft__sim_datagram *datagram) {
    struct weft__sim_socket *s =
        weft__sim_find(datagram->sender, WEFT__DATAGRAM, &datagram->from, &datagram->to);
    if (s == NULL || !s->is_connected ||
        (datagram->receiver != NULL &&
         weft__sim_is_lost(sim, weft__sim_way(datagram->receiver, datagram->sender))))
        return;
    s->error = datagram->receiver != NULL ? ECONNREFUSED : EHOSTUNREACH;
    weft__sim_touch_all(s);
}

// A datagram larger than the buffer is taken by an empty one.
static bool has_room(const struct weft__sim_socket *s, const struct weft__sim_datagram *datagram) {
    size_t limit = (size_t)s->options[WEFT__OPT_RECEIVE_BUFFER];
    return s->udp.received_size == 0 || s->udp.received_size + cost_of(datagram->size) <= limit;
}

// The datagram itself moves over, so receiving needs no memory and cannot fail.
static void receive(struct weft__sim_socket *s, struct weft__sim_datagram *datagram) {
    weft__list_remove(&datagram->link);
    weft__list_push_back(&s->udp.received, &datagram->link);
    s->udp.received_size += cost_of(datagram->size);
    weft__sim_touch_all(s);
}

static enum weft__sim_fate fate_of(const struct weft__sim_socket *s, bool is_taken, bool is_lost) {
    if (is_taken)
        return WEFT__SIM_ARRIVED;
    if (s != NULL)
        return WEFT__SIM_OVERFLOWED;
    return is_lost ? WEFT__SIM_LOST : WEFT__SIM_REFUSED;
}

// Whose it is is decided on arrival: a socket that connects, binds or closes while the datagram is
// on its way makes a difference, as on a real network.
static void arrive(struct weft__sim *sim, struct weft__sim_event *event) {
    struct weft__sim_datagram *datagram =
        WEFT__CONTAINER(event, struct weft__sim_datagram, arrival);
    struct weft__sim_host *receiver = datagram->receiver;
    bool is_lost =
        receiver != NULL && weft__sim_is_lost(sim, weft__sim_way(datagram->sender, receiver));
    struct weft__sim_socket *s = NULL;
    if (receiver != NULL && !is_lost)
        s = weft__sim_find(receiver, WEFT__DATAGRAM, &datagram->to, &datagram->from);
    bool is_taken = s != NULL && has_room(s, datagram);
    weft__sim_trace(sim, is_taken ? WEFT__SIM_TRACE_DATAGRAM : WEFT__SIM_TRACE_DROP,
                    s != NULL ? s->number : -1, (int64_t)datagram->size);
    weft__sim_see_datagram(sim, datagram, fate_of(s, is_taken, is_lost));
    if (is_taken) {
        receive(s, datagram);
        return;
    }
    if (s == NULL && !is_lost)
        refuse(sim, datagram);
    free_datagram(datagram);
}

void weft__sim_udp_drop_in_flight(struct weft__sim *sim) {
    struct weft__sim_datagram *datagram;
    while ((datagram = datagram_of(weft__list_first(&sim->in_flight))) != NULL) {
        weft__sim_unset(sim, &datagram->arrival);
        free_datagram(datagram);
    }
}

void weft__sim_udp_drop_received(struct weft__sim_socket *s) {
    struct weft__sim_datagram *datagram;
    while ((datagram = datagram_of(weft__list_first(&s->udp.received))) != NULL)
        free_datagram(datagram);
    s->udp.received_size = 0;
}

// ---- Operations ----

// A socket that sends or connects has a port, if only one that the system chose.
static int bind_if_needed(struct weft__sim_socket *s) {
    return s->claim != NULL ? 0 : weft__sim_bind(s, &s->local);
}

// Only names the peer, and by that the local address; what was received before stays. A socket can
// be connected again, to somebody else: an IPv6 socket even from its own world to the other, which
// its address does not follow, so it will get no answer.
int weft__sim_udp_connect(struct weft__sim_socket *s, const weft_addr *peer) {
    struct weft__sim_name to, from;
    int error = bind_if_needed(s);
    if (error == 0)
        error = weft__sim_read_name(s, peer, false, &to);
    if (error == 0)
        error = weft__sim_route(s, &to, &from);
    if (error != 0)
        return error;
    weft__sim_rename(s, weft__sim_is_wildcard(&s->local) ? &from : &s->local, &to);
    s->is_connected = true; // to port 0 as well: that only has no name (sim_ctl.c)
    return 0;
}

// Where a datagram goes, in the order in which Linux finds fault with it.
static int find_way(struct weft__sim_socket *s, const struct weft__op *op,
                    struct weft__sim_name *to, struct weft__sim_name *from) {
    int error = bind_if_needed(s);
    if (error != 0)
        return error;
    bool is_to_peer = op->kind != WEFT__OP_SENDMSG || op->peer == NULL;
    if (!is_to_peer)
        error = weft__sim_read_name(s, op->peer, false, to);
    else if (s->is_connected)
        *to = s->remote;
    else
        error = -EDESTADDRREQ;
    if (error != 0)
        return error;
    bool is_mapped = s->family == WEFT_IPV6 && weft__sim_is_v4(to);
    if (is_mapped && s->options[WEFT__OPT_V6ONLY])
        return -ENETUNREACH;
    if (to->port == 0 && (!is_to_peer || is_mapped))
        return -EINVAL; // but what is connected to port 0 sends, to nobody, in its own family
    if (weft__sim_is_broadcast(to) && !s->options[WEFT__OPT_BROADCAST])
        return -EACCES;
    return weft__sim_route(s, to, from);
}

static int find_fault(struct weft__sim_socket *s, const struct weft__sim_name *to, size_t size) {
    if (size > (weft__sim_is_v4(to) ? SIZE_MAX_V4 : SIZE_MAX_V6))
        return -EMSGSIZE;
    if (s->error != 0)
        return weft__sim_take_error(s);
    return s->is_write_shut ? -EPIPE : 0;
}

// Puts a datagram on its way. One that is reordered takes up to twice as long as a link's slowest,
// and those behind it do not wait for it. Nobody may have the address: then a router close by says
// so.
static int dispatch(struct weft__sim_socket *s, const struct weft__op *op,
                    const struct weft__sim_name *from, const struct weft__sim_name *to,
                    struct weft__sim_host *receiver) {
    struct weft__sim *sim = s->sim;
    size_t size = weft__op_size(op);
    struct weft__sim_datagram *datagram = weft__alloc(sizeof *datagram + size);
    if (datagram == NULL)
        return -ENOMEM;
    datagram->from = *from;
    datagram->to = *to;
    datagram->sender = s->host;
    datagram->receiver = receiver;
    datagram->size = size;
    datagram->arrival.fire = arrive;
    weft__sim_gather(op, 0, datagram->data, size);
    weft__list_push_back(&sim->in_flight, &datagram->link);
    weft__sim_see_datagram(sim, datagram, WEFT__SIM_SENT);
    struct weft__sim_way *way = weft__sim_way(s->host, receiver != NULL ? receiver : s->host);
    int64_t at_ns = weft__sim_arrival(sim, way, size);
    if (weft__sim_strikes_at(sim, WEFT__SIM_REORDERING, way->link.reordering)) {
        int64_t more_ns = way->link.latency_ns + way->link.jitter_ns;
        at_ns += (int64_t)weft__rng_below(&sim->network, (uint64_t)more_ns + 1);
    } else {
        at_ns = at_ns > s->udp.last_arrival_ns ? at_ns : s->udp.last_arrival_ns;
        s->udp.last_arrival_ns = at_ns;
    }
    weft__sim_set(sim, &datagram->arrival, at_ns);
    return 0;
}

// A datagram never waits: the host takes it away at once. The copy that a link makes of one is lost
// when there is no memory for it.
int64_t weft__sim_udp_send(struct weft__sim_socket *s, struct weft__op *op) {
    struct weft__sim_name to, from;
    size_t size = weft__op_size(op);
    int error = find_way(s, op, &to, &from);
    if (error == 0)
        error = find_fault(s, &to, size);
    if (error != 0)
        return error;
    struct weft__sim_host *receiver = weft__sim_host_of(s->host, &to); // NULL: nobody
    error = weft__sim_shortage(s->sim, WEFT__SIM_BUFFER_SHORTAGES, -ENOBUFS, -ENOMEM);
    if (error == 0)
        error = dispatch(s, op, &from, &to, receiver);
    if (error != 0)
        return error;
    if (receiver != NULL &&
        weft__sim_strikes_at(s->sim, WEFT__SIM_DUPLICATION,
                             weft__sim_way(s->host, receiver)->link.duplication))
        (void)dispatch(s, op, &from, &to, receiver);
    return (int64_t)size;
}

// recv(2) says nothing about a datagram that was cut; recvmsg(2) does.
static void tell_about(const struct weft__sim_socket *s, struct weft__op *op,
                       const struct weft__sim_datagram *datagram, bool is_truncated) {
    if (op->kind != WEFT__OP_RECVMSG)
        return;
    op->flags &= ~(uint32_t)WEFT__OP_TRUNCATED;
    if (is_truncated)
        op->flags |= WEFT__OP_TRUNCATED;
    if (op->peer != NULL)
        *op->peer = weft__sim_show(s, &datagram->from);
}

int64_t weft__sim_udp_receive(struct weft__sim_socket *s, struct weft__op *op) {
    if (s->error != 0)
        return weft__sim_take_error(s);
    struct weft__sim_datagram *datagram = datagram_of(weft__list_first(&s->udp.received));
    if (datagram == NULL) // also after shutdown(2), which a blocking call alone would notice
        return -EAGAIN;
    size_t size = weft__op_size(op);
    bool is_truncated = size < datagram->size;
    size = is_truncated ? size : datagram->size;
    weft__sim_scatter(op, 0, datagram->data, size);
    tell_about(s, op, datagram, is_truncated);
    if (!(op->flags & WEFT__OP_PEEK)) {
        s->udp.received_size -= cost_of(datagram->size);
        free_datagram(datagram);
    }
    return (int64_t)size;
}

uint32_t weft__sim_udp_ready(const struct weft__sim_socket *s) {
    bool is_readable = !weft__list_is_empty(&s->udp.received) || s->error != 0 || s->is_read_shut;
    return WEFT__WRITABLE | (is_readable ? WEFT__READABLE : 0);
}

// As shutdown(2): it takes effect on an unconnected socket, too, and then says that it does not.
int weft__sim_udp_shutdown(struct weft__sim_socket *s, int how) {
    s->is_read_shut |= (how & WEFT__SHUT_READ) != 0;
    s->is_write_shut |= (how & WEFT__SHUT_WRITE) != 0;
    weft__sim_touch_all(s);
    return s->is_connected ? 0 : -ENOTCONN;
}

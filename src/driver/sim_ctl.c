// SPDX-License-Identifier: MIT
// What never waits on the simulated machine: descriptors, sockets, their options and names, random
// bytes from the seed. Limits, defaults and refusals are those that Linux shows on loopback.
// Not here: which address is whose (sim_port.c) and what the protocols do.
#include "driver/sim_net.h"
#include "os/os.h"

#include <string.h>

// socket(7), tcp(7), udp(7): what getsockopt(2) answers on a fresh socket.
enum {
    STREAM_SEND_SIZE = 16384, // until connected: see weft__sim_tcp
    STREAM_RECEIVE_SIZE = 131072,
    DATAGRAM_SIZE = 212992,
    BUFFER_MAX = 212992, // net.core.wmem_max and rmem_max
    SEND_MIN = 4608,
    RECEIVE_MIN = 2304,
    TTL = 64,
    KEEPALIVE_IDLE_S = 7200,
    KEEPALIVE_INTERVAL_S = 75,
    KEEPALIVE_COUNT = 9,
};

// ---- Descriptors ----

struct weft__sim_socket *weft__sim_socket_at(struct weft__sim *sim, int fd) {
    int64_t index = (int64_t)fd - WEFT__SIM_FD_FIRST;
    return index >= 0 && index < sim->slot_count ? sim->slots[index].socket : NULL;
}

// Slots move when the table grows; sockets do not, so nothing else has to know.
static int grow_slots(struct weft__sim *sim) {
    if (sim->slot_count == WEFT__SIM_FD_MAX)
        return -EMFILE;
    if (sim->slot_count < sim->slot_capacity)
        return 0;
    uint32_t capacity = sim->slot_capacity > 0 ? 2 * sim->slot_capacity : 16;
    struct weft__sim_slot *slots = weft__alloc(capacity * sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    if (sim->slots != NULL)
        memcpy(slots, sim->slots, sim->slot_count * sizeof *slots);
    weft__free(sim->slots);
    sim->slots = slots;
    sim->slot_capacity = capacity;
    return 0;
}

// The number that was closed last comes back first. A real machine gives the lowest free one; this
// is the order in which a stale descriptor is noticed soonest.
int weft__sim_socket_open(struct weft__sim_socket *s) {
    struct weft__sim *sim = s->sim;
    if (sim->free_slot == 0) {
        int error = grow_slots(sim);
        if (error != 0)
            return error;
        sim->free_slot = ++sim->slot_count;
    }
    uint32_t index = sim->free_slot - 1;
    sim->free_slot = sim->slots[index].next_free;
    sim->slots[index] = (struct weft__sim_slot){.socket = s};
    s->fd = WEFT__SIM_FD_FIRST + (int)index;
    return 0;
}

static void free_slot(struct weft__sim_socket *s) {
    uint32_t index = (uint32_t)(s->fd - WEFT__SIM_FD_FIRST);
    s->sim->slots[index] = (struct weft__sim_slot){.next_free = s->sim->free_slot};
    s->sim->free_slot = index + 1;
    s->fd = -1;
}

uint32_t weft__sim_descriptors(struct weft__driver *d) {
    const struct weft__sim *sim = weft__sim_of(d);
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->slot_count; i++)
        count += sim->slots[i].socket != NULL;
    return count;
}

// ---- Sockets ----

// What is 0 is 0 from the start.
static void init_options(struct weft__sim_socket *s) {
    bool is_stream = s->type == WEFT__STREAM;
    s->options[WEFT__OPT_SEND_BUFFER] = is_stream ? STREAM_SEND_SIZE : DATAGRAM_SIZE;
    s->options[WEFT__OPT_RECEIVE_BUFFER] = is_stream ? STREAM_RECEIVE_SIZE : DATAGRAM_SIZE;
    s->options[WEFT__OPT_TTL] = TTL;
    s->options[WEFT__OPT_KEEPALIVE_IDLE_S] = KEEPALIVE_IDLE_S;
    s->options[WEFT__OPT_KEEPALIVE_INTERVAL_S] = KEEPALIVE_INTERVAL_S;
    s->options[WEFT__OPT_KEEPALIVE_COUNT] = KEEPALIVE_COUNT;
}

static void init_queue(struct weft__sim_socket *s, struct weft__sim_queue *queue) {
    queue->socket = s;
    weft__list_init(&queue->ops);
}

struct weft__sim_socket *weft__sim_socket_make(struct weft__sim_host *host, int family, int type) {
    struct weft__sim *sim = host->sim;
    struct weft__sim_socket *s = weft__alloc(sizeof *s);
    if (s == NULL)
        return NULL;
    s->sim = sim;
    s->host = host;
    s->number = ++sim->socket_count;
    s->fd = -1;
    s->family = family;
    s->type = type;
    s->local = s->remote = weft__sim_wildcard(family);
    init_options(s);
    init_queue(s, &s->readers);
    init_queue(s, &s->writers);
    init_queue(s, &s->watchers);
    weft__list_init(&s->tcp.half_open);
    weft__list_init(&s->tcp.accept_queue);
    weft__list_init(&s->udp.received);
    weft__list_push_back(&sim->sockets, &s->link);
    return s;
}

static void free_queue(struct weft__sim_queue *queue) {
    weft__heap_remove(&queue->socket->sim->turns, &queue->turn);
    weft__sim_unset(queue->socket->sim, &queue->later);
}

// Its operations are gone (check_idle), but a queue may still stand among the touched ones.
void weft__sim_socket_free(struct weft__sim_socket *s) {
    weft__sim_unbind(s, false);
    weft__sim_udp_drop_received(s);
    weft__sim_unset(s->sim, &s->tcp.timer);
    free_queue(&s->readers);
    free_queue(&s->writers);
    free_queue(&s->watchers);
    weft__list_remove(&s->tcp.sibling);
    weft__list_remove(&s->link);
    weft__free(s);
}

static int64_t make_socket(struct weft__sim *sim, const struct weft__ctl *ctl) {
    ASSERT(ctl->family == WEFT_IPV4 || ctl->family == WEFT_IPV6);
    ASSERT(ctl->type == WEFT__STREAM || ctl->type == WEFT__DATAGRAM);
    ASSERT(ctl->host < sim->host_count);
    struct weft__sim_socket *s =
        weft__sim_socket_make(sim->hosts[ctl->host], ctl->family, ctl->type);
    if (s == NULL)
        return -ENOMEM;
    int error = weft__sim_shortage(sim, WEFT__SIM_FD_SHORTAGES, -EMFILE, -ENFILE);
    if (error == 0)
        error = weft__sim_socket_open(s);
    if (error != 0) {
        weft__sim_socket_free(s);
        return error;
    }
    return s->fd;
}

// On a real machine an operation that waits on a closed descriptor may wait for ever, or read from
// whoever gets the number next. The layer above promises that there is none; here it is held to it.
static void check_idle(const struct weft__sim_socket *s) {
    if (!weft__list_is_empty(&s->readers.ops) || !weft__list_is_empty(&s->writers.ops) ||
        !weft__list_is_empty(&s->watchers.ops))
        PANIC("simulation: descriptor %d is closed while an operation waits on it", s->fd);
}

static void lose_operations(struct weft__sim_queue *queue) {
    struct weft__list *link;
    while ((link = weft__list_first(&queue->ops)) != NULL) {
        struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        weft__op_deliver(op->driver, op, -EBADF);
    }
}

// The peer is not told. What it still sends is answered by a reset, if there is anybody to answer.
void weft__sim_socket_lose(struct weft__sim_socket *s) {
    lose_operations(&s->readers);
    lose_operations(&s->writers);
    lose_operations(&s->watchers);
    if (s->fd >= 0)
        free_slot(s);
    if (s->tcp.stream != NULL) {
        weft__sim_stream_discard(s->tcp.stream, s->tcp.end);
        s->tcp.stream->pipes[s->tcp.end].is_reset = false;
        weft__sim_stream_leave(s->tcp.stream, s->tcp.end);
    }
    weft__sim_socket_free(s);
}

// The number is free at once, while a stream may go on without it, as an orphan.
static void close_socket(struct weft__sim_socket *s) {
    check_idle(s);
    free_slot(s);
    if (s->type == WEFT__STREAM)
        weft__sim_tcp_close(s);
    else
        weft__sim_socket_free(s);
}

// An error is told once, by whichever call comes first (sock_error in Linux).
int weft__sim_take_error(struct weft__sim_socket *s) {
    int error = s->error;
    s->error = 0;
    return -error;
}

// ---- Options ----

static bool is_tcp_option(enum weft__option option) {
    return option == WEFT__OPT_NODELAY || option == WEFT__OPT_KEEPALIVE_IDLE_S ||
           option == WEFT__OPT_KEEPALIVE_INTERVAL_S || option == WEFT__OPT_KEEPALIVE_COUNT;
}

// What a socket of this kind has not, setsockopt(2) refuses with ENOPROTOOPT, and getsockopt(2) of
// an IPv4 socket with EOPNOTSUPP.
static bool has_option(const struct weft__sim_socket *s, enum weft__option option) {
    if (option == WEFT__OPT_V6ONLY)
        return s->family == WEFT_IPV6;
    return s->type == WEFT__STREAM || !is_tcp_option(option);
}

static int set_in_range(struct weft__sim_socket *s, const struct weft__ctl *ctl, int min, int max) {
    if (ctl->value < min || ctl->value > max)
        return -EINVAL;
    s->options[ctl->option] = ctl->value;
    return 0;
}

// -1 means the default. IPv6 lets a packet have no hop at all (ipv6(7)).
static int set_ttl(struct weft__sim_socket *s, const struct weft__ctl *ctl) {
    if (ctl->value == -1) {
        s->options[WEFT__OPT_TTL] = TTL;
        return 0;
    }
    return set_in_range(s, ctl, s->family == WEFT_IPV6 ? 0 : 1, 255);
}

// socket(7): the kernel doubles the number, to have room for its own, and answers the double.
static int set_buffer(struct weft__sim_socket *s, const struct weft__ctl *ctl, int min) {
    uint32_t asked = (uint32_t)ctl->value;
    int size = 2 * (int)(asked < BUFFER_MAX ? asked : BUFFER_MAX);
    s->options[ctl->option] = size > min ? size : min;
    if (ctl->option == WEFT__OPT_SEND_BUFFER)
        s->is_send_size_set = true;
    else if (s->type == WEFT__STREAM)
        weft__sim_tcp_resize(s);
    return 0;
}

// V6ONLY decides whose a port is, so it is settled once the socket has one.
static int set_option(struct weft__sim_socket *s, const struct weft__ctl *ctl) {
    if (!has_option(s, ctl->option))
        return -ENOPROTOOPT;
    switch (ctl->option) {
    case WEFT__OPT_ERROR:
        return -EINVAL;
    case WEFT__OPT_LINGER_ZERO:
        s->is_linger_zero = true;
        return 0;
    case WEFT__OPT_TTL:
        return set_ttl(s, ctl);
    case WEFT__OPT_KEEPALIVE_IDLE_S:
    case WEFT__OPT_KEEPALIVE_INTERVAL_S:
        return set_in_range(s, ctl, 1, 32767);
    case WEFT__OPT_KEEPALIVE_COUNT:
        return set_in_range(s, ctl, 1, 127);
    case WEFT__OPT_SEND_BUFFER:
        return set_buffer(s, ctl, SEND_MIN);
    case WEFT__OPT_RECEIVE_BUFFER:
        return set_buffer(s, ctl, RECEIVE_MIN);
    case WEFT__OPT_V6ONLY:
        if (s->claim != NULL)
            return -EINVAL;
        break;
    default:
        break;
    }
    s->options[ctl->option] = ctl->value != 0;
    if (ctl->option == WEFT__OPT_KEEPALIVE)
        weft__sim_keepalive_begin(s);
    return 0;
}

static int get_option(struct weft__sim_socket *s, enum weft__option option) {
    if (!has_option(s, option))
        return s->family == WEFT_IPV4 ? -EOPNOTSUPP : -ENOPROTOOPT;
    if (option == WEFT__OPT_LINGER_ZERO)
        return -EINVAL;
    if (option == WEFT__OPT_ERROR)
        return -weft__sim_take_error(s);
    return s->options[option];
}

// ---- Names ----

// A second bind(2) is refused, and so is one after connect(2) or listen(2) has taken a port.
static int bind_socket(struct weft__sim_socket *s, const struct weft__ctl *ctl) {
    struct weft__sim_name name;
    int error = weft__sim_read_name(s, ctl->addr, true, &name);
    if (error == 0 && s->claim != NULL)
        error = -EINVAL;
    if (error == 0)
        error = weft__sim_bind(s, &name);
    if (error != -EADDRINUSE || s->claim != NULL)
        return error;
    // A connection that is over leaves a name to be asked for; a bind that fails takes its address.
    uint16_t port = s->local.port;
    s->local = weft__sim_wildcard(s->family);
    s->local.port = port;
    return error;
}

static int local_name(const struct weft__sim_socket *s, const struct weft__ctl *ctl) {
    *ctl->addr = weft__sim_show(s, &s->local);
    return 0;
}

// A connection that is over has no peer any more, even if its descriptor is still open.
static int peer_name(const struct weft__sim_socket *s, const struct weft__ctl *ctl) {
    bool is_over = s->type == WEFT__STREAM && s->tcp.state != WEFT__SIM_ESTABLISHED;
    if (!s->is_connected || is_over || s->remote.port == 0)
        return -ENOTCONN;
    *ctl->addr = weft__sim_show(s, &s->remote);
    return 0;
}

// ---- The whole of ctl ----

// By `ctl` nothing waits: a stream's connection has begun, and readiness will tell.
static int64_t connect_socket(struct weft__sim_socket *s, const struct weft__ctl *ctl) {
    if (s->type == WEFT__DATAGRAM)
        return weft__sim_udp_connect(s, ctl->addr);
    int64_t result = weft__sim_tcp_connect(s, ctl->addr);
    return result == -EAGAIN ? -EINPROGRESS : result;
}

static int64_t ctl_on(struct weft__sim_socket *s, struct weft__ctl *ctl) {
    bool is_stream = s->type == WEFT__STREAM;
    switch (ctl->kind) {
    case WEFT__CTL_BIND:
        return bind_socket(s, ctl);
    case WEFT__CTL_LISTEN:
        return is_stream ? weft__sim_tcp_listen(s, ctl->value) : -EOPNOTSUPP;
    case WEFT__CTL_CONNECT:
        return connect_socket(s, ctl);
    case WEFT__CTL_LOCAL:
        return local_name(s, ctl);
    case WEFT__CTL_PEER:
        return peer_name(s, ctl);
    case WEFT__CTL_SHUTDOWN:
        ASSERT(ctl->value >= WEFT__SHUT_READ && ctl->value <= WEFT__SHUT_BOTH);
        return is_stream ? weft__sim_tcp_shutdown(s, ctl->value)
                         : weft__sim_udp_shutdown(s, ctl->value);
    case WEFT__CTL_SET:
        return set_option(s, ctl);
    case WEFT__CTL_GET:
        return get_option(s, ctl->option);
    case WEFT__CTL_CLOSE:
        close_socket(s);
        return 0;
    case WEFT__CTL_SOCKET:
    case WEFT__CTL_RANDOM:
    case WEFT__CTL_WALL:
        break;
    }
    PANIC("unknown kind of control: %d", (int)ctl->kind);
}

// The program's own stream: what it draws never depends on the scheduler or the network.
static int64_t fill_random(struct weft__sim *sim, const struct weft__ctl *ctl) {
    for (size_t filled = 0; filled < ctl->size;) {
        uint64_t word = weft__rng_next(&sim->application);
        size_t left = ctl->size - filled;
        size_t size = left < sizeof word ? left : sizeof word;
        memcpy((char *)ctl->data + filled, &word, size);
        filled += size;
    }
    return 0;
}

static int64_t wall_clock(struct weft__sim *sim, const struct weft__ctl *ctl) {
    struct weft__driver *d = &sim->front.driver;
    ASSERT(ctl->host < sim->host_count);
    return d->class->now(d, WEFT__WALL) + sim->hosts[ctl->host]->wall_off_ns;
}

static int64_t dispatch(struct weft__sim *sim, struct weft__ctl *ctl, struct weft__sim_socket *s) {
    if (ctl->kind == WEFT__CTL_SOCKET)
        return make_socket(sim, ctl);
    if (ctl->kind == WEFT__CTL_RANDOM)
        return fill_random(sim, ctl);
    if (ctl->kind == WEFT__CTL_WALL)
        return wall_clock(sim, ctl);
    if (s == NULL)
        return ctl->kind == WEFT__CTL_CLOSE ? 0 : -EBADF;
    return ctl_on(s, ctl);
}

int64_t weft__sim_ctl(struct weft__driver *d, struct weft__ctl *ctl) {
    struct weft__sim *sim = weft__sim_of(d);
    struct weft__sim_socket *s = weft__sim_socket_at(sim, ctl->fd);
    int64_t who = s != NULL ? s->number : -1;
    int64_t result = dispatch(sim, ctl, s);
    weft__sim_trace(sim, WEFT__SIM_TRACE_CTL, who * 256 + (int64_t)ctl->kind, result);
    return result;
}

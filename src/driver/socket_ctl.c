// SPDX-License-Identifier: MIT
//
// weft__ctl on this machine: making sockets, their options and names, closing, random bytes. None
// of it waits. Not here: which options a listener or a connection gets (net/).
#include "driver/socket.h"

#include "base/address.h"
#include "base/assert.h"
#include "os/inet.h"
#include "os/os.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t result_of(int64_t n) {
    return n >= 0 ? n : -errno;
}

static int64_t make_socket(const struct weft__ctl *ctl) {
    ASSERT(ctl->family == WEFT_IPV4 || ctl->family == WEFT_IPV6);
    ASSERT(ctl->type == WEFT__STREAM || ctl->type == WEFT__DATAGRAM);
    int family = ctl->family == WEFT_IPV4 ? AF_INET : AF_INET6;
    int type = ctl->type == WEFT__STREAM ? SOCK_STREAM : SOCK_DGRAM;
    return result_of(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// bind(2) and connect(2). Neither waits: a datagram socket's connect only notes the peer.
static int64_t give_address(const struct weft__ctl *ctl) {
    struct sockaddr_storage storage;
    socklen_t length = weft__addr_to_sockaddr(ctl->addr, &storage);
    if (length == 0)
        return -EINVAL;
    const struct sockaddr *name = (struct sockaddr *)&storage;
    return result_of(ctl->kind == WEFT__CTL_BIND ? bind(ctl->fd, name, length)
                                                 : connect(ctl->fd, name, length));
}

static int64_t take_address(const struct weft__ctl *ctl) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    struct sockaddr *name = (struct sockaddr *)&storage;
    int n = ctl->kind == WEFT__CTL_LOCAL ? getsockname(ctl->fd, name, &length)
                                         : getpeername(ctl->fd, name, &length);
    return n == 0 ? weft__addr_from_sockaddr(&storage, length, ctl->addr) : -errno;
}

static int64_t shut_down(const struct weft__ctl *ctl) {
    ASSERT(ctl->value >= WEFT__SHUT_READ && ctl->value <= WEFT__SHUT_BOTH);
    int how = ctl->value == WEFT__SHUT_READ    ? SHUT_RD
              : ctl->value == WEFT__SHUT_WRITE ? SHUT_WR
                                               : SHUT_RDWR;
    return result_of(shutdown(ctl->fd, how));
}

// ---- Options --------------------------------------------------------------------------------

// Where setsockopt(2) keeps them; all of these are ints there. Zero: not that simple.
static const struct {
    int level, name;
} int_options[] = {
    [WEFT__OPT_REUSEADDR] = {SOL_SOCKET, SO_REUSEADDR},
    [WEFT__OPT_REUSEPORT] = {SOL_SOCKET, SO_REUSEPORT},
    [WEFT__OPT_V6ONLY] = {IPPROTO_IPV6, IPV6_V6ONLY},
    [WEFT__OPT_NODELAY] = {IPPROTO_TCP, TCP_NODELAY},
    [WEFT__OPT_KEEPALIVE] = {SOL_SOCKET, SO_KEEPALIVE},
    [WEFT__OPT_KEEPALIVE_IDLE_S] = {IPPROTO_TCP, TCP_KEEPIDLE},
    [WEFT__OPT_KEEPALIVE_INTERVAL_S] = {IPPROTO_TCP, TCP_KEEPINTVL},
    [WEFT__OPT_KEEPALIVE_COUNT] = {IPPROTO_TCP, TCP_KEEPCNT},
    [WEFT__OPT_SEND_BUFFER] = {SOL_SOCKET, SO_SNDBUF},    // socket(7): the kernel doubles it, and
    [WEFT__OPT_RECEIVE_BUFFER] = {SOL_SOCKET, SO_RCVBUF}, // answers the doubled number
    [WEFT__OPT_BROADCAST] = {SOL_SOCKET, SO_BROADCAST},
    [WEFT__OPT_ERROR] = {SOL_SOCKET, SO_ERROR},
};

static int64_t set_int(int fd, int level, int name, int value) {
    return result_of(setsockopt(fd, level, name, &value, sizeof value));
}

static int64_t get_int(int fd, int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == 0 ? value : -errno;
}

// An IPv6 socket has two, because what it sends to an IPv4-mapped address is IPv4 (ipv6(7)). The
// second is not there on a socket that is IPv6 alone, and then not needed.
static int64_t set_ttl(int fd, int hops) {
    if (get_int(fd, SOL_SOCKET, SO_DOMAIN) != AF_INET6)
        return set_int(fd, IPPROTO_IP, IP_TTL, hops);
    int64_t result = set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops);
    if (result == 0)
        (void)set_int(fd, IPPROTO_IP, IP_TTL, hops);
    return result;
}

static int64_t get_ttl(int fd) {
    bool is_ipv6 = get_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6;
    return is_ipv6 ? get_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS) : get_int(fd, IPPROTO_IP, IP_TTL);
}

static int64_t set_option(const struct weft__ctl *ctl) {
    if (ctl->option == WEFT__OPT_LINGER_ZERO) {
        struct linger zero = {.l_onoff = 1, .l_linger = 0};
        return result_of(setsockopt(ctl->fd, SOL_SOCKET, SO_LINGER, &zero, sizeof zero));
    }
    if (ctl->option == WEFT__OPT_TTL)
        return set_ttl(ctl->fd, ctl->value);
    if (ctl->option == WEFT__OPT_ERROR)
        return -EINVAL;
    return set_int(ctl->fd, int_options[ctl->option].level, int_options[ctl->option].name,
                   ctl->value);
}

static int64_t get_option(const struct weft__ctl *ctl) {
    if (ctl->option == WEFT__OPT_LINGER_ZERO)
        return -EINVAL;
    if (ctl->option == WEFT__OPT_TTL)
        return get_ttl(ctl->fd);
    return get_int(ctl->fd, int_options[ctl->option].level, int_options[ctl->option].name);
}

// ---- Random bytes ---------------------------------------------------------------------------

// getrandom(2) answers at most 256 bytes in one piece, and waits only in the first seconds of a
// machine's life.
static int64_t fill_random(const struct weft__ctl *ctl) {
    size_t filled = 0;
    while (filled < ctl->size) {
        ssize_t n = getrandom((char *)ctl->data + filled, ctl->size - filled, 0);
        if (n < 0 && errno != EINTR)
            return -errno;
        filled += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int64_t weft__socket_ctl(struct weft__ctl *ctl) {
    switch (ctl->kind) {
    case WEFT__CTL_SOCKET:
        return make_socket(ctl);
    case WEFT__CTL_BIND:
    case WEFT__CTL_CONNECT:
        return give_address(ctl);
    case WEFT__CTL_LISTEN:
        return result_of(listen(ctl->fd, ctl->value));
    case WEFT__CTL_LOCAL:
    case WEFT__CTL_PEER:
        return take_address(ctl);
    case WEFT__CTL_SHUTDOWN:
        return shut_down(ctl);
    case WEFT__CTL_SET:
        return set_option(ctl);
    case WEFT__CTL_GET:
        return get_option(ctl);
    case WEFT__CTL_CLOSE:
        // Whatever close(2) answers, EINTR too, the descriptor is gone (close(2), NOTES).
        (void)close(ctl->fd);
        return 0;
    case WEFT__CTL_RANDOM:
        return fill_random(ctl);
    case WEFT__CTL_WALL:
        return weft__clock_wall_ns();
    }
    PANIC("unknown kind of control: %d", (int)ctl->kind);
}

// ---- The same on every real driver ----------------------------------------------------------

int64_t weft__real_now(struct weft__driver *d, enum weft__clock clock) {
    (void)d;
    return clock == WEFT__WALL ? weft__clock_wall_ns() : weft__clock_monotonic_ns();
}

int64_t weft__real_ctl(struct weft__driver *d, struct weft__ctl *ctl) {
    (void)d;
    return weft__socket_ctl(ctl);
}

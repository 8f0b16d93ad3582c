// SPDX-License-Identifier: MIT
// Names inside the simulated world, how a socket shows them, and which address it sends from. All
// of 127.0.0.0/8 and ::1 are on every host. Not for text, and not for ports: whose a port is tells
// sim_port.c.
#include "base/address.h"
#include "driver/sim_net.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t loopback_v4[4] = {127, 0, 0, 1};
static const uint8_t loopback_v6[16] = {[15] = 1};

// All zeros: ::, or ::ffff:0.0.0.0 for IPv4.
struct weft__sim_name weft__sim_wildcard(int family) {
    struct weft__sim_name name = {.port = 0};
    if (family == WEFT_IPV4)
        memcpy(name.ip, mapped_prefix, sizeof mapped_prefix);
    return name;
}

bool weft__sim_is_v4(const struct weft__sim_name *name) {
    return memcmp(name->ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

bool weft__sim_is_wildcard(const struct weft__sim_name *name) {
    struct weft__sim_name wildcard = weft__sim_wildcard(weft__sim_is_v4(name) ? WEFT_IPV4 : 0);
    return weft__sim_same_ip(name, &wildcard);
}

bool weft__sim_is_loopback(const struct weft__sim_name *name) {
    return weft__sim_is_v4(name) ? name->ip[12] == loopback_v4[0]
                                 : memcmp(name->ip, loopback_v6, sizeof loopback_v6) == 0;
}

// Of the loopback network, or the limited one (RFC 919).
bool weft__sim_is_broadcast(const struct weft__sim_name *name) {
    static const uint8_t everybody[3] = {255, 255, 255};
    return weft__sim_is_v4(name) && memcmp(name->ip + 13, everybody, sizeof everybody) == 0 &&
           (name->ip[12] == loopback_v4[0] || name->ip[12] == 255);
}

bool weft__sim_same_ip(const struct weft__sim_name *a, const struct weft__sim_name *b) {
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool weft__sim_same_name(const struct weft__sim_name *a, const struct weft__sim_name *b) {
    return a->port == b->port && weft__sim_same_ip(a, b);
}

// ---- In and out ----

weft_addr weft__sim_show(const struct weft__sim_socket *s, const struct weft__sim_name *name) {
    const uint8_t *ip = s->family == WEFT_IPV4 ? name->ip + sizeof mapped_prefix : name->ip;
    return weft__address_make(s->family, ip, name->port, 0);
}

struct weft__sim_name weft__sim_name_of(const weft_addr *addr) {
    struct weft__sim_name name = weft__sim_wildcard(weft__address_family(addr));
    size_t size = weft__address_ip_size(addr);
    memcpy(name.ip + sizeof name.ip - size, weft__address_ip(addr), size);
    name.port = weft__address_port(addr);
    return name;
}

// Zones are dropped: loopback is one interface, and what belongs to another is not here.
int weft__sim_read_name(const struct weft__sim_socket *s, const weft_addr *addr, bool is_strict,
                        struct weft__sim_name *ret_name) {
    int family = weft__address_family(addr);
    if (family == 0)
        return -EINVAL;
    if (family != s->family && s->family == WEFT_IPV4)
        return -EAFNOSUPPORT;
    if (family != s->family && is_strict)
        return -EINVAL;
    *ret_name = weft__sim_name_of(addr);
    return 0;
}

// ---- The way ----

// Linux, too, takes a destination of all zeros for this machine.
static void set_loopback(struct weft__sim_name *name, bool is_v4) {
    if (!is_v4) {
        memcpy(name->ip, loopback_v6, sizeof loopback_v6);
        return;
    }
    memcpy(name->ip, mapped_prefix, sizeof mapped_prefix);
    memcpy(name->ip + sizeof mapped_prefix, loopback_v4, sizeof loopback_v4);
}

// An IPv6 socket reaches IPv4 by mapped addresses, unless it is IPv6 alone, and IPv6 no more once
// its own address is a mapped one.
static int check_family(const struct weft__sim_socket *s, const struct weft__sim_name *to) {
    if (s->family == WEFT_IPV4)
        return 0;
    if (weft__sim_is_v4(to))
        return s->options[WEFT__OPT_V6ONLY] ? -ENETUNREACH : 0;
    return weft__sim_is_v4(&s->local) ? -EAFNOSUPPORT : 0;
}

// What a host sends to itself comes from the address that it is for, but for loopback, which has
// one source for all of 127.0.0.0/8; what goes elsewhere comes from the host's own.
static int set_source(const struct weft__sim_socket *s, const struct weft__sim_name *to,
                      struct weft__sim_name *from) {
    bool is_v4 = weft__sim_is_v4(to);
    if (weft__sim_is_loopback(to)) {
        set_loopback(from, is_v4);
        return 0;
    }
    const struct weft__sim_name *own = weft__sim_host_ip(s->host, is_v4);
    if (own == NULL)
        return -ENETUNREACH;
    memcpy(from->ip, own->ip, sizeof from->ip);
    return 0;
}

// A wildcard is this machine: 0.0.0.0 the socket's own address, if it has one
// (ip_route_output_key in Linux), else a loopback address of the world that the socket is in.
static void name_wildcard(const struct weft__sim_socket *s, struct weft__sim_name *to) {
    bool is_v4 = weft__sim_is_v4(to);
    if (is_v4 && weft__sim_is_v4(&s->local) && !weft__sim_is_wildcard(&s->local)) {
        memcpy(to->ip, s->local.ip, sizeof to->ip);
        return;
    }
    set_loopback(to, is_v4 || weft__sim_is_v4(&s->local));
}

// Unless the socket was bound to an address. Whether anybody has the one it sends to turns out on
// the way. An IPv6 socket that was connected to the other world has no address for this one.
int weft__sim_route(const struct weft__sim_socket *s, struct weft__sim_name *to,
                    struct weft__sim_name *ret_from) {
    if (weft__sim_is_wildcard(to))
        name_wildcard(s, to);
    bool is_v4 = weft__sim_is_v4(to);
    bool is_here = weft__sim_is_local(s->host, to);
    bool has_way = is_here || weft__sim_host_ip(s->host, is_v4) != NULL;
    int error = has_way ? check_family(s, to) : -ENETUNREACH;
    if (error != 0)
        return error;
    *ret_from = s->local;
    if (!weft__sim_is_wildcard(ret_from) && weft__sim_is_v4(ret_from) == is_v4)
        return weft__sim_is_loopback(ret_from) && !is_here ? -EINVAL : 0;
    *ret_from = weft__sim_wildcard(is_v4 ? WEFT_IPV4 : WEFT_IPV6);
    ret_from->port = s->local.port;
    return set_source(s, to, ret_from);
}

// SPDX-License-Identifier: MIT
// Names inside the simulated machine, how a socket shows them, and the way from one to another. All
// of 127.0.0.0/8 and ::1 are here and nothing else is anywhere.
// Not for text, and not for ports: whose a port is tells sim_port.c.
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

bool weft__sim_is_local(const struct weft__sim_name *name) {
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
    struct weft__sim_name name = weft__sim_wildcard(family);
    size_t size = weft__address_ip_size(addr);
    memcpy(name.ip + sizeof name.ip - size, weft__address_ip(addr), size);
    name.port = weft__address_port(addr);
    *ret_name = name;
    return 0;
}

// ---- The way ----

// Linux, too, takes a destination of all zeros for this machine.
static void set_loopback(struct weft__sim_name *name, bool is_v4) {
    if (is_v4)
        memcpy(name->ip + sizeof mapped_prefix, loopback_v4, sizeof loopback_v4);
    else
        memcpy(name->ip, loopback_v6, sizeof loopback_v6);
}

// An IPv6 socket reaches IPv4 by mapped addresses, unless it is IPv6 alone or bound to one world.
static bool can_reach(const struct weft__sim_socket *s, const struct weft__sim_name *to) {
    bool is_v4 = weft__sim_is_v4(to);
    bool is_bound_to_both =
        s->family == WEFT_IPV6 && weft__sim_is_wildcard(&s->local) && !weft__sim_is_v4(&s->local);
    if (is_bound_to_both)
        return !is_v4 || !s->options[WEFT__OPT_V6ONLY];
    return is_v4 == weft__sim_is_v4(&s->local);
}

// Loopback has one source for all of 127.0.0.0/8, unless the socket was bound to another.
int weft__sim_route(const struct weft__sim_socket *s, struct weft__sim_name *to,
                    struct weft__sim_name *ret_from) {
    bool is_v4 = weft__sim_is_v4(to);
    if (weft__sim_is_wildcard(to))
        set_loopback(to, is_v4);
    if (!weft__sim_is_local(to) || !can_reach(s, to))
        return -ENETUNREACH;
    struct weft__sim_name from = s->local;
    if (weft__sim_is_wildcard(&from)) {
        from = weft__sim_wildcard(is_v4 ? WEFT_IPV4 : WEFT_IPV6);
        set_loopback(&from, is_v4);
        from.port = s->local.port;
    }
    *ret_from = from;
    return 0;
}

// SPDX-License-Identifier: MIT
// Internet addresses in the system's terms: thin wrappers over inet_pton(3), inet_ntop(3) and
// if_nametoindex(3), and the two sockaddr conversions. os/inet.h is the contract.
#include "os/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/assert.h"

_Static_assert(WEFT__SOCKADDR_SIZE == sizeof(struct sockaddr_storage), "see os/inet.h");
_Static_assert(WEFT__INET_TEXT_SIZE == INET6_ADDRSTRLEN, "see os/inet.h");

unsigned weft__addr_to_sockaddr(const weft_addr *addr, void *ret_storage) {
    in_port_t port = htons(weft__address_port(addr));
    if (weft__address_family(addr) == WEFT_IPV4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};
        memcpy(&in.sin_addr, weft__address_ip(addr), 4);
        memcpy(ret_storage, &in, sizeof in);
        return sizeof in;
    }
    if (weft__address_family(addr) == WEFT_IPV6) {
        struct sockaddr_in6 in6 = {
            .sin6_family = AF_INET6, .sin6_port = port, .sin6_scope_id = weft__address_zone(addr)};
        memcpy(&in6.sin6_addr, weft__address_ip(addr), 16);
        memcpy(ret_storage, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}

int weft__addr_from_sockaddr(const void *sockaddr, unsigned length, weft_addr *ret_addr) {
    sa_family_t family;
    size_t family_at = offsetof(struct sockaddr, sa_family);
    if (length < family_at + sizeof family)
        return -EINVAL;
    memcpy(&family, (const char *)sockaddr + family_at, sizeof family);
    if (family == AF_INET) {
        struct sockaddr_in in;
        if (length < sizeof in)
            return -EINVAL;
        memcpy(&in, sockaddr, sizeof in);
        *ret_addr = weft__address_make(WEFT_IPV4, &in.sin_addr, ntohs(in.sin_port), 0);
        return 0;
    }
    if (family == AF_INET6) {
        struct sockaddr_in6 in6;
        if (length < sizeof in6)
            return -EINVAL;
        memcpy(&in6, sockaddr, sizeof in6);
        *ret_addr =
            weft__address_make(WEFT_IPV6, &in6.sin6_addr, ntohs(in6.sin6_port), in6.sin6_scope_id);
        return 0;
    }
    return -EAFNOSUPPORT;
}

// inet_pton(3) may have written part of the address when it fails, hence the copy.
static int parse(int system_family, const char *text, uint8_t *ret_ip, size_t size) {
    uint8_t ip[16];
    if (inet_pton(system_family, text, ip) != 1)
        return -EINVAL;
    memcpy(ret_ip, ip, size);
    return 0;
}

int weft__inet_parse4(const char *text, uint8_t *ret_ip) {
    return parse(AF_INET, text, ret_ip, 4);
}

int weft__inet_parse6(const char *text, uint8_t *ret_ip) {
    return parse(AF_INET6, text, ret_ip, 16);
}

void weft__inet_format(int family, const uint8_t *ip, char *buf, size_t size) {
    ASSERT(family == WEFT_IPV4 || family == WEFT_IPV6);
    ASSERT(size >= WEFT__INET_TEXT_SIZE);
    // With a known family and enough room inet_ntop(3) has no way to fail.
    const char *text =
        inet_ntop(family == WEFT_IPV4 ? AF_INET : AF_INET6, ip, buf, (socklen_t)size);
    ASSERT(text == buf);
}

int weft__zone_find(const char *name, uint32_t *ret_zone) {
    unsigned index = if_nametoindex(name);
    if (index == 0)
        return errno == ENXIO ? -ENODEV : -errno;
    *ret_zone = index;
    return 0;
}

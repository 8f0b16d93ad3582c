// SPDX-License-Identifier: MIT
// weft_addr as a value: making, looking inside, comparing. All of it is plain arithmetic over the
// layout of base/address.h.
// Not text (addr_text.c, addr_parse.c), classes (addr_class.c) or sockaddrs (os/inet.c).
#include <string.h>
#include <weft/addr.h>

#include "base/address.h"
#include "base/rng.h"

weft_addr weft_addr_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port) {
    const uint8_t ip[4] = {a, b, c, d};
    return weft__address_make(WEFT_IPV4, ip, port, 0);
}

weft_addr weft_addr_ipv6(const uint8_t *bytes, uint16_t port, uint32_t zone) {
    return weft__address_make(WEFT_IPV6, bytes, port, zone);
}

weft_addr weft_addr_with_port(const weft_addr *addr, uint16_t port) {
    int family = weft__address_family(addr);
    // No address has no port either: it must stay all zero to stay equal to itself.
    if (family == 0)
        return *addr;
    return weft__address_make(family, weft__address_ip(addr), port, weft__address_zone(addr));
}

weft_addr weft_addr_unmap(const weft_addr *addr) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *ip = weft__address_ip(addr);
    if (weft__address_family(addr) != WEFT_IPV6 || memcmp(ip, mapped, sizeof mapped) != 0)
        return *addr;
    return weft__address_make(WEFT_IPV4, ip + 12, weft__address_port(addr), 0);
}

int weft_addr_family(const weft_addr *addr) {
    return weft__address_family(addr);
}

uint16_t weft_addr_port(const weft_addr *addr) {
    return weft__address_port(addr);
}

uint32_t weft_addr_zone(const weft_addr *addr) {
    return weft__address_zone(addr);
}

const uint8_t *weft_addr_bytes(const weft_addr *addr, size_t *ret_size) {
    size_t size = weft__address_ip_size(addr);
    if (ret_size != NULL)
        *ret_size = size;
    return size > 0 ? weft__address_ip(addr) : NULL;
}

bool weft_addr_equal(const weft_addr *a, const weft_addr *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static int compare(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

int weft_addr_compare(const weft_addr *a, const weft_addr *b) {
    int order = compare((uint64_t)weft__address_family(a), (uint64_t)weft__address_family(b));
    // Network order is most significant byte first, so bytes compare as the numbers do.
    if (order == 0)
        order = memcmp(weft__address_ip(a), weft__address_ip(b), weft__address_ip_size(a));
    if (order == 0)
        order = compare(weft__address_port(a), weft__address_port(b));
    if (order == 0)
        order = compare(weft__address_zone(a), weft__address_zone(b));
    return order;
}

uint64_t weft_addr_hash(const weft_addr *addr, uint64_t seed) {
    uint64_t hash = weft__mix64(seed);
    for (size_t i = 0; i < sizeof addr->words / sizeof addr->words[0]; i++)
        hash = weft__mix64(hash ^ addr->words[i]);
    return hash;
}

// SPDX-License-Identifier: MIT
// The layout of a weft_addr, known to this file alone: os/, the drivers and net/ read and build
// addresses through it, since the public functions live above two of them.
// Not for text, classes or sockaddrs: see net/addr*.c and os/inet.h.
//
//   words[0]  bits 0-7 family (0, WEFT_IPV4, WEFT_IPV6), 16-31 port, 32-63 zone
//   words[1]  0, kept for later
//   words[2..3]  the IP address in network order; IPv4 fills the first 4 bytes
// All other bits are 0, always, so that equal addresses are equal bytes.
#ifndef WEFT__ADDRESS_H
#define WEFT__ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <weft/addr.h>

static inline int weft__address_family(const weft_addr *addr) {
    return (int)(addr->words[0] & 0xff);
}

static inline uint16_t weft__address_port(const weft_addr *addr) {
    return (uint16_t)(addr->words[0] >> 16);
}

static inline uint32_t weft__address_zone(const weft_addr *addr) {
    return (uint32_t)(addr->words[0] >> 32);
}

// The size of the IP address in bytes: 4, 16, or 0 for no address.
static inline size_t weft__address_ip_size(const weft_addr *addr) {
    int family = weft__address_family(addr);
    return family == WEFT_IPV4 ? 4 : family == WEFT_IPV6 ? 16 : 0;
}

// The IP address in network order, weft__address_ip_size bytes.
static inline const uint8_t *weft__address_ip(const weft_addr *addr) {
    return (const uint8_t *)&addr->words[2];
}

// Builds an address. `ip` has 4 or 16 bytes, by family. The zone is dropped for IPv4, which has
// none.
static inline weft_addr weft__address_make(int family, const void *ip, uint16_t port,
                                           uint32_t zone) {
    if (family == WEFT_IPV4)
        zone = 0;
    weft_addr addr = {{(uint64_t)family | (uint64_t)port << 16 | (uint64_t)zone << 32, 0, 0, 0}};
    memcpy(&addr.words[2], ip, weft__address_ip_size(&addr));
    return addr;
}

#endif

// SPDX-License-Identifier: MIT
// The bytes of an IP packet: its header, and the checksum of what it carries. Only captures have
// need of them.
#ifndef WEFT__SIM_IP_H
#define WEFT__SIM_IP_H

#include "driver/sim_net.h"

enum weft__sim_protocol {
    WEFT__SIM_ICMP_V4 = 1,
    WEFT__SIM_TCP = 6,
    WEFT__SIM_UDP = 17,
    WEFT__SIM_ICMP_V6 = 58,
};

enum { WEFT__SIM_IP_SIZE_MAX = 40 }; // of a header

// Puts the header of a packet that carries `size` bytes; `ip` is zeroed. Returns the header's size.
size_t weft__sim_ip_put(uint8_t *ip, enum weft__sim_protocol protocol,
                        const struct weft__sim_name *from, const struct weft__sim_name *to,
                        size_t size);
// Fills in the checksum of the `size` bytes behind the header, where it is 0 so far.
void weft__sim_ip_checksum(uint8_t *ip, enum weft__sim_protocol protocol, size_t size);

// Big-endian, as networks have it.
static inline void weft__sim_put16(uint8_t *to, uint32_t value) {
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void weft__sim_put32(uint8_t *to, uint32_t value) {
    weft__sim_put16(to, value >> 16);
    weft__sim_put16(to + 2, value);
}

#endif

// SPDX-License-Identifier: MIT
// The bytes of an IP packet: see sim_ip.h. No packet has options, and none is a fragment; so the
// identification may be 0 (RFC 6864, 4.1).
#include "driver/sim_ip.h"

#include <string.h>

enum {
    V4_SIZE = 20,
    V6_SIZE = 40,
    V4_FIRST = 0x45, // the version, and the header's size in words
    V6_FIRST = 0x60,
    TTL = 64,
    DONT_FRAGMENT = 0x4000,
};

// The sum of RFC 1071, of 16-bit words.
static uint32_t sum_of(const uint8_t *data, size_t size, uint32_t sum) {
    uint64_t wide = sum;
    for (size_t i = 0; i + 1 < size; i += 2)
        wide += (uint32_t)data[i] << 8 | data[i + 1];
    if (size % 2 != 0)
        wide += (uint32_t)data[size - 1] << 8;
    while (wide >> 16 != 0)
        wide = (wide & 0xffff) + (wide >> 16);
    return (uint32_t)wide;
}

static void put_v4(uint8_t *ip, enum weft__sim_protocol protocol, const struct weft__sim_name *from,
                   const struct weft__sim_name *to, size_t size) {
    ip[0] = V4_FIRST;
    weft__sim_put16(ip + 2, (uint32_t)(V4_SIZE + size));
    weft__sim_put16(ip + 6, DONT_FRAGMENT);
    ip[8] = TTL;
    ip[9] = (uint8_t)protocol;
    memcpy(ip + 12, from->ip + 12, 4);
    memcpy(ip + 16, to->ip + 12, 4);
    weft__sim_put16(ip + 10, ~sum_of(ip, V4_SIZE, 0));
}

static void put_v6(uint8_t *ip, enum weft__sim_protocol protocol, const struct weft__sim_name *from,
                   const struct weft__sim_name *to, size_t size) {
    ip[0] = V6_FIRST;
    weft__sim_put16(ip + 4, (uint32_t)size);
    ip[6] = (uint8_t)protocol;
    ip[7] = TTL;
    memcpy(ip + 8, from->ip, 16);
    memcpy(ip + 24, to->ip, 16);
}

size_t weft__sim_ip_put(uint8_t *ip, enum weft__sim_protocol protocol,
                        const struct weft__sim_name *from, const struct weft__sim_name *to,
                        size_t size) {
    bool is_v4 = weft__sim_is_v4(to);
    (is_v4 ? put_v4 : put_v6)(ip, protocol, from, to, size);
    return is_v4 ? V4_SIZE : V6_SIZE;
}

static size_t checksum_at(enum weft__sim_protocol protocol) {
    switch (protocol) {
    case WEFT__SIM_TCP:
        return 16;
    case WEFT__SIM_UDP:
        return 6;
    case WEFT__SIM_ICMP_V4:
    case WEFT__SIM_ICMP_V6:
        break;
    }
    return 2;
}

// But for the older ICMP, addresses, length and protocol are in the sum, too. In UDP 0 means that
// there is none, and its other form stands for it (RFC 768).
void weft__sim_ip_checksum(uint8_t *ip, enum weft__sim_protocol protocol, size_t size) {
    bool is_v4 = ip[0] == V4_FIRST;
    uint8_t *data = ip + (is_v4 ? V4_SIZE : V6_SIZE);
    uint32_t sum = 0;
    if (protocol != WEFT__SIM_ICMP_V4) {
        sum = (uint32_t)protocol + (uint32_t)size;
        sum = is_v4 ? sum_of(ip + 12, 8, sum) : sum_of(ip + 8, 32, sum);
    }
    sum = ~sum_of(data, size, sum) & 0xffff;
    if (sum == 0 && protocol == WEFT__SIM_UDP)
        sum = 0xffff;
    weft__sim_put16(data + checksum_at(protocol), sum);
}

// SPDX-License-Identifier: MIT
// Which classes an IP address is in: IANA's special-purpose registries as two tables. Sources:
// https://www.iana.org/assignments/iana-ipv4-special-registry (RFC 6890, RFC 8190) and
// https://www.iana.org/assignments/iana-ipv6-special-registry, both as updated in October 2025.
// Not a firewall: routing and the host's own addresses are not looked at.
#include <string.h>
#include <weft/addr.h>

#include "base/address.h"

// A block of addresses and the classes of what is inside it; 0 for "none, and not global either".
struct block {
    uint8_t ip[16]; // IPv4 in the first four
    uint8_t bits;   // the length of the prefix
    uint16_t classes;
};

// The first block that contains an address decides, so an exception stands before the block that
// it is an exception from, and what remains is global by the last row.
static const struct block blocks4[] = {
    {{0, 0, 0, 0}, 32, WEFT_IP_UNSPECIFIED},
    {{0}, 8, 0}, // "this network", RFC 791
    {{10}, 8, WEFT_IP_PRIVATE},
    {{100, 64}, 10, WEFT_IP_SHARED},
    {{127}, 8, WEFT_IP_LOOPBACK},
    {{169, 254}, 16, WEFT_IP_LINK_LOCAL},
    {{172, 16}, 12, WEFT_IP_PRIVATE},
    {{192, 0, 0, 9}, 32, WEFT_IP_GLOBAL},  // port control protocol anycast, RFC 7723
    {{192, 0, 0, 10}, 32, WEFT_IP_GLOBAL}, // TURN anycast, RFC 8155
    {{192, 0, 0}, 24, 0},                  // IETF protocol assignments, RFC 6890
    {{192, 0, 2}, 24, WEFT_IP_DOCUMENTATION},
    {{192, 88, 99}, 24, 0}, // 6to4 relay anycast, deprecated: RFC 7526
    {{192, 168}, 16, WEFT_IP_PRIVATE},
    {{198, 18}, 15, WEFT_IP_BENCHMARKING},
    {{198, 51, 100}, 24, WEFT_IP_DOCUMENTATION},
    {{203, 0, 113}, 24, WEFT_IP_DOCUMENTATION},
    {{224}, 4, WEFT_IP_MULTICAST},
    {{255, 255, 255, 255}, 32, WEFT_IP_BROADCAST},
    {{240}, 4, 0}, // reserved, RFC 1112
    {{0}, 0, WEFT_IP_GLOBAL},
};

// IPv4-mapped addresses never come here. Where the registry says "N/A" (6to4, Teredo) it promises
// nothing, so these are not global. Only 2000::/3 is allocated to global unicast at all (IANA,
// "Internet Protocol Version 6 Address Space"), which covers every other block outside it.
static const struct block blocks6[] = {
    {{0}, 128, WEFT_IP_UNSPECIFIED},
    {{[15] = 1}, 128, WEFT_IP_LOOPBACK},
    {{0xfe, 0x80}, 10, WEFT_IP_LINK_LOCAL},
    {{0xfc}, 7, WEFT_IP_UNIQUE_LOCAL},
    {{0xff}, 8, WEFT_IP_MULTICAST},
    {{0x20, 0x01, 0x00, 0x01, [15] = 1}, 128, WEFT_IP_GLOBAL}, // as 192.0.0.9
    {{0x20, 0x01, 0x00, 0x01, [15] = 2}, 128, WEFT_IP_GLOBAL}, // as 192.0.0.10
    {{0x20, 0x01, 0x00, 0x01, [15] = 3}, 128, WEFT_IP_GLOBAL}, // service registration, RFC 9665
    {{0x20, 0x01, 0x00, 0x02, 0, 0}, 48, WEFT_IP_BENCHMARKING},
    {{0x20, 0x01, 0x00, 0x03}, 32, WEFT_IP_GLOBAL},             // AMT, RFC 7450
    {{0x20, 0x01, 0x00, 0x04, 0x01, 0x12}, 48, WEFT_IP_GLOBAL}, // AS112, RFC 7535
    {{0x20, 0x01, 0x00, 0x20}, 28, WEFT_IP_GLOBAL},             // ORCHIDv2, RFC 7343
    {{0x20, 0x01, 0x00, 0x30}, 28, WEFT_IP_GLOBAL},             // drone identifiers, RFC 9374
    {{0x20, 0x01, 0x00}, 23, 0},                                // protocols (Teredo), RFC 2928
    {{0x20, 0x01, 0x0d, 0xb8}, 32, WEFT_IP_DOCUMENTATION},
    {{0x20, 0x02}, 16, 0}, // 6to4, RFC 3056
    {{0x3f, 0xff, 0x00}, 20, WEFT_IP_DOCUMENTATION},
    {{0x20}, 3, WEFT_IP_GLOBAL},
    {{0}, 0, 0},
};

static bool is_inside(const struct block *block, const uint8_t *ip) {
    size_t whole = block->bits / 8;
    if (memcmp(ip, block->ip, whole) != 0)
        return false;
    unsigned rest = block->bits % 8;
    return rest == 0 || ((ip[whole] ^ block->ip[whole]) >> (8 - rest)) == 0;
}

// The last block of each table contains everything, so the search always ends at one.
static unsigned find_classes(const struct block *block, const uint8_t *ip) {
    while (!is_inside(block, ip))
        block++;
    return block->classes;
}

// NAT64's well-known prefix carries packets to the IPv4 address in its last four bytes, and must
// not be used for one that is not global (RFC 6052 section 3.1), though some translators do not
// check.
static unsigned classes6(const uint8_t *ip) {
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(ip, nat64, sizeof nat64) == 0)
        return find_classes(blocks4, ip + sizeof nat64) & WEFT_IP_GLOBAL;
    return find_classes(blocks6, ip);
}

bool weft_addr_is(const weft_addr *addr, unsigned classes) {
    weft_addr bare = weft_addr_unmap(addr);
    const uint8_t *ip = weft__address_ip(&bare);
    unsigned found = 0;
    if (weft__address_family(&bare) == WEFT_IPV4)
        found = find_classes(blocks4, ip);
    else if (weft__address_family(&bare) == WEFT_IPV6)
        found = classes6(ip);
    return (found & classes) != 0;
}

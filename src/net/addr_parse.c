// SPDX-License-Identifier: MIT
// The numeric parts of an address in text: IPv4, IPv6 with its zone, the port. Each function judges
// one piece, and is strict: what has two readings anywhere (octal, blanks, signs) is refused.
// Not how the pieces stand together, and not names: that is where.c.
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <weft/error.h>

#include "base/text.h"
#include "net/addr.h"
#include "os/inet.h"

enum { ZONE_NAME_MAX_SIZE = 15 }; // IF_NAMESIZE, less the NUL

// Copies a slice so that functions that want a NUL can read it; false when it does not fit, and
// then it is longer than anything that they would accept.
static bool copy(struct weft__slice slice, char *buf, size_t size) {
    if (slice.length >= size)
        return false;
    memcpy(buf, slice.start, slice.length);
    buf[slice.length] = '\0';
    return true;
}

const char *weft__judge_ipv4(struct weft__slice slice, weft_addr *ret_addr) {
    char text[WEFT__INET_TEXT_SIZE];
    uint8_t ip[4];
    if (!copy(slice, text, sizeof text) || weft__inet_parse4(text, ip) != 0)
        return "not an IPv4 address: four numbers 0 to 255, no leading zeros";
    *ret_addr = weft_addr_ipv4(ip[0], ip[1], ip[2], ip[3], 0);
    return NULL;
}

// All digits is a number, even where an interface has such a name: a text that weft_addr_text wrote
// must read back the same on every machine.
static const char *judge_zone(struct weft__slice slice, uint32_t *ret_zone) {
    static const char not_found[] = "there is no network interface of the zone's name";
    uint64_t number = 0;
    if (slice.length == 0)
        return "the zone after % is missing";
    int error = weft__parse_u64(slice.start, slice.length, UINT32_MAX, &number);
    if (error == -ERANGE)
        return "the zone is out of range: 1 to 4294967295";
    if (error == 0 && slice.start[0] == '0')
        return "the zone is 0 or has leading zeros";
    if (error == 0) {
        *ret_zone = (uint32_t)number;
        return NULL;
    }
    char name[ZONE_NAME_MAX_SIZE + 1];
    if (!copy(slice, name, sizeof name))
        return not_found;
    error = weft__zone_find(name, ret_zone);
    if (error == -ENODEV)
        return not_found;
    return error == 0 ? NULL : "the zone's network interface could not be looked up";
}

const char *weft__judge_ipv6(struct weft__slice slice, weft_addr *ret_addr) {
    char text[WEFT__INET_TEXT_SIZE];
    uint8_t ip[16];
    uint32_t zone = 0;
    struct weft__slice bare = slice; // without the zone, which inet_pton(3) does not know
    const char *percent = memchr(slice.start, '%', slice.length);
    if (percent != NULL)
        bare.length = (size_t)(percent - slice.start);
    if (!copy(bare, text, sizeof text) || weft__inet_parse6(text, ip) != 0)
        return "not an IPv6 address";
    if (percent != NULL) {
        struct weft__slice name = {percent + 1, slice.length - bare.length - 1};
        const char *why = judge_zone(name, &zone);
        if (why != NULL)
            return why;
    }
    *ret_addr = weft_addr_ipv6(ip, 0, zone);
    return NULL;
}

const char *weft__judge_port(struct weft__slice slice, uint16_t *ret_port) {
    uint64_t port = 0;
    if (slice.length == 0)
        return "the port is missing: write HOST:PORT";
    // Junk first, then size, then zeros: "080x" is no number, whatever else is wrong with it.
    int error = weft__parse_u64(slice.start, slice.length, 65535, &port);
    if (error == -EINVAL)
        return "the port is not a number: service names are not looked up";
    if (error == -ERANGE)
        return "the port is out of range: 0 to 65535";
    if (slice.start[0] == '0' && slice.length > 1)
        return "the port has leading zeros";
    *ret_port = (uint16_t)port;
    return NULL;
}

int weft_addr_parse_ip(const char *ip, uint16_t port, weft_addr *ret_addr) {
    if (ip == NULL)
        return -WEFT_EADDRESS;
    // No port comes with it, so a colon can only be IPv6's.
    struct weft__slice slice = {ip, strlen(ip)};
    weft_addr addr;
    if (weft__judge_ipv4(slice, &addr) != NULL && weft__judge_ipv6(slice, &addr) != NULL)
        return -WEFT_EADDRESS;
    *ret_addr = weft_addr_with_port(&addr, port);
    return 0;
}

// SPDX-License-Identifier: MIT
// weft_addr written as text, in the one canonical form (RFC 5952; the port as in its section 6).
// Zones are numbers here: a name would need a system call, and could change between two lines of
// a log. Not reading text: addr_parse.c and where.c.
#include <stdbool.h>

#include "base/address.h"
#include "base/assert.h"
#include "base/text.h"
#include "os/inet.h"

static void put_ip(struct weft__text *text, const weft_addr *addr) {
    char ip[WEFT__INET_TEXT_SIZE];
    weft__inet_format(weft__address_family(addr), weft__address_ip(addr), ip, sizeof ip);
    weft__text_put(text, ip);
    if (weft__address_zone(addr) != 0) {
        weft__text_put(text, "%");
        weft__text_put_u64(text, weft__address_zone(addr));
    }
}

// Brackets are for the port's sake: without them its colon would look like one of the address's.
static char *write_text(const weft_addr *addr, char *buf, bool with_port) {
    bool with_brackets = with_port && weft__address_family(addr) == WEFT_IPV6;
    struct weft__text text;
    weft__text_init(&text, buf, WEFT_ADDR_TEXT_SIZE);
    if (weft__address_family(addr) == 0) {
        weft__text_put(&text, "(no address)");
        return buf;
    }
    if (with_brackets)
        weft__text_put(&text, "[");
    put_ip(&text, addr);
    if (with_port) {
        weft__text_put(&text, with_brackets ? "]:" : ":");
        weft__text_put_u64(&text, weft__address_port(addr));
    }
    // The longest has 39 bytes of IPv6 (inet_ntop(3) writes dotted numbers only behind a ::), 11 of
    // zone, 2 brackets and 6 of port.
    ASSERT(!text.truncated);
    return buf;
}

char *weft_addr_text(const weft_addr *addr, char buf[static WEFT_ADDR_TEXT_SIZE]) {
    return write_text(addr, buf, true);
}

char *weft_addr_ip_text(const weft_addr *addr, char buf[static WEFT_ADDR_TEXT_SIZE]) {
    return write_text(addr, buf, false);
}

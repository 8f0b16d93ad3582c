// SPDX-License-Identifier: MIT
// Addresses and names in text, for the calls that take `where`: the same rules as the public
// weft_addr_parse, and the reason when a text is refused. Not the lookup of names.
#ifndef WEFT__ADDR_H
#define WEFT__ADDR_H

#include <stddef.h>
#include <stdint.h>
#include <weft/addr.h>

// Room for the longest host name (RFC 1035 section 2.3.4, less its length bytes), a final dot and
// NUL.
#define WEFT__HOST_SIZE 255

// "HOST:PORT" taken apart.
struct weft__where {
    weft_addr addr;             // when the host is an IP address, else no address
    char host[WEFT__HOST_SIZE]; // when it is a name, else ""
    uint16_t port;
};

// As weft_addr_parse. `ret_why` is set on failure to a static text that says what is wrong and fits
// after "weft: connect TEXT: ": "the port is missing".
int weft__addr_parse_why(const char *text, weft_addr *ret_addr, const char **ret_why);

// Takes apart what the calls accept as `where`: an address as in weft_addr_parse, or a host name
// and a port, "example.com:443". The port is always a number. A host whose last label is a number
// must be an IPv4 address: getaddrinfo(3) would read "127.1" and "0x7f000001" as 127.0.0.1.
// Returns 0, or -WEFT_EADDRESS with `ret_why` as above.
int weft__where_split(const char *where, struct weft__where *ret_where, const char **ret_why);

// The parts of such a text, each judged alone (addr_parse.c). They return NULL when the piece is
// right from its first byte to its last, and have set the result; else the reason, as `ret_why`
// above.
struct weft__slice {
    const char *start; // not NUL-terminated
    size_t length;
};

// A bare IPv4 address; a bare IPv6 address, with or without "%ZONE". The port of the result is 0.
const char *weft__judge_ipv4(struct weft__slice slice, weft_addr *ret_addr);
const char *weft__judge_ipv6(struct weft__slice slice, weft_addr *ret_addr);

// A port in decimal; an empty piece is a missing port.
const char *weft__judge_port(struct weft__slice slice, uint16_t *ret_port);

#endif

// SPDX-License-Identifier: MIT
// The address of a socket: an IPv4 or IPv6 address, a port, and for IPv6 a zone. A plain value of
// 32 bytes: copy it, compare it, put it in arrays; nothing needs to be freed. Not names:
// "example.com:443" is looked up by the calls that connect.
#ifndef WEFT_ADDR_H
#define WEFT_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/// One address. Zeroed it is no address: its family is 0. The words belong to the library; two
/// addresses are equal exactly when their bytes are.
typedef struct weft_addr {
    uint64_t words[4];
} weft_addr;

/// What weft_addr_family answers, besides 0 for no address.
enum { WEFT_IPV4 = 4, WEFT_IPV6 = 6 };

/// Room for any address as text, the final NUL included.
#define WEFT_ADDR_TEXT_SIZE 64

// A buffer parameter of at least that many bytes: C checks the size of arrays passed, C++ cannot.
#ifdef __cplusplus
#define WEFT_ADDR_TEXT_BUF(name) char *name
#else
#define WEFT_ADDR_TEXT_BUF(name) char name[static WEFT_ADDR_TEXT_SIZE]
#endif

// ---- Text -----------------------------------------------------------------------------------

/// Reads an address with its port: "127.0.0.1:7878", "[::1]:80", "[fe80::1%eth0]:80".
///   text      borrowed. Exactly an address: four decimal numbers without leading zeros, or the
///             forms of RFC 4291 section 2.2 in brackets, with a zone by interface name or number
///             (RFC 4007 section 11); then a port from 0 to 65535. No blanks, no names, nothing
///             before or after. NULL counts as empty.
///   ret_addr  set on success, untouched on failure.
/// Returns 0, or
///   -WEFT_EADDRESS  text is no such address, or its zone names no network interface
/// Never waits. Naming a zone by interface asks the system; nothing else does.
///
///     weft_addr addr;
///     if (weft_addr_parse("[::1]:7878", &addr) < 0) ...
int weft_addr_parse(const char *text, weft_addr *ret_addr);

/// Reads an address without a port: "10.0.0.1", "::1", "fe80::1%2"; no brackets.
///   ip        borrowed; as in weft_addr_parse.
///   port      the port that the address gets.
///   ret_addr  set on success, untouched on failure.
/// Returns 0, or
///   -WEFT_EADDRESS  ip is no such address, or its zone names no network interface
int weft_addr_parse_ip(const char *ip, uint16_t port, weft_addr *ret_addr);

/// Writes an address with its port in its one canonical form (RFC 5952): "[2001:db8::1]:80". A zone
/// is written as a number, which means the same on every thread and in every locale and needs no
/// system call. weft_addr_parse reads the text back as an equal address.
///   addr  borrowed; no address gives "(no address)".
///   buf   borrowed, at least WEFT_ADDR_TEXT_SIZE bytes.
/// Returns buf, so that it fits into a printf:
///
///     char buf[WEFT_ADDR_TEXT_SIZE];
///     printf("New connection: %s\n", weft_addr_text(&peer, buf));
char *weft_addr_text(const weft_addr *addr, WEFT_ADDR_TEXT_BUF(buf));

/// Writes an address without its port: "2001:db8::1", "fe80::1%2". Otherwise as weft_addr_text;
/// weft_addr_parse_ip reads it back.
char *weft_addr_ip_text(const weft_addr *addr, WEFT_ADDR_TEXT_BUF(buf));

// ---- Making ---------------------------------------------------------------------------------

/// The IPv4 address a.b.c.d with a port: weft_addr_ipv4(127, 0, 0, 1, 7878).
weft_addr weft_addr_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);

/// The IPv6 address of 16 bytes in network order, with a port.
///   bytes  borrowed, 16 of them.
///   zone   the interface's number for link-local addresses (RFC 4007), else 0.
weft_addr weft_addr_ipv6(const uint8_t *bytes, uint16_t port, uint32_t zone);

/// The same address with another port. No address stays no address.
weft_addr weft_addr_with_port(const weft_addr *addr, uint16_t port);

/// The IPv4 address inside an IPv4-mapped one (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), with the
/// same port; any other address as it is. A dual-stack listener sees IPv4 peers as mapped ones.
weft_addr weft_addr_unmap(const weft_addr *addr);

// ---- Looking inside -------------------------------------------------------------------------

/// WEFT_IPV4, WEFT_IPV6, or 0 for no address.
int weft_addr_family(const weft_addr *addr);

/// The port; 0 for no address.
uint16_t weft_addr_port(const weft_addr *addr);

/// The zone: an interface's number, or 0 for none.
uint32_t weft_addr_zone(const weft_addr *addr);

/// The bytes of the IP address in network order. They stay where they are, inside *addr.
///   addr      borrowed for as long as the result is used.
///   ret_size  may be NULL; set to 4 or 16, or 0 for no address.
/// Returns the first byte, or NULL for no address.
const uint8_t *weft_addr_bytes(const weft_addr *addr, size_t *ret_size);

// ---- Comparing ------------------------------------------------------------------------------

/// True when family, IP address, port and zone are the same. An IPv4 address and its IPv4-mapped
/// form are not: see weft_addr_unmap.
bool weft_addr_equal(const weft_addr *a, const weft_addr *b);

/// A total order for sorting and trees: no address, then IPv4, then IPv6; within a family by IP
/// address, then port, then zone.
/// Returns less than, equal to or greater than 0; 0 exactly when weft_addr_equal.
int weft_addr_compare(const weft_addr *a, const weft_addr *b);

/// A hash of all that weft_addr_equal compares, for tables in memory: it differs between machines
/// and versions.
///   seed  selects one of 2^64 functions. Give a table that peers can fill a random one.
uint64_t weft_addr_hash(const weft_addr *addr, uint64_t seed);

// ---- What kind of address it is -------------------------------------------------------------

/// Classes of IP addresses, as bits. The source is IANA's IPv4 and IPv6 Special-Purpose Address
/// Registries (RFC 6890, RFC 8190; state of October 2025) and the RFCs named here.
enum {
    WEFT_IP_UNSPECIFIED = 1 << 0,   ///< 0.0.0.0 and :: (RFC 1122, RFC 4291): any interface
    WEFT_IP_LOOPBACK = 1 << 1,      ///< 127.0.0.0/8, ::1 (RFC 1122, RFC 4291)
    WEFT_IP_MULTICAST = 1 << 2,     ///< 224.0.0.0/4, ff00::/8 (RFC 5771, RFC 4291)
    WEFT_IP_PRIVATE = 1 << 3,       ///< 10/8, 172.16/12, 192.168/16 (RFC 1918)
    WEFT_IP_LINK_LOCAL = 1 << 4,    ///< 169.254.0.0/16, fe80::/10 (RFC 3927, RFC 4291)
    WEFT_IP_BROADCAST = 1 << 5,     ///< 255.255.255.255 (RFC 919)
    WEFT_IP_DOCUMENTATION = 1 << 6, ///< 192.0.2/24, 198.51.100/24, 203.0.113/24 (RFC 5737),
                                    ///< 2001:db8::/32, 3fff::/20 (RFC 3849, RFC 9637)
    WEFT_IP_UNIQUE_LOCAL = 1 << 7,  ///< fc00::/7 (RFC 4193): IPv6's private addresses
    WEFT_IP_SHARED = 1 << 8,        ///< 100.64.0.0/10 (RFC 6598): behind a provider's NAT
    WEFT_IP_BENCHMARKING = 1 << 9,  ///< 198.18.0.0/15, 2001:2::/48 (RFC 2544, RFC 5180)
    WEFT_IP_GLOBAL = 1 << 10,       ///< unicast, allocated, and "globally reachable" there
};

/// Tells whether an address is in any of the given classes. Port and zone do not matter.
///   addr     borrowed; no address is in no class.
///   classes  one or more of WEFT_IP_..., joined with |.
/// An address that only wraps an IPv4 address is judged by that one, because that is where the
/// packets go: IPv4-mapped (::ffff:0:0/96) for every class, NAT64 (64:ff9b::/96, RFC 6052) for
/// WEFT_IP_GLOBAL. Not global are also multicast, 6to4, Teredo, and all IPv6 space outside
/// 2000::/3, from which alone IANA allocates. To keep a program from being sent to inside
/// addresses, refuse what is not global; a list of the other classes always misses some.
///
///     if (!weft_addr_is(&addr, WEFT_IP_GLOBAL))
///         return -EACCES;
bool weft_addr_is(const weft_addr *addr, unsigned classes);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif

// SPDX-License-Identifier: MIT
// What weft leaves to the system about Internet addresses: the conversion to and from struct
// sockaddr, the text of a bare IP address, the numbers of network interfaces. Needs no system
// header itself, so that drivers and net/ can include it.
// Not here: ports in text, brackets, names (net/addr_parse.c).
#ifndef WEFT__INET_H
#define WEFT__INET_H

#include <stddef.h>
#include <stdint.h>
#include <weft/addr.h>

// sizeof(struct sockaddr_storage); any buffer for a sockaddr may be this large.
#define WEFT__SOCKADDR_SIZE 128

// Fills a struct sockaddr_storage for connect(2), bind(2), sendmsg(2). Returns the length in bytes
// to pass with it, or 0 for no address (then nothing was written).
unsigned weft__addr_to_sockaddr(const weft_addr *addr, void *ret_storage);

// Reads what accept(2), getsockname(2) or recvmsg(2) stored in `length` bytes. `sockaddr` need not
// be aligned. Returns 0, or -EINVAL when it is too short for its family, or -EAFNOSUPPORT when the
// family is not of the Internet.
int weft__addr_from_sockaddr(const void *sockaddr, unsigned length, weft_addr *ret_addr);

// Reads a bare IPv4 address (four decimal numbers, no leading zeros) or a bare IPv6 address (RFC
// 4291 section 2.2, no zone). Returns 0 or -EINVAL.
int weft__inet_parse4(const char *text, uint8_t *ret_ip);
int weft__inet_parse6(const char *text, uint8_t *ret_ip);

// Room for any bare IP address as text, the NUL included.
#define WEFT__INET_TEXT_SIZE 46

// Writes a bare IP address in its canonical form (RFC 5952 for IPv6), at most WEFT__INET_TEXT_SIZE
// bytes. `family` is WEFT_IPV4 or WEFT_IPV6.
void weft__inet_format(int family, const uint8_t *ip, char *buf, size_t size);

// The number of the network interface `name`. Returns 0, or -ENODEV when there is none of this
// name, or another errno when the system could not be asked: asking takes a descriptor.
int weft__zone_find(const char *name, uint32_t *ret_zone);

#endif

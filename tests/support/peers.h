// SPDX-License-Identifier: MIT
// Handles to test with: connected pairs on the loopback address, full buffers, full backlogs, bytes
// that can be recognised. Ports are always chosen by the system.
#ifndef SUPPORT_PEERS_H
#define SUPPORT_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft.h>

// A listener on 127.0.0.1, and where it listens.
int listen_anywhere(weft_addr *ret_addr);
// An address of 127.0.0.1 where nobody listens.
weft_addr unused_address(void);

// The two ends of one connection: the first has connected, the second was accepted.
struct tcp_pair {
    int client, server;
};
struct tcp_pair tcp_pair_open(void);
struct tcp_pair tcp_pair_open_small(void); // with buffers of about 16 KiB
struct tcp_pair tcp_pair_open_at(const char *where);
void tcp_pair_close(struct tcp_pair *pair);

// A datagram socket on 127.0.0.1, and a socket connected to it.
int udp_anywhere(weft_addr *ret_addr);
int udp_connect_to(const weft_addr *peer);

// Writes until the connection takes no more. Returns how many bytes went out.
size_t fill_with_bytes(int conn);

// A listener whose backlog is full: the next connect waits.
struct full_listener {
    int listener;
    weft_addr addr;
    int waiting[16]; // connections nobody has accepted
    int count;
};
void full_listener_open(struct full_listener *full);
void full_listener_close(struct full_listener *full);

// Byte number i of the stream that bytes_fill writes and bytes_check expects.
unsigned char byte_at(uint64_t i);
void bytes_fill(void *buf, size_t size, uint64_t from);
bool bytes_are_right(const void *buf, size_t size, uint64_t from);

// Waits until the peer's reset has arrived at the connection, which holds no unread data.
void await_reset(int conn);
// Writes single bytes until that fails; returns how.
ssize_t write_until_error(int conn);

// Random numbers that are the same in every run with the same seed.
struct dice {
    uint64_t state;
};
uint64_t dice_roll(struct dice *dice, uint64_t sides); // 0 .. sides - 1

// Whether this machine has ::1.
bool ipv6_is_here(void);

#endif

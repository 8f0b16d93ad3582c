// SPDX-License-Identifier: MIT
// What the two halves of a player share: sockets and names (play.c), bytes (bytes.c).
#ifndef TESTS_DIFFERENTIAL_PLAY_H
#define TESTS_DIFFERENTIAL_PLAY_H

#include "base/rng.h"
#include "driver/driver.h"
#include "script.h"

enum { BUF_SIZE = 16384 };

struct place {
    bool is_open, is_stream, is_connecting;
    bool was_mapped; // an IPv6 stream that has tried to connect to a mapped address
    int fd, family;
    struct weft__op connect; // its note of a connection that has begun
    struct pending *pending; // a read that waits, or NULL
    weft_addr peer;
    uint64_t sent, received; // bytes of the stream
};

struct player {
    const struct script *script;
    const struct play *play;
    struct weft__driver *d;
    struct weft__rng rng;
    struct place places[PLACES];
    uint8_t loopback[4]; // the script's own IPv4 address
    uint16_t ports[PORTS];
    uint64_t serial;
    bool is_loose, has_shut_reading; // never both
    bool has_filled;
    int at; // the step
};

// ---- play.c ----

void play_wait(struct player *p, int64_t ns);
// An attempt that the simulator's faults leave alone.
int64_t play_attempt(struct player *p, const struct place *place, struct weft__op *op);
// A target as this socket names it.
weft_addr play_address_of(struct player *p, const struct place *who, int target);
// The same number for what is the same name in both worlds: which address, and whose port.
uint64_t play_number_of(struct player *p, const weft_addr *addr);
// The place at the other end, or NULL.
struct place *play_other_end(struct player *p, const struct place *place);

// ---- bytes.c ----

// A step that moves bytes, or waits for some, or waits no more.
struct outcome play_bytes(struct player *p, struct place *place, const struct step *step);

#endif

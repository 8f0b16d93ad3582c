// SPDX-License-Identifier: MIT
// Scripts of operations on a handful of sockets, made from a seed, to be played on the real
// loopback and in the simulator. A script is a list of steps that mean something whatever has
// happened before, so that any of them can be dropped.
#ifndef TESTS_DIFFERENTIAL_SCRIPT_H
#define TESTS_DIFFERENTIAL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLACES = 6, PORTS = 3, STEPS_MAX = 80 };

enum what {
    OPEN_STREAM,
    OPEN_DATAGRAM,
    BIND,    // to TARGET `value`
    LISTEN,  // with a backlog of `value`
    CONNECT, // to TARGET `value`
    ACCEPT,  // into the first place that is free
    WRITE,   // `value` bytes
    READ,    // at most so many
    PEEK,
    SEND,    // a datagram of `value` bytes to TARGET `extra`
    RECEIVE, // one, into so many bytes
    SHUT,    // WEFT__SHUT_*
    CLOSE,
    SET, // option `value` to `extra`
    GET, // option `value`
    LOCAL,
    PEER,
    READY,
    FILL,   // writes until no more is taken
    DRAIN,  // reads until no more comes
    SUBMIT, // a read of at most `value` bytes, which waits
    CANCEL, // and no more: its outcome
    WHATS
};

// Where to: a port of the script's on its loopback address, or on any; a port that the system
// chooses; the name of the socket in a place.
enum target {
    TARGET_PORT,                        // + 0 .. PORTS - 1
    TARGET_ANY = TARGET_PORT + PORTS,   // + 0 .. PORTS - 1
    TARGET_CHOSEN = TARGET_ANY + PORTS, // loopback
    TARGET_ANY_CHOSEN,
    TARGET_PLACE, // + 0 .. PLACES - 1
    TARGETS = TARGET_PLACE + PLACES
};

struct step {
    enum what what;
    int place, value, extra;
};

// What the sockets of a script are: IPv4 on an address of the script's own; IPv6 on ::1; or both,
// of which the IPv6 ones reach the others by mapped addresses.
enum families { FAMILIES_V4, FAMILIES_V6, FAMILIES_BOTH };

struct script {
    uint64_t seed;
    enum families families;
    bool has_waits; // reads that wait
    int count;
    struct step steps[STEPS_MAX];
};

// What a step answered: a result, and what came with it (bytes, a name) as a number. Where the real
// system leaves open how many bytes a call moves, `result` says only that some were.
struct outcome {
    int64_t result;
    uint64_t more;
};

#define IS_WRONG (UINT64_C(1) << 60) // `more`: bytes that were not written, or not all of them
enum { NOT_DONE = 1 << 30 };         // the result of a step for which there was no socket

void script_make(struct script *script, uint64_t seed);
void script_drop(struct script *script, int index);
void script_print(const struct script *script, const struct outcome *real,
                  const struct outcome *sim);

// How a script is played. `settle_ns`: how long after each step; with `hurry`, in the simulator, a
// random part of it by seed instead.
struct play {
    bool is_real, hurry;
    uint64_t seed; // of the simulator
    int64_t settle_ns;
};

// Fills outcomes[0 .. count). Returns 0, or a negative errno when the driver does not start.
int script_play(const struct script *script, const struct play *play, struct outcome *outcomes);

#endif

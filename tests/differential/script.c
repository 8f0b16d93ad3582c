// SPDX-License-Identifier: MIT
// How a script is made, and printed when it finds a difference.
#include "script.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "driver/driver.h"

// With a smaller receive buffer Linux drops what it has announced room for, because of what a
// packet costs beside its bytes, and each few hundred bytes then take 200 ms.
enum { BUFFER_MIN = 20000 };

static const char *const whats[WHATS] = {
    "open stream", "open datagram", "bind",    "listen", "connect", "accept", "write", "read",
    "peek",        "send",          "receive", "shut",   "close",   "set",    "get",   "local",
    "peer",        "ready",         "fill",    "drain",  "submit",  "cancel"};

// How often each comes, in a hundred and a bit.
static const uint8_t weights[WHATS] = {
    [OPEN_STREAM] = 6, [OPEN_DATAGRAM] = 3, [BIND] = 5, [LISTEN] = 4, [CONNECT] = 9, [ACCEPT] = 7,
    [WRITE] = 11,      [READ] = 10,         [PEEK] = 3, [SEND] = 5,   [RECEIVE] = 5, [SHUT] = 6,
    [CLOSE] = 7,       [SET] = 4,           [GET] = 3,  [LOCAL] = 3,  [PEER] = 3,    [READY] = 8};

static int roll(struct weft__rng *rng, int n) {
    return (int)weft__rng_below(rng, (uint64_t)n);
}

static void add(struct script *script, enum what what, int place, int value, int extra) {
    script->steps[script->count++] =
        (struct step){.what = what, .place = place, .value = value, .extra = extra};
}

// Most scripts begin with a connection, or with two datagram sockets: chance finds them too rarely.
static void begin(struct script *script, struct weft__rng *rng) {
    int how = roll(rng, 8);
    if (how < 5) {
        add(script, OPEN_STREAM, 0, 0, 0);
        add(script, BIND, 0, TARGET_PORT, 0);
        add(script, LISTEN, 0, roll(rng, 3), 0);
        add(script, OPEN_STREAM, 1, 0, 0);
        add(script, CONNECT, 1, TARGET_PORT, 0);
        add(script, ACCEPT, 0, 0, 0);
    } else if (how < 7) {
        add(script, OPEN_DATAGRAM, 0, 0, 0);
        add(script, BIND, 0, TARGET_PORT, 0);
        add(script, OPEN_DATAGRAM, 1, 0, 0);
        add(script, CONNECT, 1, TARGET_PORT, 0);
    }
}

// Options whose values a program can see the effect of; LINGER_ZERO comes most often.
static void add_option(struct script *script, struct weft__rng *rng, enum what what, int place) {
    static const enum weft__option options[] = {WEFT__OPT_LINGER_ZERO, WEFT__OPT_LINGER_ZERO,
                                                WEFT__OPT_REUSEADDR,   WEFT__OPT_REUSEADDR,
                                                WEFT__OPT_REUSEPORT,   WEFT__OPT_NODELAY};
    static const enum weft__option asked[] = {WEFT__OPT_ERROR,   WEFT__OPT_ERROR,
                                              WEFT__OPT_ERROR,   WEFT__OPT_REUSEADDR,
                                              WEFT__OPT_NODELAY, WEFT__OPT_TTL};
    enum weft__option option = what == SET ? options[roll(rng, 6)] : asked[roll(rng, 6)];
    if (option == WEFT__OPT_NODELAY && script->families != FAMILIES_V4)
        option = WEFT__OPT_V6ONLY;
    add(script, what, place, (int)option, roll(rng, 4) != 0);
}

static int some_target(struct weft__rng *rng) {
    return roll(rng, 3) == 0 ? roll(rng, TARGETS) : TARGET_PORT + roll(rng, PORTS);
}

// Small enough that no script fills a buffer by accident: see is_loose in play.c.
static int some_size(struct weft__rng *rng) {
    return 1 + roll(rng, roll(rng, 4) == 0 ? 600 : 40);
}

static enum what some_what(struct weft__rng *rng) {
    int total = 0;
    for (int i = 0; i < WHATS; i++)
        total += weights[i];
    int at = roll(rng, total), i = 0;
    for (; at >= weights[i]; i++)
        at -= weights[i];
    return (enum what)i;
}

static void add_some(struct script *script, struct weft__rng *rng, bool with_fill) {
    enum what what = some_what(rng);
    int place = roll(rng, roll(rng, 3) == 0 ? PLACES : 3);
    if (script->has_waits && roll(rng, 6) == 0) {
        add(script, roll(rng, 2) == 0 ? SUBMIT : CANCEL, place, some_size(rng), 0);
        return;
    }
    if (with_fill && roll(rng, 5) == 0) {
        if (roll(rng, 3) == 0)
            add(script, SET, place,
                roll(rng, 2) == 0 ? WEFT__OPT_SEND_BUFFER : WEFT__OPT_RECEIVE_BUFFER,
                BUFFER_MIN + roll(rng, 30000));
        else
            add(script, roll(rng, 2) == 0 ? FILL : DRAIN, place, 0, 0);
        return;
    }
    switch (what) {
    case BIND:
    case CONNECT:
        add(script, what, place, some_target(rng), 0);
        break;
    case LISTEN:
        add(script, what, place, roll(rng, 3), 0);
        break;
    case SHUT:
        add(script, what, place, 1 + roll(rng, 3), 0);
        break;
    case SET:
    case GET:
        add_option(script, rng, what, place);
        break;
    default:
        add(script, what, place, some_size(rng), some_target(rng));
        break;
    }
}

// Half of the scripts are of IPv4. By the seed alone, so that the steps are those of any other.
static enum families some_families(uint64_t seed) {
    static const enum families families[] = {FAMILIES_V4, FAMILIES_V4, FAMILIES_V6, FAMILIES_BOTH};
    return families[weft__mix64(seed ^ 0x6666) % 4];
}

void script_make(struct script *script, uint64_t seed) {
    struct weft__rng rng;
    weft__rng_seed(&rng, seed);
    memset(script, 0, sizeof *script);
    script->seed = seed;
    script->families = some_families(seed);
    script->has_waits = weft__mix64(seed ^ 0x7777) % 2 == 0;
    begin(script, &rng);
    bool with_fill = roll(&rng, 5) == 0;
    int count = 10 + roll(&rng, STEPS_MAX - 20);
    while (script->count < count)
        add_some(script, &rng, with_fill);
}

void script_drop(struct script *script, int index) {
    script->count--;
    memmove(&script->steps[index], &script->steps[index + 1],
            (size_t)(script->count - index) * sizeof *script->steps);
}

// ---- Printing -------------------------------------------------------------------------------

static void print_target(int target) {
    if (target < TARGET_ANY)
        printf(", port %c", 'A' + target - TARGET_PORT);
    else if (target < TARGET_CHOSEN)
        printf(", any:port %c", 'A' + target - TARGET_ANY);
    else if (target < TARGET_PLACE)
        printf(", %s", target == TARGET_CHOSEN ? "a port" : "any:a port");
    else
        printf(", the name of s%d", target - TARGET_PLACE);
}

static void print_step(const struct step *step) {
    printf("%s(s%d", whats[step->what], step->place);
    switch (step->what) {
    case BIND:
    case CONNECT:
        print_target(step->value);
        break;
    case SEND:
        printf(", %d", step->value);
        print_target(step->extra);
        break;
    case SET:
        printf(", option %d, %d", step->value, step->extra);
        break;
    case LISTEN:
    case WRITE:
    case READ:
    case PEEK:
    case RECEIVE:
    case SHUT:
    case GET:
    case SUBMIT:
        printf(", %d", step->value);
        break;
    default:
        break;
    }
    printf(")");
}

static void print_outcome(const char *who, const struct outcome *outcome) {
    if (outcome->result == NOT_DONE)
        printf("  %s: -", who);
    else if (outcome->result < 0)
        printf("  %s: %s", who, strerror((int)-outcome->result));
    else
        printf("  %s: %lld", who, (long long)outcome->result);
    if (outcome->more != 0)
        printf(" (%llx)", (unsigned long long)outcome->more);
}

void script_print(const struct script *script, const struct outcome *real,
                  const struct outcome *sim) {
    static const char *const families[] = {"IPv4", "IPv6", "IPv4 and, in odd places, IPv6"};
    printf("    sockets of %s\n", families[script->families]);
    for (int i = 0; i < script->count; i++) {
        bool is_same = real[i].result == sim[i].result && real[i].more == sim[i].more;
        printf("%s %2d  ", is_same ? "  " : "->", i);
        print_step(&script->steps[i]);
        print_outcome(is_same ? "both" : "real", &real[i]);
        if (!is_same)
            print_outcome("sim", &sim[i]);
        printf("\n");
    }
}

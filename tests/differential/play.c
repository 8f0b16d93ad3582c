// SPDX-License-Identifier: MIT
// Plays a script on a driver. By attempts, so that each result of a system call is seen as it is; a
// SUBMIT alone waits, and what it had read by the CANCEL is its outcome.
//
// What the real system leaves open is left out of the outcomes:
// 1. Which port the system chooses: names are told by whose they are.
// 2. How many bytes go into a buffer that is nearly full, and how many of them have arrived: from
//    the first FILL or buffer size of a script on it is `loose`. Then a read or write that moved
//    bytes is as good as one that would wait, and readiness is not asked for. What the bytes are is
//    checked all the same, and a DRAIN that ends has read all that was written.
// 3. When a full window opens again for data that will be reset: on Linux that takes 200 ms, as if
//    who has shut reading announced no window, so that a probe has to find out; in the simulator it
//    opens at once. So a script is loose, or it shuts reading, whichever comes first.
#include "play.h"

#include <errno.h>
#include <string.h>

#include "base/address.h"

static int64_t now_ns(struct player *p) {
    return p->d->class->now(p->d, WEFT__MONOTONIC);
}

void play_wait(struct player *p, int64_t ns) {
    int64_t until = now_ns(p) + ns;
    while (now_ns(p) < until)
        p->d->class->wait(p->d, until);
}

static void settle(struct player *p) {
    p->d->class->wait(p->d, now_ns(p)); // for reads that wait and could go on
    if (!p->play->hurry)
        play_wait(p, p->play->settle_ns);
    else if (weft__rng_below(&p->rng, 2) == 0)
        play_wait(p, (int64_t)weft__rng_below(&p->rng, 40000));
}

static int64_t ctl(struct player *p, enum weft__ctl_kind kind, const struct place *place, int value,
                   weft_addr *addr) {
    return p->d->class->ctl(
        p->d, &(struct weft__ctl){.kind = kind, .fd = place->fd, .value = value, .addr = addr});
}

static int64_t set(struct player *p, const struct place *place, int option, int value) {
    return p->d->class->ctl(p->d, &(struct weft__ctl){.kind = WEFT__CTL_SET,
                                                      .fd = place->fd,
                                                      .option = (enum weft__option)option,
                                                      .value = value});
}

static void ignore(struct weft__op *op) {
    (void)op;
}

int64_t play_attempt(struct player *p, const struct place *place, struct weft__op *op) {
    op->fd = place->fd;
    op->serial = ++p->serial;
    op->flags |= WEFT__OP_INSIST;
    op->done = ignore;
    return p->d->class->try(p->d, op);
}

// ---- Names ----------------------------------------------------------------------------------

// The script's address as a socket of this family names it: to one of IPv6, an IPv4 address is a
// mapped one.
static weft_addr loopback_for(const struct player *p, int family, uint16_t port) {
    static const uint8_t v6[16] = {[15] = 1};
    uint8_t ip[16] = {[10] = 0xff, [11] = 0xff};
    if (p->script->families == FAMILIES_V6)
        return weft__address_make(WEFT_IPV6, v6, port, 0);
    memcpy(ip + 12, p->loopback, sizeof p->loopback);
    return weft__address_make(family, family == WEFT_IPV4 ? ip + 12 : ip, port, 0);
}

static weft_addr any(int family, uint16_t port) {
    return weft__address_make(family, (const uint8_t[16]){0}, port, 0);
}

weft_addr play_address_of(struct player *p, const struct place *who, int target) {
    weft_addr addr = loopback_for(p, who->family, 0);
    if (target < TARGET_ANY)
        return loopback_for(p, who->family, p->ports[target - TARGET_PORT]);
    if (target < TARGET_CHOSEN)
        return any(who->family, p->ports[target - TARGET_ANY]);
    if (target == TARGET_ANY_CHOSEN)
        return any(who->family, 0);
    if (target >= TARGET_PLACE && p->places[target - TARGET_PLACE].is_open)
        (void)ctl(p, WEFT__CTL_LOCAL, &p->places[target - TARGET_PLACE], 0, &addr);
    return addr;
}

// The same number for what is the same name in both worlds: which address, and whose port.
uint64_t play_number_of(struct player *p, const weft_addr *addr) {
    uint16_t port = weft__address_port(addr);
    uint64_t ip = (uint64_t)weft__address_family(addr) << 40;
    for (size_t i = 0; i < weft__address_ip_size(addr); i++)
        ip = (ip & ~UINT64_C(0xffffffff00)) | ((ip & 0xffffff00) << 8) |
             (uint64_t)weft__address_ip(addr)[i] << 8;
    if (port == 0)
        return ip;
    for (int i = 0; i < PORTS; i++)
        if (p->ports[i] == port)
            return ip | (0xa0 + (uint64_t)i);
    for (int i = 0; i < PLACES; i++) {
        weft_addr local = {0};
        if (p->places[i].is_open && ctl(p, WEFT__CTL_LOCAL, &p->places[i], 0, &local) == 0 &&
            weft__address_port(&local) == port)
            return ip | (0x10 + (uint64_t)i);
    }
    return ip | 1;
}

// The place at the other end, or NULL.
struct place *play_other_end(struct player *p, const struct place *place) {
    weft_addr local, peer, theirs;
    if (ctl(p, WEFT__CTL_LOCAL, place, 0, &local) != 0 ||
        ctl(p, WEFT__CTL_PEER, place, 0, &peer) != 0)
        return NULL;
    for (int i = 0; i < PLACES; i++) {
        struct place *other = &p->places[i];
        if (other != place && other->is_open && other->is_stream &&
            ctl(p, WEFT__CTL_LOCAL, other, 0, &theirs) == 0 &&
            memcmp(&theirs, &peer, sizeof peer) == 0 &&
            ctl(p, WEFT__CTL_PEER, other, 0, &theirs) == 0 &&
            memcmp(&theirs, &local, sizeof local) == 0)
            return other;
    }
    return NULL;
}

// ---- Steps ----------------------------------------------------------------------------------

static int family_of(const struct player *p, const struct place *place) {
    bool is_odd = (place - p->places) % 2 != 0;
    bool is_v6 =
        p->script->families == FAMILIES_V6 || (p->script->families == FAMILIES_BOTH && is_odd);
    return is_v6 ? WEFT_IPV6 : WEFT_IPV4;
}

static struct outcome open_at(struct player *p, struct place *place, int family, bool is_stream) {
    if (place->is_open)
        return (struct outcome){NOT_DONE, 0};
    struct weft__ctl make = {.kind = WEFT__CTL_SOCKET,
                             .family = family,
                             .type = is_stream ? WEFT__STREAM : WEFT__DATAGRAM};
    int64_t fd = p->d->class->ctl(p->d, &make);
    if (fd >= 0)
        *place = (struct place){
            .is_open = true, .is_stream = is_stream, .fd = (int)fd, .family = family};
    return (struct outcome){fd >= 0 ? 0 : fd, 0};
}

// A liberty of the simulator: it refuses the stream that connects to its own port, where Linux
// joins it to itself (RFC 9293 section 3.5, simultaneous open). No program means to.
static bool is_own_port(struct player *p, const struct place *place, const weft_addr *peer) {
    weft_addr local = {0};
    return ctl(p, WEFT__CTL_LOCAL, place, 0, &local) == 0 && weft__address_port(&local) != 0 &&
           weft__address_port(&local) == weft__address_port(peer);
}

// Another: an IPv6 stream whose connect to a mapped address has failed connects to IPv6 all the
// same, where Linux, which goes on sending as over IPv4, gets no answer. No program reuses such a
// socket.
static bool is_mapped_address(const weft_addr *addr) {
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return weft__address_family(addr) == WEFT_IPV6 &&
           memcmp(weft__address_ip(addr), prefix, sizeof prefix) == 0;
}

// Begins a connection, or asks how the one went that has begun.
static int64_t connect_to(struct player *p, struct place *place, int target) {
    if (!place->is_connecting) {
        place->peer = play_address_of(p, place, target);
        if (place->is_stream && is_own_port(p, place, &place->peer))
            return NOT_DONE;
        if (!place->is_stream)
            return ctl(p, WEFT__CTL_CONNECT, place, 0, &place->peer);
        bool is_mapped = is_mapped_address(&place->peer);
        if (place->was_mapped && !is_mapped)
            return NOT_DONE;
        place->was_mapped = place->family == WEFT_IPV6 && is_mapped;
        place->connect = (struct weft__op){.kind = WEFT__OP_CONNECT};
    }
    place->connect.peer = &place->peer;
    int64_t result = play_attempt(p, place, &place->connect);
    if (result == -EAGAIN) {
        settle(p);
        result = play_attempt(p, place, &place->connect);
    }
    place->is_connecting = result == -EAGAIN;
    if (result == 0)
        place->sent = place->received = 0;
    return result;
}

static struct outcome accept_from(struct player *p, struct place *place) {
    int i = 0;
    while (i < PLACES && p->places[i].is_open)
        i++;
    if (i == PLACES)
        return (struct outcome){NOT_DONE, 0};
    weft_addr peer = {0};
    struct weft__op op = {.kind = WEFT__OP_ACCEPT, .peer = &peer};
    int64_t fd = play_attempt(p, place, &op);
    if (fd < 0)
        return (struct outcome){fd, 0};
    p->places[i] =
        (struct place){.is_open = true, .is_stream = true, .fd = (int)fd, .family = place->family};
    return (struct outcome){i, play_number_of(p, &peer)};
}

static struct outcome name_of(struct player *p, const struct place *place,
                              enum weft__ctl_kind kind) {
    weft_addr addr = {0};
    int64_t result = ctl(p, kind, place, 0, &addr);
    return (struct outcome){result, result == 0 ? play_number_of(p, &addr) : 0};
}

static int64_t ready(struct player *p, const struct place *place) {
    if (p->is_loose && place->is_stream)
        return NOT_DONE;
    struct weft__op op = {.kind = WEFT__OP_READY, .events = WEFT__READABLE | WEFT__WRITABLE};
    return play_attempt(p, place, &op);
}

// With a receive buffer smaller than what it has announced room for Linux drops what comes, and the
// sender tries again after 200 ms, 400 ms and so on.
static int64_t set_option(struct player *p, const struct place *place, const struct step *step) {
    if (step->value == WEFT__OPT_SEND_BUFFER || step->value == WEFT__OPT_RECEIVE_BUFFER) {
        bool shrinks = p->has_filled && step->value == WEFT__OPT_RECEIVE_BUFFER;
        if (p->has_shut_reading || shrinks)
            return NOT_DONE;
        p->is_loose = true;
    }
    return set(p, place, step->value, step->extra);
}

static int64_t get_option(struct player *p, const struct place *place, int option) {
    return p->d->class->ctl(p->d, &(struct weft__ctl){.kind = WEFT__CTL_GET,
                                                      .fd = place->fd,
                                                      .option = (enum weft__option)option});
}

static int64_t shut(struct player *p, const struct place *place, int how) {
    if (p->is_loose)
        how = WEFT__SHUT_WRITE;
    p->has_shut_reading |= how != WEFT__SHUT_WRITE;
    return ctl(p, WEFT__CTL_SHUTDOWN, place, how, NULL);
}

static int64_t close_place(struct player *p, struct place *place) {
    (void)play_bytes(p, place, &(struct step){.what = CANCEL});
    place->is_open = false;
    return ctl(p, WEFT__CTL_CLOSE, place, 0, NULL);
}

// A read that is tried would overtake the one that waits, which the layers above do not let happen.
static bool is_reading(enum what what) {
    return what == READ || what == PEEK || what == RECEIVE || what == DRAIN || what == ACCEPT ||
           what == CONNECT || what == SUBMIT;
}

static struct outcome do_step(struct player *p, const struct step *step) {
    struct place *place = &p->places[step->place];
    weft_addr addr;
    if (step->what == OPEN_STREAM || step->what == OPEN_DATAGRAM)
        return open_at(p, place, family_of(p, place), step->what == OPEN_STREAM);
    bool is_to_wait = place->pending != NULL && is_reading(step->what);
    if (!place->is_open || is_to_wait)
        return (struct outcome){NOT_DONE, 0};
    switch (step->what) {
    case BIND:
        addr = play_address_of(p, place, step->value);
        return (struct outcome){ctl(p, WEFT__CTL_BIND, place, 0, &addr), 0};
    case LISTEN:
        return (struct outcome){ctl(p, WEFT__CTL_LISTEN, place, step->value, NULL), 0};
    case CONNECT:
        return (struct outcome){connect_to(p, place, step->value), 0};
    case ACCEPT:
        return accept_from(p, place);
    case SHUT:
        return (struct outcome){shut(p, place, step->value), 0};
    case CLOSE:
        return (struct outcome){close_place(p, place), 0};
    case SET:
        return (struct outcome){set_option(p, place, step), 0};
    case GET:
        return (struct outcome){get_option(p, place, step->value), 0};
    case LOCAL:
        return name_of(p, place, WEFT__CTL_LOCAL);
    case PEER:
        return name_of(p, place, WEFT__CTL_PEER);
    case READY:
        return (struct outcome){ready(p, place), 0};
    default:
        return play_bytes(p, place, step);
    }
}

// ---- The whole ------------------------------------------------------------------------------

// Ports that are free on every address. The IPv4 address is the script's own, so that those that
// its connections leave in TIME_WAIT are in nobody's way.
static void choose_names(struct player *p) {
    uint64_t n = weft__mix64(p->script->seed);
    const uint8_t ip[] = {127, (uint8_t)(1 + n % 250), (uint8_t)(n >> 8),
                          (uint8_t)(1 + n / 65536 % 250)};
    memcpy(p->loopback, ip, sizeof ip);
    struct place probes[PORTS] = {0};
    for (int i = 0; i < PORTS; i++) {
        weft_addr addr = any(WEFT_IPV6, 0);
        (void)open_at(p, &probes[i], WEFT_IPV6, true);
        (void)ctl(p, WEFT__CTL_BIND, &probes[i], 0, &addr);
        (void)ctl(p, WEFT__CTL_LOCAL, &probes[i], 0, &addr);
        p->ports[i] = weft__address_port(&addr);
    }
    for (int i = 0; i < PORTS; i++)
        (void)close_place(p, &probes[i]);
}

// Resets what is open, so that it leaves nothing behind.
static void close_all(struct player *p) {
    for (int i = 0; i < PLACES; i++)
        if (p->places[i].is_open) {
            (void)set(p, &p->places[i], WEFT__OPT_LINGER_ZERO, 1);
            (void)close_place(p, &p->places[i]);
        }
}

int script_play(const struct script *script, const struct play *play, struct outcome *outcomes) {
    struct player p = {.script = script, .play = play};
    weft__rng_seed(&p.rng, weft__mix64(play->seed));
    int error =
        play->is_real ? weft__thread_start(&p.d, NULL) : weft__sim_start(play->seed, &p.d, NULL);
    if (error != 0)
        return error;
    choose_names(&p);
    for (p.at = 0; p.at < script->count; p.at++) {
        outcomes[p.at] = do_step(&p, &script->steps[p.at]);
        if (outcomes[p.at].result != NOT_DONE)
            settle(&p);
    }
    close_all(&p);
    p.d->class->stop(p.d);
    return 0;
}

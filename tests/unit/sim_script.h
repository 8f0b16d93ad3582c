// SPDX-License-Identifier: MIT
// A program of random steps on sockets of every kind, in every state, right and wrong: what it does
// comes from its own seed, what happens from the driver's. It checks little; it is for traces,
// sanitizers and leaks.
#ifndef TESTS_UNIT_SIM_SCRIPT_H
#define TESTS_UNIT_SIM_SCRIPT_H

#include "base/rng.h"
#include "sim_tools.h"

enum { PLACES = 24, LANES = 3, BUF_SIZE = 20000 };

// A socket with an operation at a time in each lane: reading, writing, watching.
struct place {
    struct sock sock;
    struct call lanes[LANES];
    char bufs[LANES][BUF_SIZE];
    bool is_open;
};

struct script {
    struct place places[PLACES];
    struct weft__rng rng;
    uint16_t ports[8]; // of listeners and bound sockets, alive or dead
    size_t completed;
};

static inline uint32_t roll(struct script *script, uint32_t n) {
    return (uint32_t)weft__rng_below(&script->rng, n);
}

static inline struct place *place_with(struct script *script, bool is_open) {
    for (int i = 0; i < 8; i++) {
        struct place *place = &script->places[roll(script, PLACES)];
        if (place->is_open == is_open)
            return place;
    }
    return NULL;
}

static inline weft_addr some_address(struct script *script) {
    uint16_t port = script->ports[roll(script, 8)];
    switch (roll(script, 8)) {
    case 0:
        return loopback6(port);
    case 1:
        return any4(port);
    case 2:
        return mapped(port);
    case 3:
        return v4(1 + (int)roll(script, 3), 0);
    default:
        return loopback(port);
    }
}

static inline void step_open(struct script *script) {
    struct place *place = place_with(script, false);
    if (place == NULL)
        return;
    int family = roll(script, 4) == 0 ? WEFT_IPV6 : WEFT_IPV4;
    place->sock = open_in(family, roll(script, 3) == 0 ? WEFT__DATAGRAM : WEFT__STREAM);
    place->is_open = true;
    if (roll(script, 2) == 0)
        (void)set_option(place->sock, WEFT__OPT_REUSEADDR, 1);
    if (roll(script, 4) == 0)
        (void)set_option(place->sock, WEFT__OPT_REUSEPORT, 1);
    if (roll(script, 3) == 0) {
        (void)set_option(place->sock, WEFT__OPT_SEND_BUFFER, (int)roll(script, 30000));
        (void)set_option(place->sock, WEFT__OPT_RECEIVE_BUFFER, (int)roll(script, 30000));
    }
}

static inline void step_bind(struct script *script, struct place *place) {
    if (bind_to(place->sock, some_address(script)) == 0 || roll(script, 4) == 0) {
        (void)ctl(WEFT__CTL_LISTEN, place->sock, (int)roll(script, 4), NULL);
        script->ports[roll(script, 8)] = port_of(place->sock);
    }
}

static inline void take_accepted(struct script *script, struct call *call) {
    if (call->op.kind != WEFT__OP_ACCEPT || call->op.result < 0)
        return;
    struct place *place = place_with(script, false);
    struct sock sock = sock_of(call->op.result);
    if (place == NULL) {
        close_socket(sock);
        return;
    }
    place->sock = sock;
    place->is_open = true;
}

// Notices what has completed since it last looked.
static inline void reap(struct script *script) {
    for (int i = 0; i < PLACES; i++)
        for (int lane = 0; lane < LANES; lane++) {
            struct call *call = &script->places[i].lanes[lane];
            if (call->done_count == 0)
                continue;
            assert_int_equal(call->done_count, 1);
            call->done_count = 0;
            script->completed++;
            take_accepted(script, call);
        }
}

static inline void prepare_lane(struct script *script, struct place *place, int lane) {
    static const enum weft__op_kind kinds[LANES][4] = {
        {WEFT__OP_READ, WEFT__OP_READ, WEFT__OP_RECVMSG, WEFT__OP_ACCEPT},
        {WEFT__OP_WRITE, WEFT__OP_WRITE, WEFT__OP_SENDMSG, WEFT__OP_CONNECT},
        {WEFT__OP_READY, WEFT__OP_READY, WEFT__OP_READY, WEFT__OP_READY}};
    struct call *call = &place->lanes[lane];
    enum weft__op_kind kind = kinds[lane][roll(script, 4)];
    prepare_io(call, kind, place->sock, place->bufs[lane], 1 + roll(script, BUF_SIZE));
    call->op.events = 1 + roll(script, 3);
    call->op.flags = lane == 0 && roll(script, 4) == 0 ? WEFT__OP_PEEK : 0;
    call->peer = some_address(script);
    if (kind != WEFT__OP_SENDMSG || roll(script, 2) == 0)
        call->op.peer = &call->peer;
}

static inline void step_operate(struct script *script, struct place *place) {
    int lane = (int)roll(script, LANES);
    struct call *call = &place->lanes[lane];
    if (call->op.is_pending) {
        if (roll(script, 4) == 0)
            d->class->cancel(d, &call->op);
        return;
    }
    prepare_lane(script, place, lane);
    if (roll(script, 2) == 0)
        submit(call);
    else if ((call->op.result = d->class->try(d, &call->op)) >= 0)
        take_accepted(script, call);
}

static inline void close_place(struct script *script, struct place *place) {
    for (int lane = 0; lane < LANES; lane++)
        if (place->lanes[lane].op.is_pending)
            d->class->cancel(d, &place->lanes[lane].op);
    while (place->lanes[0].op.is_pending || place->lanes[1].op.is_pending ||
           place->lanes[2].op.is_pending)
        d->class->wait(d, 0);
    place->is_open = false;
    close_socket(place->sock);
    reap(script);
}

static inline void step_end(struct script *script, struct place *place) {
    if (roll(script, 3) == 0)
        (void)set_option(place->sock, WEFT__OPT_LINGER_ZERO, 1);
    if (roll(script, 2) == 0)
        (void)shut(place->sock, 1 + (int)roll(script, 3));
    else
        close_place(script, place);
}

static inline void step(struct script *script) {
    struct place *place = place_with(script, true);
    uint32_t what = roll(script, 20);
    if (what < 3 || place == NULL)
        step_open(script);
    else if (what < 5)
        step_bind(script, place);
    else if (what < 14)
        step_operate(script, place);
    else if (what < 15)
        step_end(script, place);
    else
        d->class->wait(d, what < 17 ? 0 : now_ns() + roll(script, 50000));
    reap(script);
}

// Runs the whole and closes all. Returns how many operations completed.
static inline size_t run_script(uint64_t seed, int steps) {
    static struct script script;
    memset(&script, 0, sizeof script);
    weft__rng_seed(&script.rng, seed);
    for (int i = 0; i < steps; i++)
        step(&script);
    for (int i = 0; i < PLACES; i++)
        if (script.places[i].is_open)
            close_place(&script, &script.places[i]);
    return script.completed;
}

#endif

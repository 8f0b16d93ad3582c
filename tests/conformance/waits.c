// SPDX-License-Identifier: MIT
// The scenes of all waits. Each begins with nothing to wait for in sight and ends with every handle
// closed.
#include "waits.h"

// ---- At a connection --------------------------------------------------------------------------

static void begin_pair(struct scene *scene) {
    scene->pair = tcp_pair_open();
    scene->handle = scene->pair.server;
    scene->direction = WEFT_READ;
}

static void begin_full_pair(struct scene *scene) {
    scene->pair = tcp_pair_open_small();
    scene->handle = scene->pair.server;
    scene->direction = WEFT_WRITE;
    fill_with_bytes(scene->handle);
}

static void end_pair(struct scene *scene) {
    tcp_pair_close(&scene->pair);
}

static ssize_t call_read(struct scene *scene) {
    char byte;
    return weft_read(scene->handle, &byte, 1);
}

static ssize_t call_peek(struct scene *scene) {
    char byte;
    return weft_peek(scene->handle, &byte, 1);
}

static ssize_t call_read_exact(struct scene *scene) {
    char buf[4];
    return weft_read_exact(scene->handle, buf, sizeof buf);
}

static ssize_t call_readv(struct scene *scene) {
    char buf[4];
    struct iovec parts[] = {{buf, 2}, {buf + 2, 2}};
    return weft_readv(scene->handle, parts, 2);
}

static ssize_t call_write(struct scene *scene) {
    return weft_write(scene->handle, "x", 1);
}

static ssize_t call_write_all(struct scene *scene) {
    return weft_write_all(scene->handle, "x", 1);
}

const struct wait wait_read = {"read", begin_pair, call_read, end_pair};
const struct wait wait_peek = {"peek", begin_pair, call_peek, end_pair};
const struct wait wait_read_exact = {"read_exact", begin_pair, call_read_exact, end_pair};
const struct wait wait_readv = {"readv", begin_pair, call_readv, end_pair};
const struct wait wait_write = {"write", begin_full_pair, call_write, end_pair};
const struct wait wait_write_all = {"write_all", begin_full_pair, call_write_all, end_pair};

// ---- At a listener, at an address -------------------------------------------------------------

static void begin_listener(struct scene *scene) {
    scene->handle = listen_anywhere(&scene->addr);
    scene->direction = WEFT_READ;
}

static void end_handle(struct scene *scene) {
    expect(weft_close(scene->handle), 0);
}

static ssize_t call_accept(struct scene *scene) {
    return weft_accept(scene->handle);
}

static void begin_full_listener(struct scene *scene) {
    full_listener_open(&scene->full);
    scene->direction = 0;
}

static void end_full_listener(struct scene *scene) {
    full_listener_close(&scene->full);
}

static ssize_t call_connect(struct scene *scene) {
    return weft_tcp_connect_with(&scene->full.addr, NULL);
}

const struct wait wait_accept = {"accept", begin_listener, call_accept, end_handle};
const struct wait wait_connect = {"connect", begin_full_listener, call_connect, end_full_listener};

// ---- At a datagram socket ---------------------------------------------------------------------

static void begin_datagram(struct scene *scene) {
    scene->handle = udp_anywhere(&scene->addr);
    scene->direction = WEFT_READ;
}

static ssize_t call_recv_from(struct scene *scene) {
    char buf[8];
    return weft_recv_from(scene->handle, buf, sizeof buf, NULL);
}

static ssize_t call_recv_with(struct scene *scene) {
    char buf[8];
    return weft_recv_with(scene->handle, buf, sizeof buf, NULL);
}

const struct wait wait_recv_from = {"recv_from", begin_datagram, call_recv_from, end_handle};
const struct wait wait_recv_with = {"recv_with", begin_datagram, call_recv_with, end_handle};
const struct wait wait_datagram_read = {"read of datagrams", begin_datagram, call_read, end_handle};

// ---- Elsewhere --------------------------------------------------------------------------------

static ssize_t call_ready(struct scene *scene) {
    return weft_ready(scene->handle, WEFT_READ);
}

// Whether one that is ready is counted at the handle is its own affair.
static void begin_ready(struct scene *scene) {
    begin_pair(scene);
    scene->direction = 0;
}

static void begin_nothing(struct scene *scene) {
    scene->direction = 0;
}

static void end_nothing(struct scene *scene) {
    (void)scene;
}

static ssize_t call_sleep(struct scene *scene) {
    (void)scene;
    return weft_sleep(WEFT_HOUR);
}

// One yield does not wait for anybody, so it is asked until something ends it.
static ssize_t call_yield(struct scene *scene) {
    (void)scene;
    int result;
    while ((result = weft_yield()) == 0)
        if (world_is("sim")) // only when nothing can run does virtual time move
            if ((result = weft_sleep(WEFT_MICROSECOND)) < 0)
                return result;
    return result;
}

const struct wait wait_ready = {"ready", begin_ready, call_ready, end_pair};
const struct wait wait_sleep = {"sleep", begin_nothing, call_sleep, end_nothing};
const struct wait wait_yield = {"yield", begin_nothing, call_yield, end_nothing};

// ---- Behind somebody else ---------------------------------------------------------------------

static void other_party(void *context) {
    struct scene *scene = context;
    char byte;
    if (scene->pair.server > 0)
        expect(weft_read(scene->handle, &byte, 1), 1);
    else
        expect(weft_close(opened(weft_accept(scene->handle))), 0);
}

static void begin_queued_read(struct scene *scene) {
    begin_pair(scene);
    party_start(&scene->others, "in front", other_party, scene);
    await_waiting(scene->handle, WEFT_READ, 1);
}

static void end_queued_read(struct scene *scene) {
    expect(weft_write(scene->pair.client, "x", 1), 1);
    parties_join(&scene->others);
    end_pair(scene);
}

static void begin_queued_accept(struct scene *scene) {
    begin_listener(scene);
    party_start(&scene->others, "in front", other_party, scene);
    await_waiting(scene->handle, WEFT_READ, 1);
}

static void end_queued_accept(struct scene *scene) {
    int client = opened(weft_tcp_connect_with(&scene->addr, NULL));
    parties_join(&scene->others);
    expect(weft_close(client), 0);
    end_handle(scene);
}

const struct wait wait_queued_read = {"read behind another", begin_queued_read, call_read,
                                      end_queued_read};
const struct wait wait_queued_accept = {"accept behind another", begin_queued_accept, call_accept,
                                        end_queued_accept};

// ---- For tasks --------------------------------------------------------------------------------

static int sleep_long(void *unused) {
    (void)unused;
    expect(weft_sleep(WEFT_HOUR), -ECANCELED);
    return 0;
}

static ssize_t call_join(struct scene *scene) {
    (void)scene;
    weft_scope below = {0};
    expect(weft_go(&below, sleep_long, (void *)NULL), 0);
    return weft_join(&below);
}

const struct wait wait_join = {"join", begin_nothing, call_join, end_nothing};

const struct wait *const all_waits[] = {
    &wait_read,      &wait_peek,        &wait_read_exact, &wait_readv,
    &wait_write,     &wait_write_all,   &wait_accept,     &wait_connect,
    &wait_recv_from, &wait_recv_with,   &wait_ready,      &wait_datagram_read,
    &wait_sleep,     &wait_queued_read, &wait_yield,      &wait_queued_accept,
};
const size_t wait_count = sizeof all_waits / sizeof all_waits[0];

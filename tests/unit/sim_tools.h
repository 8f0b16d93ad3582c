// SPDX-License-Identifier: MIT
// What the tests of the simulated driver add to driver_tools.h: short forms for attempts, and a
// runner. A test program runs its cases on several seeds; called with the argument `thread` it runs
// them on the real loopback instead, which is how their expectations were found.
#ifndef TESTS_UNIT_SIM_TOOLS_H
#define TESTS_UNIT_SIM_TOOLS_H

#include "driver/sim.h"
#include "driver_tools.h"

static uint64_t sim_seed = 1;

static inline int start_sim(struct weft__driver **ret_driver) {
    return weft__sim_start(sim_seed, ret_driver, NULL);
}

static inline int start_real(struct weft__driver **ret_driver) {
    return weft__thread_start(ret_driver, NULL);
}

static const struct contract sim_contract = {.name = "sim", .start = start_sim};
static const struct contract real_contract = {
    .name = "thread", .start = start_real, .is_real = true};

#define only_sim()                                                                                 \
    do {                                                                                           \
        if (contract->is_real)                                                                     \
            skip();                                                                                \
    } while (0)

static inline void wait_until(int64_t until_ns) {
    while (now_ns() < until_ns)
        d->class->wait(d, until_ns);
}

// Lets everything that is on its way arrive.
static inline void settle(void) {
    wait_until(now_ns() + 2000000);
}

// ---- Attempts ----

static inline int64_t try_io(enum weft__op_kind kind, struct sock s, void *buf, size_t size) {
    struct call call;
    prepare_io(&call, kind, s, buf, size);
    return d->class->try(d, &call.op);
}

static inline int64_t try_write(struct sock s) {
    return try_io(WEFT__OP_WRITE, s, "x", 1);
}

static inline int64_t try_read(struct sock s) {
    char buf[64];
    return try_io(WEFT__OP_READ, s, buf, sizeof buf);
}

static inline int64_t try_accept(struct sock s) {
    struct call call;
    prepare(&call, WEFT__OP_ACCEPT, s);
    return d->class->try(d, &call.op);
}

static inline int64_t try_connect(struct sock s, weft_addr to) {
    struct call call;
    prepare_connect(&call, s, &to);
    return d->class->try(d, &call.op);
}

// The events that are, of both; 0 for none.
static inline int64_t ready(struct sock s) {
    struct call call;
    prepare(&call, WEFT__OP_READY, s);
    call.op.events = WEFT__READABLE | WEFT__WRITABLE;
    int64_t result = d->class->try(d, &call.op);
    return result == -EAGAIN ? 0 : result;
}

static inline int64_t connect_to(struct sock s, weft_addr to) {
    struct call call;
    prepare_connect(&call, s, &to);
    return run(&call);
}

// ---- Controls ----

static inline struct sock open_in(int family, int type) {
    struct weft__ctl make = {.kind = WEFT__CTL_SOCKET, .family = family, .type = type};
    return sock_of(d->class->ctl(d, &make));
}

static inline int64_t set_option(struct sock s, enum weft__option option, int value) {
    struct weft__ctl set = {.kind = WEFT__CTL_SET, .fd = s.fd, .option = option, .value = value};
    return d->class->ctl(d, &set);
}

static inline int64_t get_option(struct sock s, enum weft__option option) {
    struct weft__ctl get = {.kind = WEFT__CTL_GET, .fd = s.fd, .option = option};
    return d->class->ctl(d, &get);
}

static inline int64_t shut(struct sock s, int how) {
    return ctl(WEFT__CTL_SHUTDOWN, s, how, NULL);
}

static inline weft_addr name_of(struct sock s, enum weft__ctl_kind local_or_peer) {
    weft_addr addr = {0};
    assert_int_equal(ctl(local_or_peer, s, 0, &addr), 0);
    return addr;
}

static inline uint16_t port_of(struct sock s) {
    weft_addr addr = name_of(s, WEFT__CTL_LOCAL);
    return weft__address_port(&addr);
}

static inline int64_t peer_of(struct sock s) {
    weft_addr addr;
    return ctl(WEFT__CTL_PEER, s, 0, &addr);
}

static inline int64_t bind_to(struct sock s, weft_addr addr) {
    return ctl(WEFT__CTL_BIND, s, 0, &addr);
}

// ---- Addresses ----

static inline weft_addr v4(int last, uint16_t port) {
    const uint8_t ip[] = {127, 0, 0, (uint8_t)last};
    return weft__address_make(WEFT_IPV4, ip, port, 0);
}

static inline weft_addr any4(uint16_t port) {
    return weft__address_make(WEFT_IPV4, (const uint8_t[4]){0}, port, 0);
}

static inline weft_addr any6(uint16_t port) {
    return weft__address_make(WEFT_IPV6, (const uint8_t[16]){0}, port, 0);
}

static inline weft_addr loopback6(uint16_t port) {
    return weft__address_make(WEFT_IPV6, (const uint8_t[16]){[15] = 1}, port, 0);
}

static inline weft_addr mapped(uint16_t port) {
    const uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    return weft__address_make(WEFT_IPV6, ip, port, 0);
}

static inline bool same(weft_addr a, weft_addr b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

// ---- Running ----

#define sim_main(argc, argv, cases)                                                                \
    sim_run((argc), (argv), (cases), sizeof(cases) / sizeof *(cases))

static inline int sim_run(int argc, char **argv, const struct CMUnitTest *cases, size_t count) {
    contract = argc > 1 && strcmp(argv[1], "thread") == 0 ? &real_contract : &sim_contract;
    int failed = 0;
    for (sim_seed = 1; sim_seed <= (contract->is_real ? 1 : 3); sim_seed++)
        failed += _cmocka_run_group_tests(contract->name, cases, count, NULL, NULL);
    return failed;
}

#endif

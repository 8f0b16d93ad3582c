// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_ctl.c: descriptors, options, random bytes; as on Linux (see
// sim_tools.h).
#include "sim_tools.h"

enum { FIRST_FD = 1 << 24 };

static void descriptors_are_far_above_real_ones(void **state) {
    (void)state;
    only_sim();
    struct sock a = open_socket(WEFT__STREAM), b = open_socket(WEFT__DATAGRAM);
    assert_int_equal(a.fd, FIRST_FD);
    assert_int_equal(b.fd, FIRST_FD + 1);
    close_socket(a);
    struct sock c = open_socket(WEFT__DATAGRAM);
    assert_int_equal(c.fd, a.fd); // at once, so that a stale number is noticed
    close_socket(b);
    close_socket(c);
}

static void a_number_that_is_no_descriptor_is_ebadf(void **state) {
    (void)state;
    struct sock gone = open_socket(WEFT__STREAM);
    close_socket(gone);
    const struct sock bad[] = {gone, {.fd = -1}, {.fd = FIRST_FD + 12345}, {.fd = INT32_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(try_read(bad[i]), -EBADF);
        assert_int_equal(try_write(bad[i]), -EBADF);
        assert_int_equal(run_io(WEFT__OP_READ, bad[i], NULL, 0), -EBADF);
        assert_int_equal(shut(bad[i], WEFT__SHUT_BOTH), -EBADF);
        assert_int_equal(get_option(bad[i], WEFT__OPT_ERROR), -EBADF);
        assert_int_equal(ctl(WEFT__CTL_CLOSE, bad[i], 0, NULL), 0);
    }
}

static void a_submitted_operation_on_no_descriptor_completes(void **state) {
    (void)state;
    only_sim(); // ppoll(2) would wait for ever for some of these
    struct call call;
    char byte;
    prepare_io(&call, WEFT__OP_READ, (struct sock){.fd = FIRST_FD}, &byte, 1);
    submit(&call);
    await_done(&call);
    assert_int_equal(call.op.result, -EBADF);
}

static void many_sockets_may_be_open_at_once(void **state) {
    (void)state;
    only_sim(); // more than a process may have
    enum { COUNT = 20000 };
    static struct sock socks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        socks[i] = open_socket(WEFT__STREAM);
        assert_int_equal(socks[i].fd, FIRST_FD + i);
    }
    for (int i = 0; i < COUNT; i++)
        close_socket(socks[i]);
}

// ---- Options ----

static void options_have_the_defaults_of_linux(void **state) {
    (void)state;
    struct sock tcp = open_socket(WEFT__STREAM);
    assert_int_equal(get_option(tcp, WEFT__OPT_REUSEADDR), 0);
    assert_int_equal(get_option(tcp, WEFT__OPT_REUSEPORT), 0);
    assert_int_equal(get_option(tcp, WEFT__OPT_NODELAY), 0);
    assert_int_equal(get_option(tcp, WEFT__OPT_KEEPALIVE), 0);
    assert_int_equal(get_option(tcp, WEFT__OPT_KEEPALIVE_IDLE_S), 7200);
    assert_int_equal(get_option(tcp, WEFT__OPT_KEEPALIVE_INTERVAL_S), 75);
    assert_int_equal(get_option(tcp, WEFT__OPT_KEEPALIVE_COUNT), 9);
    assert_int_equal(get_option(tcp, WEFT__OPT_SEND_BUFFER), 16384);
    assert_int_equal(get_option(tcp, WEFT__OPT_RECEIVE_BUFFER), 131072);
    assert_int_equal(get_option(tcp, WEFT__OPT_BROADCAST), 0);
    assert_int_equal(get_option(tcp, WEFT__OPT_TTL), 64);
    assert_int_equal(get_option(tcp, WEFT__OPT_ERROR), 0);
    close_socket(tcp);
    struct sock udp = open_in(WEFT_IPV6, WEFT__DATAGRAM);
    assert_int_equal(get_option(udp, WEFT__OPT_V6ONLY), 0);
    assert_int_equal(get_option(udp, WEFT__OPT_SEND_BUFFER), 212992);
    assert_int_equal(get_option(udp, WEFT__OPT_RECEIVE_BUFFER), 212992);
    assert_int_equal(get_option(udp, WEFT__OPT_TTL), 64);
    close_socket(udp);
}

static void options_are_kept(void **state) {
    (void)state;
    struct sock s = open_in(WEFT_IPV6, WEFT__STREAM);
    const enum weft__option switches[] = {WEFT__OPT_REUSEADDR, WEFT__OPT_REUSEPORT,
                                          WEFT__OPT_V6ONLY,    WEFT__OPT_NODELAY,
                                          WEFT__OPT_KEEPALIVE, WEFT__OPT_BROADCAST};
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        assert_int_equal(set_option(s, switches[i], 7), 0);
        assert_int_equal(get_option(s, switches[i]), 1);
        assert_int_equal(set_option(s, switches[i], 0), 0);
        assert_int_equal(get_option(s, switches[i]), 0);
    }
    const enum weft__option numbers[] = {WEFT__OPT_KEEPALIVE_IDLE_S, WEFT__OPT_KEEPALIVE_INTERVAL_S,
                                         WEFT__OPT_KEEPALIVE_COUNT, WEFT__OPT_TTL};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal(set_option(s, numbers[i], 42), 0);
        assert_int_equal(get_option(s, numbers[i]), 42);
    }
    assert_int_equal(set_option(s, WEFT__OPT_TTL, -1), 0);
    assert_int_equal(get_option(s, WEFT__OPT_TTL), 64);
    assert_int_equal(set_option(s, WEFT__OPT_LINGER_ZERO, 1), 0);
    close_socket(s);
}

static void numbers_out_of_range_are_refused(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    const struct {
        enum weft__option option;
        int low, high;
    } rows[] = {{WEFT__OPT_TTL, 0, 256},
                {WEFT__OPT_KEEPALIVE_IDLE_S, 0, 32768},
                {WEFT__OPT_KEEPALIVE_INTERVAL_S, 0, 32768},
                {WEFT__OPT_KEEPALIVE_COUNT, 0, 128}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(set_option(s, rows[i].option, rows[i].low), -EINVAL);
        assert_int_equal(set_option(s, rows[i].option, rows[i].high), -EINVAL);
        assert_int_equal(set_option(s, rows[i].option, rows[i].low + 1), 0);
        assert_int_equal(set_option(s, rows[i].option, rows[i].high - 1), 0);
    }
    assert_int_equal(set_option(s, WEFT__OPT_ERROR, 1), -EINVAL);
    assert_int_equal(get_option(s, WEFT__OPT_LINGER_ZERO), -EINVAL);
    close_socket(s);
}

static void options_of_another_kind_of_socket_are_unknown(void **state) {
    (void)state;
    struct sock tcp = open_socket(WEFT__STREAM), udp = open_socket(WEFT__DATAGRAM);
    assert_int_equal(set_option(tcp, WEFT__OPT_V6ONLY, 1), -ENOPROTOOPT);
    assert_int_equal(set_option(udp, WEFT__OPT_NODELAY, 1), -ENOPROTOOPT);
    assert_int_equal(get_option(udp, WEFT__OPT_NODELAY), -EOPNOTSUPP);
    assert_int_equal(get_option(tcp, WEFT__OPT_V6ONLY), -EOPNOTSUPP);
    assert_int_equal(set_option(udp, WEFT__OPT_KEEPALIVE_COUNT, 1), -ENOPROTOOPT);
    assert_int_equal(set_option(udp, WEFT__OPT_KEEPALIVE, 1), 0);
    close_socket(tcp);
    close_socket(udp);
}

static void v6only_is_settled_by_binding(void **state) {
    (void)state;
    struct sock s = open_in(WEFT_IPV6, WEFT__STREAM);
    assert_int_equal(bind_to(s, loopback6(0)), 0);
    assert_int_equal(set_option(s, WEFT__OPT_V6ONLY, 1), -EINVAL);
    close_socket(s);
}

static void buffers_are_doubled_and_have_limits(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__DATAGRAM);
    assert_int_equal(set_option(s, WEFT__OPT_SEND_BUFFER, 10000), 0);
    assert_int_equal(get_option(s, WEFT__OPT_SEND_BUFFER), 20000);
    assert_int_equal(set_option(s, WEFT__OPT_SEND_BUFFER, 0), 0);
    assert_int_equal(get_option(s, WEFT__OPT_SEND_BUFFER), 4608);
    assert_int_equal(set_option(s, WEFT__OPT_RECEIVE_BUFFER, 0), 0);
    assert_int_equal(get_option(s, WEFT__OPT_RECEIVE_BUFFER), 2304);
    assert_int_equal(set_option(s, WEFT__OPT_RECEIVE_BUFFER, -1), 0);
    if (!contract->is_real) // net.core.rmem_max as Linux has it at first
        assert_int_equal(get_option(s, WEFT__OPT_RECEIVE_BUFFER), 425984);
    close_socket(s);
}

static void connecting_a_stream_by_ctl_is_in_progress(void **state) {
    (void)state;
    weft_addr addr;
    struct sock listener = open_listener(1, &addr), s = open_socket(WEFT__STREAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, s, 0, &addr), -EINPROGRESS);
    settle();
    assert_int_equal(ready(s), WEFT__WRITABLE);
    assert_int_equal(peer_of(s), 0);
    close_socket(s);
    close_socket(listener);
}

// ---- Random bytes ----

static void fill_random(unsigned char *bytes, size_t size) {
    struct weft__ctl ask = {.kind = WEFT__CTL_RANDOM, .data = bytes, .size = size};
    assert_int_equal(d->class->ctl(d, &ask), 0);
}

static void random_bytes_come_from_the_seed(void **state) {
    (void)state;
    only_sim();
    unsigned char first[2][37] = {{0}}, second[37] = {0};
    for (int i = 0; i < 2; i++) {
        struct weft__driver *mine = d;
        assert_int_equal(contract->start(&d), 0);
        fill_random(first[i], sizeof first[i]);
        fill_random(second, sizeof second);
        assert_memory_not_equal(first[i], second, sizeof second);
        d->class->stop(d);
        d = mine;
    }
    assert_memory_equal(first[0], first[1], sizeof second);
    sim_seed += 1000;
    struct weft__driver *mine = d;
    assert_int_equal(contract->start(&d), 0);
    fill_random(second, sizeof second);
    d->class->stop(d);
    d = mine;
    sim_seed -= 1000;
    assert_memory_not_equal(first[0], second, sizeof second);
}

static const struct CMUnitTest cases[] = {
    CASE(descriptors_are_far_above_real_ones),
    CASE(a_number_that_is_no_descriptor_is_ebadf),
    CASE(a_submitted_operation_on_no_descriptor_completes),
    CASE(many_sockets_may_be_open_at_once),
    CASE(options_have_the_defaults_of_linux),
    CASE(options_are_kept),
    CASE(numbers_out_of_range_are_refused),
    CASE(options_of_another_kind_of_socket_are_unknown),
    CASE(v6only_is_settled_by_binding),
    CASE(buffers_are_doubled_and_have_limits),
    CASE(connecting_a_stream_by_ctl_is_in_progress),
    CASE(random_bytes_come_from_the_seed),
};

int main(int argc, char **argv) {
    return sim_main(argc, argv, cases);
}

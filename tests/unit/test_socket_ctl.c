// SPDX-License-Identifier: MIT
// Unit tests of driver/socket_ctl.c: controls of real sockets, without a driver that waits, and the
// entries of the contract that all real drivers share. Attempts are in test_socket.c.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "driver/socket.h"
#include "driver_tools.h"
#include "in_child.h"

// Stands before the C library's: interrupted at times, and never more than 100 bytes at once.
static struct { int interruptions, error; } randomness;

ssize_t getrandom(void *buf, size_t size, unsigned flags) {
    if (randomness.interruptions > 0) {
        randomness.interruptions--;
        errno = EINTR;
        return -1;
    }
    if (randomness.error != 0) {
        errno = randomness.error;
        return -1;
    }
    return syscall(SYS_getrandom, buf, size < 100 ? size : 100, flags);
}

static int64_t ctl_option(enum weft__ctl_kind kind, struct sock s, enum weft__option option,
                          int value) {
    return weft__socket_ctl(
        &(struct weft__ctl){.kind = kind, .fd = s.fd, .option = option, .value = value});
}

static int64_t get(struct sock s, enum weft__option option) {
    return ctl_option(WEFT__CTL_GET, s, option, 0);
}

static int64_t set(struct sock s, enum weft__option option, int value) {
    return ctl_option(WEFT__CTL_SET, s, option, value);
}

// Some containers have no IPv6 at all; then the case is skipped.
static struct sock open_ipv6(int type) {
    struct weft__ctl make = {.kind = WEFT__CTL_SOCKET, .family = WEFT_IPV6, .type = type};
    int64_t fd = weft__socket_ctl(&make);
    if (fd == -EAFNOSUPPORT) {
        print_message("this machine has no IPv6\n");
        skip();
    }
    return sock_of(fd);
}

// ---- Making and closing ----

static void sockets_are_nonblocking_and_close_on_exec(void **state) {
    (void)state;
    for (int type = 0; type < 2; type++) {
        struct sock s = open_socket(type == 0 ? WEFT__STREAM : WEFT__DATAGRAM);
        int actual = 0;
        socklen_t length = sizeof actual;
        assert_int_equal(getsockopt(s.fd, SOL_SOCKET, SO_TYPE, &actual, &length), 0);
        assert_int_equal(actual, type == 0 ? SOCK_STREAM : SOCK_DGRAM);
        assert_int_equal(fcntl(s.fd, F_GETFD), FD_CLOEXEC);
        assert_true((fcntl(s.fd, F_GETFL) & O_NONBLOCK) != 0);
        close_socket(s);
    }
}

static void make_unknown_family(void *arg) {
    (void)arg;
    (void)weft__socket_ctl(&(struct weft__ctl){.kind = WEFT__CTL_SOCKET, .type = WEFT__STREAM});
}

static void make_unknown_type(void *arg) {
    (void)arg;
    (void)weft__socket_ctl(
        &(struct weft__ctl){.kind = WEFT__CTL_SOCKET, .family = WEFT_IPV4, .type = 77});
}

static void control_in_an_unknown_way(void *arg) {
    (void)arg;
    (void)weft__socket_ctl(&(struct weft__ctl){.kind = (enum weft__ctl_kind)99});
}

static void shut_no_direction(void *arg) {
    (void)arg;
    (void)weft__socket_ctl(&(struct weft__ctl){.kind = WEFT__CTL_SHUTDOWN, .value = 99});
}

static void what_no_caller_may_ask_for_is_our_own_bug(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(make_unknown_family, NULL), SIGABRT);
    assert_int_equal(signal_that_ends_child(make_unknown_type, NULL), SIGABRT);
    assert_int_equal(signal_that_ends_child(control_in_an_unknown_way, NULL), SIGABRT);
    assert_int_equal(signal_that_ends_child(shut_no_direction, NULL), SIGABRT);
}

// ---- Options ----

static void options_read_back_as_they_were_set(void **state) {
    (void)state;
    static const struct {
        enum weft__option option;
        int first, second;
    } options[] = {
        {WEFT__OPT_REUSEADDR, 1, 0},
        {WEFT__OPT_REUSEPORT, 0, 1},
        {WEFT__OPT_NODELAY, 0, 1},
        {WEFT__OPT_KEEPALIVE, 1, 0},
        {WEFT__OPT_KEEPALIVE_IDLE_S, 11, 12},
        {WEFT__OPT_KEEPALIVE_INTERVAL_S, 13, 14},
        {WEFT__OPT_KEEPALIVE_COUNT, 5, 6},
        {WEFT__OPT_TTL, 33, 34},
    };
    enum { COUNT = sizeof options / sizeof *options };
    struct sock ipv6 = open_ipv6(WEFT__STREAM);
    struct sock socks[] = {open_socket(WEFT__STREAM), ipv6};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(set(socks[k], options[i].option, options[i].first), 0);
        for (size_t i = 0; i < COUNT; i++) // each from a place of its own
            assert_int_equal(get(socks[k], options[i].option), options[i].first);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(set(socks[k], options[i].option, options[i].second), 0);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(get(socks[k], options[i].option), options[i].second);
        close_socket(socks[k]);
    }
}

static void options_of_their_own_kind_of_socket_read_back(void **state) {
    (void)state;
    struct sock ipv6 = open_ipv6(WEFT__STREAM), udp = open_socket(WEFT__DATAGRAM);
    assert_int_equal(set(udp, WEFT__OPT_BROADCAST, 1), 0);
    assert_int_equal(get(udp, WEFT__OPT_BROADCAST), 1);
    assert_int_equal(set(ipv6, WEFT__OPT_V6ONLY, 1), 0);
    assert_int_equal(get(ipv6, WEFT__OPT_V6ONLY), 1);
    assert_int_equal(set(ipv6, WEFT__OPT_V6ONLY, 0), 0);
    assert_int_equal(get(ipv6, WEFT__OPT_V6ONLY), 0);
    assert_int_equal(set(ipv6, WEFT__OPT_TTL, 44), 0); // for IPv4-mapped peers as well
    int ttl = 0;
    socklen_t length = sizeof ttl;
    assert_int_equal(getsockopt(ipv6.fd, IPPROTO_IP, IP_TTL, &ttl, &length), 0);
    assert_int_equal(ttl, 44);
    close_socket(udp);
    close_socket(ipv6);
}

// Such a socket has no second number of hops, for IPv4, and does without.
static void a_socket_for_ipv6_alone_has_a_ttl(void **state) {
    (void)state;
    struct sock s = open_ipv6(WEFT__STREAM);
    assert_int_equal(set(s, WEFT__OPT_V6ONLY, 1), 0);
    assert_int_equal(set(s, WEFT__OPT_TTL, 55), 0);
    assert_int_equal(get(s, WEFT__OPT_TTL), 55);
    assert_int_equal(set(s, WEFT__OPT_TTL, 256), -EINVAL);
    assert_int_equal(get(s, WEFT__OPT_TTL), 55);
    close_socket(s);
}

// socket(7): the kernel doubles what is asked.
static void buffers_are_at_least_as_large_as_asked(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    assert_int_equal(set(s, WEFT__OPT_SEND_BUFFER, 20000), 0);
    assert_true(get(s, WEFT__OPT_SEND_BUFFER) >= 20000);
    assert_int_equal(set(s, WEFT__OPT_RECEIVE_BUFFER, 30000), 0);
    assert_true(get(s, WEFT__OPT_RECEIVE_BUFFER) >= 30000);
    close_socket(s);
}

static void what_an_option_cannot_do_is_an_error(void **state) {
    (void)state;
    struct sock s = open_socket(WEFT__STREAM);
    assert_int_equal(get(s, WEFT__OPT_LINGER_ZERO), -EINVAL);
    assert_int_equal(set(s, WEFT__OPT_ERROR, 1), -EINVAL);
    assert_int_equal(get(s, WEFT__OPT_ERROR), 0);
    assert_int_equal(set(s, WEFT__OPT_KEEPALIVE_IDLE_S, -1), -EINVAL);
    close_socket(s);
    assert_int_equal(set(s, WEFT__OPT_NODELAY, 1), -EBADF);
    assert_int_equal(get(s, WEFT__OPT_NODELAY), -EBADF);
    assert_int_equal(get(s, WEFT__OPT_TTL), -EBADF);
}

static void linger_zero_makes_close_a_reset(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(set(pair.client, WEFT__OPT_LINGER_ZERO, 0), 0);
    close_socket(pair.client);
    char byte;
    assert_int_equal(run_io(WEFT__OP_READ, pair.server, &byte, 1), -ECONNRESET);
    close_socket(pair.server);
}

// ---- Names ----

static void addresses_are_bound_and_told(void **state) {
    (void)state;
    weft_addr addr, other;
    struct sock first = open_listener(1, &addr), second = open_socket(WEFT__STREAM);
    assert_true(weft__address_port(&addr) != 0);
    assert_int_equal(ctl(WEFT__CTL_BIND, second, 0, &addr), -EADDRINUSE);
    assert_int_equal(ctl(WEFT__CTL_PEER, second, 0, &other), -ENOTCONN);
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, second, WEFT__SHUT_BOTH, NULL), -ENOTCONN);
    weft_addr none = {{0}};
    assert_int_equal(ctl(WEFT__CTL_BIND, second, 0, &none), -EINVAL);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, second, 0, &none), -EINVAL);
    close_socket(first);
    close_socket(second);
    assert_int_equal(ctl(WEFT__CTL_LOCAL, first, 0, &other), -EBADF);
    assert_int_equal(ctl(WEFT__CTL_CLOSE, first, 0, NULL), 0); // result 0 always
}

static void ipv6_addresses_are_bound_and_told(void **state) {
    (void)state;
    const uint8_t ip[16] = {[15] = 1};
    weft_addr addr = weft__address_make(WEFT_IPV6, ip, 0, 0), local;
    struct sock s = open_ipv6(WEFT__DATAGRAM);
    if (ctl(WEFT__CTL_BIND, s, 0, &addr) == -EADDRNOTAVAIL) {
        close_socket(s);
        print_message("this machine has no ::1\n");
        skip();
    }
    assert_int_equal(ctl(WEFT__CTL_LOCAL, s, 0, &local), 0);
    weft_addr expected = weft__address_make(WEFT_IPV6, ip, weft__address_port(&local), 0);
    assert_memory_equal(&local, &expected, sizeof local);
    close_socket(s);
}

static void shutdown_ends_the_directions_named(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte;
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_READ, NULL), 0);
    assert_int_equal(run_io(WEFT__OP_READ, pair.client, &byte, 1), 0);
    assert_int_equal(write_text(pair.client, "x"), 1);
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_BOTH, NULL), 0);
    assert_int_equal(write_text(pair.client, "x"), -EPIPE);
    assert_reads(pair.server, "x");
    assert_reads(pair.server, "");
    close_pair(pair);
}

static void the_end_of_writing_leaves_reading(void **state) {
    (void)state;
    struct pair pair = open_pair();
    assert_int_equal(ctl(WEFT__CTL_SHUTDOWN, pair.client, WEFT__SHUT_WRITE, NULL), 0);
    assert_int_equal(write_text(pair.client, "x"), -EPIPE);
    assert_reads(pair.server, "");
    assert_int_equal(write_text(pair.server, "y"), 1);
    assert_reads(pair.client, "y");
    close_pair(pair);
}

static void a_datagram_socket_is_connected_without_waiting(void **state) {
    (void)state;
    weft_addr addr, peer;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &addr), sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_PEER, sender, 0, &peer), -ENOTCONN);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &addr), 0);
    assert_int_equal(ctl(WEFT__CTL_PEER, sender, 0, &peer), 0);
    assert_memory_equal(&peer, &addr, sizeof addr);
    close_pair((struct pair){sender, receiver});
}

// A refusal comes back over the loopback before send(2) returns, and stays until it is asked for.
static void a_pending_error_is_told_once_as_a_positive_number(void **state) {
    (void)state;
    weft_addr addr;
    struct sock gone = open_bound(WEFT__DATAGRAM, &addr), sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &addr), 0);
    close_socket(gone);
    assert_int_equal(send(sender.fd, "x", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(get(sender, WEFT__OPT_ERROR), ECONNREFUSED);
    assert_int_equal(get(sender, WEFT__OPT_ERROR), 0);
    close_socket(sender);
}

// ---- Random bytes ----

// The chance that a right one fails is 2^-800.
static void random_bytes_fill_the_whole_buffer(void **state) {
    (void)state;
    enum { SIZE = 1000 }; // more than one call gives
    static unsigned char buf[SIZE + 1];
    struct weft__ctl random = {.kind = WEFT__CTL_RANDOM, .data = buf, .size = SIZE};
    bool seen[SIZE] = {false};
    randomness.interruptions = 3;
    for (int round = 0; round < 100; round++) {
        assert_int_equal(weft__socket_ctl(&random), 0);
        for (int i = 0; i < SIZE; i++)
            seen[i] = seen[i] || buf[i] != 0;
    }
    for (int i = 0; i < SIZE; i++)
        assert_true(seen[i]);
    assert_int_equal(buf[SIZE], 0);
    assert_int_equal(randomness.interruptions, 0); // it went on behind them
    random.size = 0;
    assert_int_equal(weft__socket_ctl(&random), 0);
}

static void no_random_bytes_is_an_error(void **state) {
    (void)state;
    char buf[8];
    struct weft__ctl random = {.kind = WEFT__CTL_RANDOM, .data = buf, .size = sizeof buf};
    randomness.error = ENOSYS;
    int64_t result = weft__socket_ctl(&random);
    randomness.error = 0;
    assert_int_equal(result, -ENOSYS);
}

// ---- The same on every real driver ----

static void real_clocks_are_those_of_the_system(void **state) {
    (void)state;
    int64_t before = weft__clock_monotonic_ns(), now = weft__real_now(NULL, WEFT__MONOTONIC);
    assert_in_range(now, before, weft__clock_monotonic_ns());
    before = weft__clock_wall_ns();
    now = weft__real_now(NULL, WEFT__WALL);
    // Somebody may set the wall clock, but hardly to the time since the machine was started.
    assert_true(before - now < INT64_C(1000000000) * 1000000 &&
                now - before < INT64_C(1000000000) * 1000000);
}

static int start_thread(struct weft__driver **ret_driver) {
    return weft__thread_start(ret_driver, NULL);
}

// The helpers need a driver to make connections with; the simplest will do.
int main(void) {
    static const struct contract helper = {
        .name = "thread", .start = start_thread, .is_real = true};
    contract = &helper;
    const struct CMUnitTest cases[] = {
        CASE(sockets_are_nonblocking_and_close_on_exec),
        CASE(what_no_caller_may_ask_for_is_our_own_bug),
        CASE(options_read_back_as_they_were_set),
        CASE(options_of_their_own_kind_of_socket_read_back),
        CASE(a_socket_for_ipv6_alone_has_a_ttl),
        CASE(buffers_are_at_least_as_large_as_asked),
        CASE(what_an_option_cannot_do_is_an_error),
        CASE(linger_zero_makes_close_a_reset),
        CASE(addresses_are_bound_and_told),
        CASE(ipv6_addresses_are_bound_and_told),
        CASE(shutdown_ends_the_directions_named),
        CASE(the_end_of_writing_leaves_reading),
        CASE(a_datagram_socket_is_connected_without_waiting),
        CASE(a_pending_error_is_told_once_as_a_positive_number),
        CASE(random_bytes_fill_the_whole_buffer),
        CASE(no_random_bytes_is_an_error),
        CASE(real_clocks_are_those_of_the_system),
    };
    return cmocka_run_group_tests_name("controls of real sockets", cases, NULL, NULL);
}

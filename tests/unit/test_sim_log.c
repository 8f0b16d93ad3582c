// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_log.c and sim_sink.c: what the timeline says, what happens to a file
// that cannot be written, and that a run does not notice that it is watched.
#include "pcapng.h"
#include "sim_watched.h"

// ---- What the timeline says ----

#define FORTH "10.0.0.2:40000 > 10.0.0.1:7878 TCP "
#define BACK  "10.0.0.1:7878 > 10.0.0.2:40000 TCP "
#define HANDSHAKE                                                                                  \
    "     0.000000000 client       " FORTH "SYN\n"                                                 \
    "     0.000100000 server       " FORTH "SYN arrived\n"                                         \
    "     0.000100000 server       " BACK "SYN+ACK\n"                                              \
    "     0.000200000 client       " BACK "SYN+ACK arrived\n"                                      \
    "     0.000200000 client       " FORTH "ACK\n"                                                 \
    "     0.000300000 server       " FORTH "ACK arrived\n"

#define assert_timeline(expected)                                                                  \
    do {                                                                                           \
        weft__sim_watch_flush(d);                                                                  \
        size_t timeline_size;                                                                      \
        char *timeline = read_file(log_path, &timeline_size);                                      \
        assert_string_equal(timeline, (expected));                                                 \
        free(timeline);                                                                            \
    } while (0)

static void the_timeline_has_a_line_for_each_thing(void **state) {
    (void)state;
    add_hosts();
    watch();
    struct pair pair = connect_hosts(WEFT_IPV4, 40000);
    weft__sim_cut(d, CLIENT, SERVER, true);
    assert_int_equal(write_text(pair.client, "lost"), 4);
    wait_until(now_ns() + 1000000);
    weft__sim_cut(d, CLIENT, SERVER, false);
    assert_reads(pair.server, "lost");
    set_option(pair.client, WEFT__OPT_LINGER_ZERO, 1);
    close_pair(pair);
    be_refused(WEFT_IPV6);
    assert_timeline(
        HANDSHAKE
        "     0.000300000 client       the way to server is cut\n"
        "     0.000300000 client       " FORTH "DATA 0..4\n"
        "     0.000400000 server       " FORTH "DATA 0..4 lost: cut\n"
        "     0.001300000 client       the way to server is mended\n"
        "     0.200600000 client       " FORTH "DATA 0..4 again\n"
        "     0.200600000 server       " FORTH "DATA 0..4 arrived\n"
        "     0.200600000 client       " FORTH "RST\n"
        "     0.200600000 server       " BACK "FIN\n"
        "     0.200600000 client       [fd00::2]:40001 > [fd00::1]:7879 TCP SYN\n"
        "     0.200700000 server       " FORTH "RST arrived\n"
        "     0.200700000 server       [fd00::2]:40001 > [fd00::1]:7879 TCP SYN arrived\n"
        "     0.200700000 server       [fd00::1]:7879 > [fd00::2]:40001 TCP RST refused\n"
        "     0.200800000 client       [fd00::1]:7879 > [fd00::2]:40001 TCP RST arrived\n");
}

static void the_timeline_says_why_a_datagram_was_dropped(void **state) {
    (void)state;
    add_hosts();
    watch();
    struct sock to = open_on(SERVER, WEFT_IPV4, WEFT__DATAGRAM, 7880);
    struct sock from = open_on(CLIENT, WEFT_IPV4, WEFT__DATAGRAM, 40000);
    (void)set_option(to, WEFT__OPT_RECEIVE_BUFFER, 1);
    send_datagram(from, v4_of(SERVER, 7880), 1500);
    send_datagram(from, v4_of(SERVER, 7880), 1400);
    send_datagram(from, v4_of(SERVER, 7881), 1);
    send_datagram(from, v4_of(9, 7880), 2);
    settle();
    weft__sim_cut(d, CLIENT, SERVER, true);
    send_datagram(from, v4_of(SERVER, 7880), 3);
    settle();
    assert_timeline(
        "     0.000000000 client       10.0.0.2:40000 > 10.0.0.1:7880 UDP 1500 B\n"
        "     0.000000000 client       10.0.0.2:40000 > 10.0.0.1:7880 UDP 1400 B\n"
        "     0.000000000 client       10.0.0.2:40000 > 10.0.0.1:7881 UDP 1 B\n"
        "     0.000000000 client       10.0.0.2:40000 > 10.0.0.9:7880 UDP 2 B\n"
        "     0.000100000 server       10.0.0.2:40000 > 10.0.0.1:7880 UDP 1500 B arrived\n"
        "     0.000100000 server       10.0.0.2:40000 > 10.0.0.1:7880 UDP 1400 B dropped: "
        "the receive buffer is full\n"
        "     0.000100000 server       10.0.0.2:40000 > 10.0.0.1:7881 UDP 1 B refused: "
        "nobody is bound to this port\n"
        "     0.000100000 client       10.0.0.2:40000 > 10.0.0.9:7880 UDP 2 B unreachable: "
        "nobody has this address\n"
        "     0.002000000 client       the way to server is cut\n"
        "     0.002000000 client       10.0.0.2:40000 > 10.0.0.1:7880 UDP 3 B\n"
        "     0.002100000 server       10.0.0.2:40000 > 10.0.0.1:7880 UDP 3 B lost: cut\n");
    close_socket(from);
    close_socket(to);
}

static void the_timeline_says_who_broke_a_connection(void **state) {
    (void)state;
    add_hosts();
    watch();
    struct pair pair = connect_hosts(WEFT_IPV4, 40000);
    weft__sim_fault_set(d, WEFT__SIM_RESETS, 1);
    assert_int_equal(write_text(pair.client, "x"), 1);
    settle();
    assert_timeline(HANDSHAKE "     0.000300000 client       " FORTH "DATA 0..1\n"
                              "     0.000400000 client       " FORTH "RST by somebody on the way\n"
                              "     0.000400000 server       " BACK "RST by somebody on the way\n");
    close_pair(pair);
}

static void the_timeline_says_when_a_connection_is_given_up(void **state) {
    (void)state;
    add_hosts();
    watch();
    struct pair pair = connect_hosts(WEFT_IPV4, 40000);
    weft__sim_fault_set(d, WEFT__SIM_TIMEOUTS, 1);
    assert_int_equal(write_text(pair.server, "x"), 1);
    settle();
    assert_timeline(HANDSHAKE "     0.000300000 server       " BACK "DATA 0..1\n"
                              "     0.000400000 server       " BACK "given up: timed out\n");
    close_pair(pair);
}

static void the_timeline_says_why_a_connection_does_not_begin(void **state) {
    (void)state;
    add_hosts();
    watch();
    struct sock listener = open_on(SERVER, WEFT_IPV4, WEFT__STREAM, 7878);
    assert_int_equal(ctl(WEFT__CTL_LISTEN, listener, 0, NULL), 0);
    struct sock clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = open_on(CLIENT, WEFT_IPV4, WEFT__STREAM, (uint16_t)(40000 + i));
        assert_int_equal(try_connect(clients[i], v4_of(SERVER, 7878)), -EAGAIN);
        settle();
    }
    assert_timeline(HANDSHAKE
                    "     0.002000000 client       10.0.0.2:40001 > 10.0.0.1:7878 TCP SYN\n"
                    "     0.002100000 server       10.0.0.2:40001 > 10.0.0.1:7878 TCP SYN arrived\n"
                    "     0.002100000 server       10.0.0.2:40001 > 10.0.0.1:7878 TCP SYN dropped: "
                    "the listener's queue is full\n");
    for (int i = 0; i < 2; i++)
        close_socket(clients[i]);
    close_socket(listener);
}

// ---- That the run does not notice ----

static uint64_t hash_of_run(bool is_watched) {
    void *state = NULL;
    assert_int_equal(start_watched(&state), 0);
    if (is_watched)
        watch();
    run_badly(2000);
    uint64_t hash = weft__sim_trace_hash(d);
    assert_int_equal(stop_watched(&state), 0);
    return hash;
}

static void a_run_is_the_same_when_it_is_watched(void **state) {
    (void)state;
    assert_int_equal(hash_of_run(true), hash_of_run(false));
}

static char last_line[256];
static int line_count;

static void keep_line(int level, const char *text, void *context) {
    (void)context;
    assert_int_equal(level, WEFT__LOG_WARN);
    snprintf(last_line, sizeof last_line, "%s", text);
    line_count++;
}

static void a_full_disk_ends_the_capture_and_not_the_run(void **state) {
    (void)state;
    add_hosts();
    line_count = 0;
    assert_int_equal(weft__sim_capture_open(d, "/dev/full"), 0);
    weft__log_to(keep_line, NULL);
    pump(connect_hosts(WEFT_IPV4, 40000), 1000000);
    weft__sim_watch_flush(d);
    weft__log_to(NULL, NULL);
    assert_int_equal(line_count, 1);
    assert_string_equal(last_line, "simulation: /dev/full ends here, it cannot be written: "
                                   "no space left on device");
}

static void what_cannot_be_opened_is_refused(void **state) {
    (void)state;
    assert_int_equal(weft__sim_capture_open(d, "/nowhere/at/all"), -ENOENT);
    assert_int_equal(weft__sim_log_open(d, "/nowhere/at/all"), -ENOENT);
    for (uint64_t n = 1; n <= 2; n++) {
        weft__fail_arm(WEFT__FAIL_ALLOC, n, 1, -ENOMEM);
        assert_int_equal(weft__sim_capture_open(d, capture_path), -ENOMEM);
    }
    weft__fail_disarm();
    watch();
}

static const struct CMUnitTest cases[] = {
    WATCHED(the_timeline_has_a_line_for_each_thing),
    WATCHED(the_timeline_says_why_a_datagram_was_dropped),
    WATCHED(the_timeline_says_who_broke_a_connection),
    WATCHED(the_timeline_says_when_a_connection_is_given_up),
    WATCHED(the_timeline_says_why_a_connection_does_not_begin),
    cmocka_unit_test(a_run_is_the_same_when_it_is_watched),
    WATCHED(a_full_disk_ends_the_capture_and_not_the_run),
    WATCHED(what_cannot_be_opened_is_refused),
};

int main(void) {
    return sim_main(0, NULL, cases);
}

// SPDX-License-Identifier: MIT
// Accept when descriptors or memory run short: "weft_accept does not return: it logs one line per
// episode (cause, limit, cure), disarms the listener, and tries again when a weft handle closes or
// after 100 ms; cancel, deadline and close end the wait, on every driver."
#include "case.h"
#include "fault.h"

#include <sys/resource.h>
#include <unistd.h>

static const int shortages[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
enum { SHORTAGES = sizeof shortages / sizeof shortages[0] };

struct acceptor {
    int listener;
    int conn;
    struct flag done;
};

static void accept_once(void *context) {
    struct acceptor *acceptor = context;
    acceptor->conn = weft_accept(acceptor->listener);
    flag_raise(&acceptor->done);
}

static void await_log(const char *text, size_t count) {
    for (struct await await = {0}; stderr_catch_count(text) < count;)
        await_pause(&await, text);
}

// One episode, long enough for some attempts in vain; it ends by itself after 100 ms at most.
CASE(accept_survives_every_kind_of_shortage) {
    weft_addr addr;
    struct acceptor acceptor = {.listener = listen_anywhere(&addr)};
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    for (int i = 0; i < SHORTAGES; i++) {
        struct parties parties = {0};
        stderr_catch_begin();
        fault_every("accept", 1, -shortages[i]);
        party_start(&parties, "acceptor", accept_once, &acceptor);
        await_log("weft: ", 1);
        expect(flag_value(&acceptor.done), i);
        fault_none();
        parties_join(&parties);
        expect(stderr_catch_count("\n"), 1);
        expect(stderr_catch_count("weft: "), 1);
        stderr_catch_end();
        expect(weft_close(opened(acceptor.conn)), 0);
        expect(weft_close(client), 0);
        expect_waits(weft_accept(acceptor.listener)); // nothing is short: the episode is over
        client = opened(weft_tcp_connect_with(&addr, NULL));
    }
    expect(weft_close(client), 0);
    expect(weft_close(acceptor.listener), 0);
}

// On virtual time: after a failed attempt the next one comes 100 ms later.
CASE(a_starved_accept_tries_again_after_100_ms) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    expect(weft_ready(listener, WEFT_READ), WEFT_READ);
    int64_t before = weft_now();
    fault_nth("accept", 1, -EMFILE);
    int conn = opened(weft_accept(listener));
    expect(weft_now() - before, 100 * WEFT_MILLISECOND);
    expect(weft_close(conn), 0);
    expect(weft_close(client), 0);
    expect(weft_close(listener), 0);
}
CASE_ONLY_ON_SIM(a_starved_accept_tries_again_after_100_ms)

// "... tries again when a weft handle closes": at once, so no virtual time passes.
CASE(a_starved_accept_tries_again_when_a_handle_closes) {
    weft_addr addr;
    struct acceptor acceptor = {.listener = listen_anywhere(&addr)};
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    struct tcp_pair other = tcp_pair_open();
    struct parties parties = {0};
    stderr_catch_begin();
    fault_nth("accept", 1, -EMFILE);
    party_start(&parties, "acceptor", accept_once, &acceptor);
    await_log("weft: ", 1);
    int64_t before = weft_now();
    expect(flag_value(&acceptor.done), 0);
    expect(weft_close(other.client), 0);
    parties_join(&parties);
    expect_that(weft_now() - before < 50 * WEFT_MILLISECOND);
    stderr_catch_end();
    expect(weft_close(opened(acceptor.conn)), 0);
    expect(weft_close(other.server), 0);
    expect(weft_close(client), 0);
    expect(weft_close(acceptor.listener), 0);
}
CASE_ONLY_ON_SIM(a_starved_accept_tries_again_when_a_handle_closes)

// "One line per episode": many attempts in vain make one line, the next episode makes another.
CASE(a_shortage_is_logged_once_per_episode) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    stderr_catch_begin();
    for (size_t episode = 1; episode <= 2; episode++) {
        struct acceptor acceptor = {.listener = listener};
        struct parties parties = {0};
        int client = opened(weft_tcp_connect_with(&addr, NULL));
        fault_every("accept", 1, -EMFILE);
        party_start(&parties, "acceptor", accept_once, &acceptor);
        await_log("weft: ", episode);
        for (int i = 0; i < 20; i++) { // each makes the acceptor try again
            int other = opened(weft_udp_bind("127.0.0.1:0"));
            expect(weft_close(other), 0);
            expect(weft_sleep(WEFT_MILLISECOND), 0);
        }
        expect(stderr_catch_count("weft: "), episode);
        fault_none();
        parties_join(&parties);
        expect(weft_close(opened(acceptor.conn)), 0);
        expect(weft_close(client), 0);
        expect_waits(weft_accept(listener)); // nothing is short: the episode is over
    }
    expect(stderr_catch_count("weft: "), 2);
    expect(stderr_catch_count("\n"), 2);
    stderr_catch_end();
    expect(weft_close(listener), 0);
}

// "Cancel, deadline and close end the wait, on every driver."
CASE(a_deadline_ends_a_starved_accept) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    fault_every("accept", 1, -EMFILE);
    expect_waits(weft_accept(listener));
    fault_none();
    expect(weft_close(opened(weft_accept(listener))), 0); // the connection is still there
    expect(weft_close(client), 0);
    expect(weft_close(listener), 0);
}

CASE(closing_its_listener_ends_a_starved_accept) {
    weft_addr addr;
    struct acceptor acceptor = {.listener = listen_anywhere(&addr)};
    struct parties parties = {0};
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    stderr_catch_begin();
    fault_every("accept", 1, -EMFILE);
    party_start(&parties, "acceptor", accept_once, &acceptor);
    await_log("weft: ", 1);
    expect(weft_close(acceptor.listener), 0);
    parties_join(&parties);
    stderr_catch_end();
    expect(acceptor.conn, -EBADF);
    expect(weft_close(client), 0);
}

CASE(a_cancel_ends_a_starved_accept) {
    weft_addr addr;
    struct acceptor acceptor = {.listener = listen_anywhere(&addr)};
    struct parties parties = {0};
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    stderr_catch_begin();
    fault_every("accept", 1, -EMFILE);
    party_start(&parties, "acceptor", accept_once, &acceptor);
    await_log("weft: ", 1);
    parties_cancel(&parties);
    parties_join(&parties);
    stderr_catch_end();
    expect(acceptor.conn, -ECANCELED);
    fault_none();
    expect(weft_close(opened(weft_accept(acceptor.listener))), 0);
    expect(weft_close(client), 0);
    expect(weft_close(acceptor.listener), 0);
}
CASE_NEEDS_SCOPE(a_cancel_ends_a_starved_accept)

// The number of the next descriptor is the limit, so that there is none.
static struct rlimit leave_no_descriptor(void) {
    struct rlimit usual, tight;
    expect(getrlimit(RLIMIT_NOFILE, &usual), 0);
    int next = dup(STDOUT_FILENO);
    expect_that(next > 0);
    close(next);
    tight = (struct rlimit){(rlim_t)next, usual.rlim_max};
    expect(setrlimit(RLIMIT_NOFILE, &tight), 0);
    return usual;
}

// Accepts one connection while there are descriptors, so that whatever a driver opens for a waiting
// thread is open, and a second one when there are none.
struct twice {
    int listener;
    int first, second;
    struct flag accepted, limited;
};

static void accept_twice(void *context) {
    struct twice *twice = context;
    twice->first = weft_accept(twice->listener);
    flag_raise(&twice->accepted);
    await_flag(&twice->limited, 1);
    twice->second = weft_accept(twice->listener);
    flag_raise(&twice->accepted);
}

// The real thing: RLIMIT_NOFILE. The line names the limit; a closed handle makes room again.
CASE(accept_waits_when_the_descriptor_limit_is_reached) {
    if (test_under_valgrind()) {
        case_skip("Valgrind has descriptors of its own and only plays RLIMIT_NOFILE");
        return;
    }
    weft_addr addr;
    struct twice twice = {.listener = listen_anywhere(&addr)};
    struct parties parties = {0};
    struct tcp_pair other = tcp_pair_open();
    stderr_catch_begin();
    party_start(&parties, "acceptor", accept_twice, &twice);
    await_waiting(twice.listener, WEFT_READ, 1);
    int clients[2];
    clients[0] = opened(weft_tcp_connect_with(&addr, NULL));
    await_flag(&twice.accepted, 1);
    clients[1] = opened(weft_tcp_connect_with(&addr, NULL));
    struct rlimit usual = leave_no_descriptor();
    expect(weft_udp_bind("127.0.0.1:0"), -EMFILE);
    flag_raise(&twice.limited);
    await_log("weft: ", 1);
    expect_that(stderr_catch_count("RLIMIT_NOFILE") > 0 || stderr_catch_count("ulimit -n") > 0);
    expect(flag_value(&twice.accepted), 1);
    expect(weft_close(other.client), 0);
    parties_join(&parties);
    expect(setrlimit(RLIMIT_NOFILE, &usual), 0);
    expect(stderr_catch_count("weft: "), 1);
    stderr_catch_end();
    int handles[] = {opened(twice.first), opened(twice.second), clients[0],
                     clients[1],          other.server,         twice.listener};
    for (int i = 0; i < 6; i++)
        expect(weft_close(handles[i]), 0);
}
CASE_NOT_ON(accept_waits_when_the_descriptor_limit_is_reached, "sim", NO_REAL_DESCRIPTORS)

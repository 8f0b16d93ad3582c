// SPDX-License-Identifier: MIT
// Unit tests of driver/epoll.c: the driver contract, with and without epoll_pwait2(2), and the
// rules about readiness that stand above the code.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "driver_contract.h"
#include "refuse_syscall.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static int start_epoll(struct weft__driver **ret_driver) {
    return weft__epoll_start(ret_driver, NULL);
}

static const struct contract epoll_contract = {
    .name = "epoll", .start = start_epoll, .is_real = true};

// Makes the driver know the socket, with nothing to read: a wait there that was cancelled.
static void register_there(struct sock s) {
    struct call call;
    char byte = 0;
    prepare_io(&call, WEFT__OP_READ, s, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(cancel(&call), -ECANCELED);
}

static int64_t try_read(struct sock s, void *buf, size_t size) {
    struct call call;
    prepare_io(&call, WEFT__OP_READ, s, buf, size);
    return d->class->try(d, &call.op);
}

// ---- Readiness ----

// Data that arrived after the last look is not asked for, and is there after the next.
static void a_try_that_is_known_to_be_wasted_is_not_made(void **state) {
    (void)state;
    struct pair pair = open_pair();
    register_there(pair.server);
    assert_int_equal(write_text(pair.client, "abc"), 3);
    char buf[8];
    assert_int_equal(try_read(pair.server, buf, sizeof buf), -EAGAIN);
    d->class->wait(d, 0);
    assert_int_equal(try_read(pair.server, buf, 2), 2); // full: there may be more
    assert_int_equal(try_read(pair.server, buf, 2), 1); // short: that was all
    assert_int_equal(write_text(pair.client, "d"), 1);
    assert_int_equal(try_read(pair.server, buf, 2), -EAGAIN);
    assert_reads(pair.server, "d");
    close_pair(pair);
}

static void the_other_direction_is_attempted_at_once(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct call reader, writer;
    char byte;
    prepare_io(&reader, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&reader); // registers; no event was collected yet
    prepare_io(&writer, WEFT__OP_WRITE, pair.server, "x", 1);
    assert_int_equal(d->class->try(d, &writer.op), 1);
    assert_int_equal(cancel(&reader), -ECANCELED);
    close_pair(pair);
}

// The end of the stream came with the data, so there will be no event of its own.
static void the_end_behind_a_short_read_is_seen(void **state) {
    (void)state;
    struct pair pair = open_pair();
    register_there(pair.server);
    assert_int_equal(write_text(pair.client, "last"), 4);
    close_socket(pair.client);
    assert_reads(pair.server, "last");
    assert_reads(pair.server, "");
    close_socket(pair.server);
}

static void the_end_that_comes_after_the_event_is_seen(void **state) {
    (void)state;
    struct pair pair = open_pair();
    register_there(pair.server);
    assert_int_equal(write_text(pair.client, "last"), 4);
    d->class->wait(d, 0); // collects the data's event
    close_socket(pair.client);
    assert_reads(pair.server, "last");
    assert_reads(pair.server, "");
    close_socket(pair.server);
}

// A read stops in front of the urgent byte, with data behind it.
static void data_behind_an_urgent_byte_is_read(void **state) {
    (void)state;
    struct pair pair = open_pair();
    register_there(pair.server);
    assert_int_equal(write_text(pair.client, "ab"), 2);
    assert_int_equal(send(pair.client.fd, "!", 1, MSG_OOB), 1);
    assert_int_equal(write_text(pair.client, "cd"), 2);
    assert_reads(pair.server, "ab");
    assert_reads(pair.server, "cd");
    close_pair(pair);
}

static void a_short_read_of_a_datagram_does_not_hide_the_next(void **state) {
    (void)state;
    weft_addr addr;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &addr);
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &addr), 0);
    register_there(receiver);
    assert_int_equal(write_text(sender, "one"), 3);
    assert_int_equal(write_text(sender, "two"), 3);
    assert_reads(receiver, "one");
    assert_reads(receiver, "two");
    close_pair((struct pair){sender, receiver});
}

static void a_peek_does_not_hide_the_bytes(void **state) {
    (void)state;
    struct pair pair = open_pair();
    register_there(pair.server);
    assert_int_equal(write_text(pair.client, "abc"), 3);
    d->class->wait(d, 0);
    char buf[8];
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, sizeof buf);
    call.op.flags = WEFT__OP_PEEK;
    assert_int_equal(d->class->try(d, &call.op), 3);
    assert_int_equal(try_read(pair.server, buf, sizeof buf), 3);
    close_pair(pair);
}

// Somebody outside takes the data between its event and our attempt.
static void data_taken_by_another_reader_costs_one_attempt(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte = 0, taken;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(write_text(pair.client, "x"), 1);
    assert_int_equal(recv(pair.server.fd, &taken, 1, 0), 1);
    d->class->wait(d, 0);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(write_text(pair.client, "y"), 1);
    await_done(&call);
    assert_int_equal(byte, 'y');
    close_pair(pair);
}

// The same, seen from `try`: the attempt that found nothing is not repeated before the next event.
static void an_attempt_that_found_nothing_is_remembered(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte = 0;
    register_there(pair.server);
    assert_int_equal(write_text(pair.client, "x"), 1);
    d->class->wait(d, 0);
    assert_int_equal(recv(pair.server.fd, &byte, 1, 0), 1);
    assert_int_equal(try_read(pair.server, &byte, 1), -EAGAIN);
    assert_int_equal(write_text(pair.client, "y"), 1);
    assert_int_equal(try_read(pair.server, &byte, 1), -EAGAIN);
    d->class->wait(d, 0);
    assert_int_equal(try_read(pair.server, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close_pair(pair);
}

// Two readers of one direction: each gets its byte, in order.
static void two_ops_of_one_direction_may_wait(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char bytes[2] = {0};
    struct call calls[2];
    for (int i = 0; i < 2; i++) {
        prepare_io(&calls[i], WEFT__OP_READ, pair.server, &bytes[i], 1);
        submit(&calls[i]);
    }
    assert_int_equal(write_text(pair.client, "a"), 1);
    await_done(&calls[0]);
    assert_true(calls[1].op.is_pending);
    assert_int_equal(write_text(pair.client, "b"), 1);
    await_done(&calls[1]);
    assert_memory_equal(bytes, "ab", 2);
    close_pair(pair);
}

// The same socket on two drivers: both are told.
static void two_drivers_may_wait_for_one_socket(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct weft__driver *first = d, *second;
    assert_int_equal(start_epoll(&second), 0);
    char read_byte = 0;
    struct call reader, watcher;
    prepare_io(&reader, WEFT__OP_READ, pair.server, &read_byte, 1);
    prepare_ready(&watcher, pair.server, WEFT__READABLE);
    submit(&reader);
    d = second;
    submit(&watcher);
    d = first;
    assert_int_equal(write_text(pair.client, "z"), 1);
    d = second;
    await_done(&watcher);
    d = first;
    await_done(&reader);
    assert_int_equal(watcher.op.result, WEFT__READABLE);
    assert_int_equal(read_byte, 'z');
    second->class->stop(second);
    close_pair(pair);
}

// More than one batch of events.
static void three_hundred_events_at_once_are_all_served(void **state) {
    (void)state;
    enum { COUNT = 300 };
    static struct sock socks[COUNT];
    static struct call calls[COUNT];
    static char bytes[COUNT];
    weft_addr addr;
    struct sock sender = open_socket(WEFT__DATAGRAM);
    for (int i = 0; i < COUNT; i++) {
        socks[i] = open_bound(WEFT__DATAGRAM, &addr);
        prepare_io(&calls[i], WEFT__OP_RECVMSG, socks[i], &bytes[i], 1);
        submit(&calls[i]);
        struct call out;
        prepare_io(&out, WEFT__OP_SENDMSG, sender, "x", 1);
        out.op.peer = &addr;
        assert_int_equal(run(&out), 1);
    }
    for (int i = 0; i < COUNT; i++) {
        await_done(&calls[i]);
        close_socket(socks[i]);
    }
    close_socket(sender);
}

// epoll_ctl(2) refuses regular files with EPERM.
static void an_op_that_cannot_be_registered_is_not_taken(void **state) {
    (void)state;
    struct sock file = sock_of(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    struct call call;
    prepare_ready(&call, file, WEFT__READABLE);
    assert_int_equal(d->class->submit(d, &call.op), -EPERM);
    assert_false(call.op.is_pending);
    assert_int_equal(d->pending, 0);
    assert_int_equal(close(file.fd), 0);
}

// ---- Without epoll_pwait2 ----

static void the_contract_holds_without_epoll_pwait2(void **state) {
    (void)state;
    assert_int_equal(exit_status_of_self("without", ENOSYS), 0);
    assert_int_equal(exit_status_of_self("without", EPERM), 0);
}

static void epoll_pwait2_may_be_refused_later(void **state) {
    (void)state;
    assert_int_equal(exit_status_of_self("later", EPERM), 0);
}

static const struct CMUnitTest cases_when_refused_later[] = {
    CASE(wait_ends_at_its_deadline),
    CASE(many_wakes_end_few_waits),
    CASE(a_wake_from_another_thread_is_never_lost),
};

static int start_then_refuse(struct weft__driver **ret_driver) {
    static int refused;
    int error = start_epoll(ret_driver);
    if (error == 0 && !refused++)
        error = refuse_syscall(SYS_epoll_pwait2, EPERM);
    return error;
}

static int run_child(const char *what, int error) {
    static const struct contract later = {
        .name = "epoll", .start = start_then_refuse, .is_real = true};
    if (strcmp(what, "without") == 0)
        return refuse_syscall(SYS_epoll_pwait2, error) != 0 ? 1 : contract_run(&epoll_contract);
    contract = &later;
    return cmocka_run_group_tests(cases_when_refused_later, NULL, NULL);
}

int main(int argc, char **argv) {
    if (argc == 3)
        return run_child(argv[1], (int)strtol(argv[2], NULL, 10));
    int failed = contract_run(&epoll_contract);
    const struct CMUnitTest cases[] = {
        CASE(a_try_that_is_known_to_be_wasted_is_not_made),
        CASE(the_other_direction_is_attempted_at_once),
        CASE(the_end_behind_a_short_read_is_seen),
        CASE(the_end_that_comes_after_the_event_is_seen),
        CASE(data_behind_an_urgent_byte_is_read),
        CASE(a_short_read_of_a_datagram_does_not_hide_the_next),
        CASE(a_peek_does_not_hide_the_bytes),
        CASE(data_taken_by_another_reader_costs_one_attempt),
        CASE(an_attempt_that_found_nothing_is_remembered),
        CASE(two_ops_of_one_direction_may_wait),
        CASE(two_drivers_may_wait_for_one_socket),
        CASE(three_hundred_events_at_once_are_all_served),
        CASE(an_op_that_cannot_be_registered_is_not_taken),
        cmocka_unit_test(the_contract_holds_without_epoll_pwait2),
        cmocka_unit_test(epoll_pwait2_may_be_refused_later),
    };
    return failed + cmocka_run_group_tests_name("the epoll driver", cases, NULL, NULL);
}

// SPDX-License-Identifier: MIT
// Unit tests of src/weft_testing.c: the doors that tests/support opens for all other tests tell the
// truth about drivers, waits, what is left, and which calls fail.
#include "task_tools.h"

#include "weft_testing.h"

static struct weft__testing_left left(void) {
    struct weft__testing_left now;
    memset(&now, 0xff, sizeof now);
    weft__testing_left(&now);
    return now;
}

// ---- Starting ----

static void each_driver_is_started_by_its_name(void **state) {
    (void)state;
    static const char *const names[] = {"epoll", "sim"};
    for (size_t i = 0; i < 2; i++) {
        expect(weft__testing_start(names[i], 7), 0);
        assert_string_equal(weft_driver_name(), names[i]);
        expect(weft__testing_start(names[i], 7), -EALREADY);
        expect(weft_stop(0), 0);
    }
}

static void the_thread_driver_needs_no_start(void **state) {
    (void)state;
    expect(weft__testing_start("thread", 1), 0);
    assert_string_equal(weft_driver_name(), "thread");
    expect(weft_stop(0), -ENOENT); // nothing was started
}

static void an_unknown_driver_is_refused_and_starts_nothing(void **state) {
    (void)state;
    expect(weft__testing_start("no-such-driver", 1), -EINVAL);
    expect(weft_stop(0), -ENOENT);
}

static void *start_without_memory(void *arg) {
    (void)arg;
    for (uint64_t n = 1;; n++) {
        expect(weft__testing_fail("alloc", n, 0, -ENOMEM), 0);
        int error = weft__testing_start("sim", 1);
        weft__testing_fail_none();
        if (error == 0) {
            assert_true(n > 2);
            expect(weft_stop(0), 0);
            return NULL;
        }
        expect(error, -ENOMEM);
        expect(weft_stop(0), -ENOENT);
    }
}

// In a thread that has no record yet, which is the first thing that needs memory.
static void without_memory_no_simulator_starts(void **state) {
    (void)state;
    thread_join(thread_start(start_without_memory, NULL));
}

// ---- Who waits and what is left ----

static int read_once(int sock) {
    char byte;
    return (int)weft_read(sock, &byte, 1);
}

static void without_a_runtime_only_handles_are_left(void **state) {
    (void)state;
    weft_addr addr;
    size_t handles = left().handles;
    int sock = udp_anywhere(&addr);
    assert_int_equal(left().handles, handles + 1);
    assert_int_equal(left().tasks, 0);
    assert_int_equal(left().operations, 0);
    assert_int_equal(left().stacks, 0);
    assert_int_equal(weft__testing_parked_tasks(), 0);
    expect(weft__testing_waiting(sock, WEFT_READ), 0);
    expect(weft_close(sock), 0);
    assert_int_equal(left().handles, handles);
    expect(weft__testing_waiting(sock, WEFT_READ), -EBADF);
    expect(weft__testing_waiting(-1, WEFT_WRITE), -EBADF);
}

static void waits_tasks_and_stacks_are_counted_while_they_last(void **state) {
    (void)state;
    enum { READERS = 3 };
    weft_addr addr;
    weft_scope scope = {0};
    struct weft__testing_left at_first = left();
    int sock = udp_anywhere(&addr);
    for (int i = 0; i < READERS; i++)
        expect(weft_go(&scope, read_once, sock), 0);
    assert_int_equal(left().tasks, at_first.tasks + READERS);
    assert_int_equal(weft__testing_parked_tasks(), 0); // none of them has run yet
    expect(weft__testing_waiting(sock, WEFT_READ), 0);
    await_that(weft__testing_waiting(sock, WEFT_READ) == READERS);
    expect(weft__testing_waiting(sock, WEFT_WRITE), 0);
    assert_int_equal(weft__testing_parked_tasks(), READERS);
    assert_true(left().operations > at_first.operations); // the first in the queue, at least
    assert_int_equal(left().stacks, at_first.stacks + READERS);
    assert_int_equal(left().handles, at_first.handles + 1);
    expect(weft_go(&scope, read_once, sock), 0);
    assert_int_equal(weft__testing_parked_tasks(), READERS); // not the one that has not run
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    expect(weft__testing_waiting(sock, WEFT_READ), 0);
    assert_int_equal(weft__testing_parked_tasks(), 0);
    expect(weft_close(sock), 0);
    struct weft__testing_left at_last = left();
    assert_memory_equal(&at_last, &at_first, sizeof at_last);
}

// ---- Which calls fail ----

static void each_kind_fails_by_its_name(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum weft__fail_kind kind;
    } kinds[] = {
        {"alloc", WEFT__FAIL_ALLOC},     {"pages", WEFT__FAIL_PAGES},
        {"stack", WEFT__FAIL_STACK},     {"thread", WEFT__FAIL_THREAD},
        {"read", WEFT__FAIL_READ},       {"write", WEFT__FAIL_WRITE},
        {"recvmsg", WEFT__FAIL_RECVMSG}, {"sendmsg", WEFT__FAIL_SENDMSG},
        {"accept", WEFT__FAIL_ACCEPT},   {"connect", WEFT__FAIL_CONNECT},
        {"ready", WEFT__FAIL_READY},     {"resolve", WEFT__FAIL_RESOLVE},
        {"ctl", WEFT__FAIL_CTL},         {"cancel", WEFT__FAIL_CANCEL},
    };
    assert_int_equal(sizeof kinds / sizeof *kinds, WEFT__FAIL_KINDS);
    for (size_t i = 0; i < WEFT__FAIL_KINDS; i++) {
        expect(weft__testing_fail(kinds[i].name, 2, 0, -EIO), 0);
        for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
            expect(weft__fail((enum weft__fail_kind)kind), 0);
        for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
            expect(weft__fail((enum weft__fail_kind)kind),
                   (enum weft__fail_kind)kind == kinds[i].kind ? -EIO : 0);
        expect(weft__fail(kinds[i].kind), 0); // the second alone
        weft__testing_fail_none();
    }
}

static void all_later_calls_fail_until_none_does(void **state) {
    (void)state;
    expect(weft__testing_fail("ready", 1, 1, -EIO), 0);
    expect(weft__fail(WEFT__FAIL_READY), -EIO);
    expect(weft__fail(WEFT__FAIL_READY), -EIO);
    weft__testing_fail_none();
    expect(weft__fail(WEFT__FAIL_READY), 0);
}

static void an_unknown_kind_is_refused(void **state) {
    (void)state;
    expect(weft__testing_fail("no-such-kind", 1, 0, -EIO), -EINVAL);
    expect(weft__testing_fail("", 1, 0, -EIO), -EINVAL);
    for (int kind = 0; kind < WEFT__FAIL_KINDS; kind++)
        expect(weft__fail((enum weft__fail_kind)kind), 0);
}

// ---- What only one driver has ----

static uint64_t requests_of_all_kinds(void) {
    uint64_t sum = 0;
    for (int opcode = 0; opcode < 256; opcode++)
        sum += weft__testing_requests((uint8_t)opcode);
    return sum;
}

static void requests_are_counted_on_io_uring_alone(void **state) {
    (void)state;
    assert_int_equal(requests_of_all_kinds(), 0);
    expect(weft__testing_start("epoll", 0), 0);
    expect(weft_sleep(1), 0);
    assert_int_equal(requests_of_all_kinds(), 0);
    expect(weft_stop(0), 0);
    if (weft__testing_start("uring", 0) != 0)
        skip();
    expect(weft_sleep(1), 0);
    assert_true(requests_of_all_kinds() > 0); // the poll for wakes, at least
    expect(weft_stop(0), 0);
}

static uint64_t hash_of(uint64_t seed, bool has_connection) {
    expect(weft__testing_start("sim", seed), 0);
    if (has_connection) {
        struct tcp_pair pair = tcp_pair_open();
        tcp_pair_close(&pair);
    }
    uint64_t hash = weft__testing_trace_hash();
    expect(weft_stop(0), 0);
    return hash;
}

static void the_simulator_alone_has_a_hash_of_its_history(void **state) {
    (void)state;
    assert_int_equal(weft__testing_trace_hash(), 0);
    expect(weft__testing_start("epoll", 0), 0);
    assert_int_equal(weft__testing_trace_hash(), 0);
    expect(weft_stop(0), 0);
    assert_true(hash_of(1, true) != 0);
    assert_true(hash_of(1, true) == hash_of(1, true));
    assert_true(hash_of(1, true) != hash_of(2, true)); // it took another time
    assert_true(hash_of(1, true) != hash_of(1, false));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(each_driver_is_started_by_its_name),
        CASE(the_thread_driver_needs_no_start),
        CASE(an_unknown_driver_is_refused_and_starts_nothing),
        CASE(without_memory_no_simulator_starts),
        CASE(without_a_runtime_only_handles_are_left),
        CASE_IN_TASK(waits_tasks_and_stacks_are_counted_while_they_last),
        CASE(each_kind_fails_by_its_name),
        CASE(all_later_calls_fail_until_none_does),
        CASE(an_unknown_kind_is_refused),
        CASE(requests_are_counted_on_io_uring_alone),
        CASE(the_simulator_alone_has_a_hash_of_its_history),
    };
    return RUN(cases);
}

// SPDX-License-Identifier: MIT
// Unit tests of the io_uring driver with many operations at once, more than its queues hold, and of
// cancels that race completions.
#include <stdio.h>
#include <sys/socket.h>

#include "base/rng.h"
#include "driver/uring.h"
#include "driver_tools.h"

static int start_uring(struct weft__driver **ret_driver) {
    return weft__uring_start(ret_driver, NULL);
}

static const struct contract uring_contract = {
    .name = "uring", .start = start_uring, .is_real = true};

// ---- Many at once ----

enum { MANY = 2000 }; // the submission queue holds 256

static struct call calls[MANY];
static uint16_t numbers[MANY];

static void submit_many_reads(struct sock s) {
    for (int i = 0; i < MANY; i++) {
        prepare_io(&calls[i], WEFT__OP_RECVMSG, s, &numbers[i], sizeof numbers[i]);
        submit(&calls[i]);
    }
    assert_int_equal(d->pending, MANY);
}

static void send_number(struct sock s, uint16_t number) {
    assert_int_equal(run_io(WEFT__OP_WRITE, s, &number, sizeof number), sizeof number);
}

// Each gets one of the datagrams, in small batches that the socket's buffer holds.
static void two_thousand_operations_at_once_complete_once_each(void **state) {
    (void)state;
    static bool seen[MANY];
    weft_addr addr;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &addr);
    struct sock sender = open_socket(WEFT__DATAGRAM);
    assert_int_equal(ctl(WEFT__CTL_CONNECT, sender, 0, &addr), 0);
    submit_many_reads(receiver);
    size_t sent = 0;
    while (d->pending > 0) {
        for (int i = 0; i < 40 && sent < MANY; i++)
            send_number(sender, (uint16_t)sent++);
        size_t left = d->pending;
        while (d->pending > MANY - sent)
            d->class->wait(d, now_ns() + PATIENCE_NS);
        assert_true(d->pending < left);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(calls[i].done_count, 1);
        assert_int_equal(calls[i].op.result, sizeof numbers[i]);
        assert_false(seen[numbers[i]]);
        seen[numbers[i]] = true;
    }
    close_pair((struct pair){sender, receiver});
}

static void two_thousand_operations_are_cancelled_at_once(void **state) {
    (void)state;
    weft_addr addr;
    struct sock receiver = open_bound(WEFT__DATAGRAM, &addr);
    for (int looks = 0; looks < 2; looks++) {
        submit_many_reads(receiver);
        for (int i = 0; i < looks; i++)
            d->class->wait(d, 0);
        for (int i = 0; i < MANY; i++)
            d->class->cancel(d, &calls[i].op);
        for (int i = 0; i < MANY; i++) {
            await_done(&calls[i]);
            assert_int_equal(calls[i].op.result, -ECANCELED);
        }
    }
    assert_int_equal(WEFT__CONTAINER(d, struct weft__uring, driver)->strays, 0);
    close_socket(receiver);
}

// More completions at one moment than the completion queue holds (4,096).
static void completions_beyond_the_queue_are_not_lost(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static struct call watchers[COUNT];
    struct sock udp = open_socket(WEFT__DATAGRAM);
    for (int i = 0; i < COUNT; i++) { // writable at once, so each completes at its submission
        prepare(&watchers[i], WEFT__OP_READY, udp);
        watchers[i].op.events = WEFT__WRITABLE;
        submit(&watchers[i]);
    }
    for (int64_t until = now_ns() + PATIENCE_NS; d->pending > 0;) {
        assert_true(now_ns() < until);
        d->class->wait(d, 0); // looking is enough
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(watchers[i].done_count, 1);
        assert_int_equal(watchers[i].op.result, WEFT__WRITABLE);
    }
    close_socket(udp);
}

// A driver that submits from its callbacks, with no end of ready operations, still returns.
static void submit_once_more(struct call *call) {
    call->done_count = 0;
    assert_int_equal(d->class->submit(d, &call->op), 0);
}

static void wait_returns_though_its_callbacks_always_submit(void **state) {
    (void)state;
    enum { COUNT = 600 };
    struct sock udp = open_socket(WEFT__DATAGRAM);
    for (int i = 0; i < COUNT; i++) {
        prepare(&calls[i], WEFT__OP_READY, udp);
        calls[i].op.events = WEFT__WRITABLE;
        calls[i].then = submit_once_more;
        submit(&calls[i]);
    }
    for (int i = 0; i < 100; i++)
        d->class->wait(d, INT64_MAX);
    assert_true(d->stats.completions >= COUNT);
    for (int i = 0; i < COUNT; i++)
        calls[i].then = NULL;
    for (int i = 0; i < COUNT; i++)
        await_done(&calls[i]);
    close_socket(udp);
}

// ---- Races ----

enum { RACES = 10000 };

struct race {
    struct sock sender;
    WEFT__ATOMIC(uint32_t) started; // rounds; the sender follows
    WEFT__ATOMIC(uint32_t) sent;
};

static void send_a_byte_each_round(void *arg) {
    struct race *race = arg;
    for (uint32_t round = 1; round <= RACES; round++) {
        while (weft__load(&race->started, acquire) < round)
            weft__os_yield();
        uint8_t byte = (uint8_t)round;
        if (send(race->sender.fd, &byte, 1, MSG_NOSIGNAL) != 1)
            return; // the reader hangs, and its alarm ends the test
        weft__store(&race->sent, round, release);
    }
}

// The cancel comes while the byte is on its way, when the kernel has it but was not asked, or
// after a look that may have taken it.
static void let_race(struct race *race, struct call *call, uint32_t round, uint64_t choice) {
    for (uint64_t i = 0; i < choice && call->op.is_pending; i++)
        d->class->wait(d, 0);
    while (choice % 3 != 0 && weft__load(&race->sent, acquire) < round)
        weft__os_yield();
    if (choice % 3 == 2)
        d->class->wait(d, 0);
    if (call->op.is_pending)
        d->class->cancel(d, &call->op);
}

// One round: a read is submitted, another thread sends a byte, and the read is cancelled, all at
// about the same time. Returns whether the cancel won; then the byte is still in the connection.
static bool race_once(struct race *race, struct sock reader, uint32_t round, uint64_t choice) {
    uint8_t byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, reader, &byte, 1);
    submit(&call);
    weft__store(&race->started, round, release);
    let_race(race, &call, round, choice);
    await_done(&call);
    bool is_cancelled = call.op.result == -ECANCELED;
    if (is_cancelled)
        assert_int_equal(run_io(WEFT__OP_READ, reader, &byte, 1), 1);
    else
        assert_int_equal(call.op.result, 1);
    assert_int_equal(byte, (uint8_t)round);
    return is_cancelled;
}

static void ten_thousand_cancels_race_data_and_no_byte_is_lost(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct race race = {.sender = pair.client};
    struct weft__os_thread thread;
    struct weft__rng rng;
    weft__rng_seed(&rng, 11);
    assert_int_equal(weft__os_thread_create(&thread, "sender", send_a_byte_each_round, &race), 0);
    uint32_t cancelled = 0;
    for (uint32_t round = 1; round <= RACES; round++)
        cancelled += race_once(&race, pair.server, round, weft__rng_below(&rng, 30));
    weft__os_thread_join(&thread);
    print_message("%u of %d reads were cancelled\n", cancelled, RACES);
    char byte;
    assert_int_equal(recv(pair.server.fd, &byte, 1, MSG_DONTWAIT), -1); // nothing came twice
    close_pair(pair);
}

int main(void) {
    contract = &uring_contract;
    int error = start_uring(&d);
    if (error != 0) {
        printf("SKIPPED: io_uring does not start here: error %d\n", -error);
        return 77;
    }
    d->class->stop(d);
    const struct CMUnitTest cases[] = {
        CASE(two_thousand_operations_at_once_complete_once_each),
        CASE(two_thousand_operations_are_cancelled_at_once),
        CASE(completions_beyond_the_queue_are_not_lost),
        CASE(wait_returns_though_its_callbacks_always_submit),
        CASE(ten_thousand_cancels_race_data_and_no_byte_is_lost),
    };
    return cmocka_run_group_tests_name("the uring driver, many at once", cases, NULL, NULL);
}

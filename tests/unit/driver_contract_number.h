// SPDX-License-Identifier: MIT
// The cases of the driver contract about descriptors whose number comes back under a new serial.
// Included by driver_contract.h.
#ifndef TESTS_UNIT_DRIVER_CONTRACT_NUMBER_H
#define TESTS_UNIT_DRIVER_CONTRACT_NUMBER_H

#include "driver_tools.h"

// ---- Descriptors whose number comes back ----

static void a_reused_number_is_a_new_descriptor(void **state) {
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct pair pair = open_pair();
        char byte = 0;
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
        submit(&call);
        d->class->wait(d, 0);
        assert_int_equal(cancel(&call), -ECANCELED);
        assert_int_equal(write_text(pair.client, "old"), 3); // an event that nobody collects
        close_pair(pair);
        struct pair young = open_pair();
        if (contract->is_real)
            assert_true(young.server.fd == pair.server.fd || young.client.fd == pair.server.fd);
        assert_int_equal(write_text(young.client, "c"), 1);
        assert_reads(young.server, "c");
        struct call later;
        prepare_io(&later, WEFT__OP_READ, young.server, &byte, 1);
        submit(&later);
        d->class->wait(d, 0);
        assert_int_equal(later.done_count, 0);
        assert_int_equal(write_text(young.client, "d"), 1);
        await_done(&later);
        assert_int_equal(byte, 'd');
        close_pair(young);
    }
}

// A descriptor whose number has come back, while the socket that had it before lives on under
// another number and goes on having events.
struct reused {
    struct pair old, young; // old.server is the duplicate, young.server has its former number
};

static struct reused reuse_number(void) {
    struct reused reused = {.old = open_pair()};
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, reused.old.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(cancel(&call), -ECANCELED);
    reused.young = open_pair();
    int number = reused.old.server.fd;
    reused.old.server = sock_of(dup(number));
    assert_int_equal(dup2(reused.young.server.fd, number), number); // closes it there
    close_socket(reused.young.server);
    reused.young.server = sock_of(number);
    return reused;
}

static void data_of_a_duplicate_does_not_reach_the_new_descriptor(void **state) {
    (void)state;
    only_real();
    struct reused reused = reuse_number();
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, reused.young.server, &byte, 1);
    submit(&call);
    assert_int_equal(write_text(reused.old.client, "old"), 3);
    for (int i = 0; i < 3; i++)
        d->class->wait(d, 0);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(write_text(reused.young.client, "y"), 1);
    await_done(&call);
    assert_int_equal(byte, 'y');
    close_pair(reused.old);
    close_pair(reused.young);
}

// The duplicate becomes writable and is not readable; the new descriptor stays readable.
static void an_event_of_a_duplicate_does_not_hide_data(void **state) {
    (void)state;
    only_real();
    struct reused reused = reuse_number();
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, reused.young.server, &byte, 1);
    submit(&call);
    assert_int_equal(write_text(reused.young.client, "yz"), 2);
    await_done(&call);
    drain(reused.old.client, fill(reused.old.server));
    d->class->wait(d, 0);
    assert_reads(reused.young.server, "z");
    close_pair(reused.old);
    close_pair(reused.young);
}

static void the_same_descriptor_may_come_under_a_new_serial(void **state) {
    (void)state;
    struct pair pair = open_pair();
    for (int i = 0; i < 3; i++) {
        char byte = 0;
        struct call call;
        prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
        submit(&call);
        d->class->wait(d, 0);
        assert_int_equal(write_text(pair.client, "x"), 1);
        await_done(&call);
        assert_int_equal(byte, 'x');
        pair.server.serial = ++last_serial;
    }
    close_pair(pair);
}

#endif

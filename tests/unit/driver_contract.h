// SPDX-License-Identifier: MIT
// The cases of the driver contract (driver/driver.h), the same for every driver. A test program
// defines a `struct contract` and returns contract_run(&it) from main.
#ifndef TESTS_UNIT_DRIVER_CONTRACT_H
#define TESTS_UNIT_DRIVER_CONTRACT_H

#include <stdio.h>

#include "driver_contract_cancel.h"
#include "driver_contract_data.h"
#include "driver_contract_datagram.h"
#include "driver_contract_number.h"
#include "driver_contract_wait.h"
#include "driver_tools.h"

// ---- Clocks, choices, counters ----

static void the_clocks_run_forward(void **state) {
    (void)state;
    int64_t before = now_ns();
    d->class->wait(d, 0);
    assert_true(now_ns() >= before);
    int64_t day_ns = INT64_C(86400) * 1000000000;
    if (contract->is_real) // 18262 days are the year 2020
        assert_true(d->class->now(d, WEFT__WALL) > 18262 * day_ns);
}

static void a_choice_lies_among_the_possibilities(void **state) {
    (void)state;
    assert_true(contract->is_real == (d->class->choose == NULL));
    for (uint32_t n = 1; !contract->is_real && n < 10; n++)
        assert_true(d->class->choose(d, WEFT__PICK_READY, n) < n);
}

static void operations_are_counted(void **state) {
    (void)state;
    struct pair pair = open_pair();
    struct weft__driver_stats before = d->stats;
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    assert_int_equal(d->class->try(d, &call.op), -EAGAIN);
    submit(&call);
    assert_int_equal(d->pending, 1);
    assert_int_equal(d->stats.tries, before.tries + 1);
    assert_int_equal(d->stats.submits, before.submits + 1);
    d->class->wait(d, 0);
    assert_int_equal(d->stats.waits, before.waits + 1);
    assert_int_equal(cancel(&call), -ECANCELED);
    assert_int_equal(d->stats.cancels, before.cancels + 1);
    assert_int_equal(d->stats.completions, before.completions + 1);
    assert_int_equal(d->pending, 0);
    close_pair(pair);
}

static const struct CMUnitTest contract_cases[] = {
    CASE(try_of_a_read_that_would_wait_answers_eagain),
    CASE(a_read_completes_when_data_arrives),
    CASE(a_read_of_what_is_there_completes_in_wait),
    CASE(small_reads_take_the_stream_in_order),
    CASE(peek_leaves_the_bytes_where_they_are),
    CASE(vectors_are_gathered_and_scattered),
    CASE(a_write_completes_when_there_is_room_again),
    CASE(every_byte_of_a_large_stream_arrives_in_order),
    CASE(a_read_after_the_last_byte_is_zero),
    CASE(a_waiting_read_sees_the_end_of_the_stream),
    CASE(a_reset_ends_a_waiting_read),
    CASE(a_write_after_the_end_is_epipe_and_no_signal),
    CASE(both_directions_of_a_connection_wait_at_once),
    CASE(accept_completes_with_a_connection_and_its_peer),
    CASE(accept_takes_every_connection_of_a_burst),
    CASE(connect_to_nobody_is_refused),
    CASE(descriptors_are_nonblocking_and_close_on_exec),
    CASE(a_datagram_arrives_whole_with_its_sender),
    CASE(a_datagram_too_long_is_cut_and_says_so),
    CASE(a_datagram_without_a_peer_is_refused),
    CASE(a_refused_datagram_is_reported_once),
    CASE(readiness_waits_for_the_directions_asked_for),
    CASE(a_listener_is_readable_when_a_connection_waits),
    CASE(the_clocks_run_forward),
    CASE(a_choice_lies_among_the_possibilities),
    CASE(operations_are_counted),
};

static const struct CMUnitTest contract_wait_cases[] = {
    CASE(a_cancelled_read_has_taken_nothing),
    CASE(a_cancel_that_races_data_loses_none),
    CASE(every_kind_of_wait_can_be_cancelled),
    CASE(a_cancelled_write_has_sent_nothing),
    CASE(a_waiting_connect_can_be_cancelled),
    CASE(a_cancelled_connect_that_stands_is_kept),
    CASE(random_cancels_lose_and_double_nothing),
    CASE(done_may_submit_the_same_op_again),
    CASE(done_may_cancel_an_op_that_is_ready_too),
    CASE(a_hundred_connections_wait_at_once),
    CASE(wait_ends_at_its_deadline),
    CASE(wait_with_deadline_zero_only_looks),
    CASE(a_wake_before_the_wait_ends_it),
    CASE(many_wakes_end_few_waits),
    CASE(a_wake_from_another_thread_is_never_lost),
    CASE(a_reused_number_is_a_new_descriptor),
    CASE(data_of_a_duplicate_does_not_reach_the_new_descriptor),
    CASE(an_event_of_a_duplicate_does_not_hide_data),
    CASE(the_same_descriptor_may_come_under_a_new_serial),
    CASE(a_start_without_memory_leaves_nothing),
    CASE(a_submit_without_memory_has_not_taken_the_op),
};

// Runs every case on this driver. Returns what main should: 0, the number that failed, or 77 when
// the driver does not start here.
static int contract_run(const struct contract *driver) {
    contract = driver;
    int error = driver->start(&d);
    if (error != 0) {
        printf("SKIPPED: %s does not start here: error %d\n", driver->name, -error);
        return 77;
    }
    d->class->stop(d);
    int failed =
        cmocka_run_group_tests_name("the driver contract: data", contract_cases, NULL, NULL);
    return failed + cmocka_run_group_tests_name("the driver contract: waiting", contract_wait_cases,
                                                NULL, NULL);
}

#endif

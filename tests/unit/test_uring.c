// SPDX-License-Identifier: MIT
// Unit tests of driver/uring.c: the driver contract, and that a completion reaches the operation it
// names and no other. What an unwilling kernel does is in test_uring_kernel.c, many operations and
// races are in test_uring_many.c.
#include <sys/socket.h>

#include "driver_contract.h"
#include "uring_tools.h"

// ---- Names ----

// A completion that the driver did not ask for, as a late one of an old operation would be.
static void inject(uint64_t name) {
    struct io_uring_sqe *sqe = weft__uring_sqe(uring());
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, name);
}

static void a_late_completion_does_not_reach_the_next_user_of_its_slot(void **state) {
    (void)state;
    struct pair pair = open_pair();
    char byte = 0;
    struct call old, young;
    prepare_io(&old, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&old);
    uint64_t old_name = old.op.slot;
    assert_int_equal(cancel(&old), -ECANCELED);
    prepare_io(&young, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&young);
    assert_int_equal((uint32_t)young.op.slot, (uint32_t)old_name); // the same slot
    assert_true(young.op.slot != old_name);                        // another generation
    inject(old_name);
    d->class->wait(d, 0);
    assert_int_equal(young.done_count, 0);
    assert_int_equal(uring()->strays, 1);
    assert_int_equal(write_text(pair.client, "y"), 1);
    await_done(&young);
    assert_int_equal(byte, 'y');
    close_pair(pair);
}

static void completions_of_nobody_are_ignored_and_counted(void **state) {
    (void)state;
    struct call call;
    struct pair pair = open_pair();
    char byte;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    uint64_t name = call.op.slot;
    assert_int_equal(cancel(&call), -ECANCELED);
    inject(name);                        // its slot is free
    inject(name + ((uint64_t)7 << 32));  // a generation to come
    inject((uint64_t)1 << 32 | 5000000); // no such slot
    d->class->wait(d, 0);
    assert_int_equal(uring()->strays, 3);
    assert_int_equal(call.done_count, 1);
    close_pair(pair);
}

// ---- Without memory ----

static void without_memory_there_are_no_hints_and_no_harm(void **state) {
    (void)state;
    struct pair pair = open_pair();
    pair.server = move_far(pair.server);
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    read_all_but(pair, 6);
    weft__fail_disarm();
    char byte;
    assert_int_equal(try_read(pair.server, &byte, 1), -EAGAIN);
    assert_reads(pair.server, "456789");
    close_pair(pair);
}

int main(void) {
    int failed = contract_run(&uring_contract);
    if (failed == 77)
        return failed;
    const struct CMUnitTest cases[] = {
        CASE(a_late_completion_does_not_reach_the_next_user_of_its_slot),
        CASE(completions_of_nobody_are_ignored_and_counted),
        CASE(without_memory_there_are_no_hints_and_no_harm),
    };
    return failed + cmocka_run_group_tests_name("the uring driver", cases, NULL, NULL);
}

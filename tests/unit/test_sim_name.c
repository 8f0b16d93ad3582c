// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_name.c: which names there are, how long an answer takes in virtual time,
// cancelling a lookup.
#include <weft/error.h>

#include "sim_tools.h"

enum { ROOM = 4 };

struct lookup {
    struct call call;
    struct weft__op_resolve resolve;
    weft_addr list[ROOM];
};

static void prepare_lookup(struct lookup *lookup, const char *host, size_t capacity) {
    *lookup = (struct lookup){0};
    prepare(&lookup->call, WEFT__OP_RESOLVE, (struct sock){.fd = -1});
    lookup->resolve = (struct weft__op_resolve){
        .host = host, .port = 80, .ret_list = lookup->list, .capacity = capacity};
    lookup->call.op.resolve = &lookup->resolve;
}

static int64_t look_up(struct lookup *lookup, const char *host, size_t capacity) {
    prepare_lookup(lookup, host, capacity);
    return run(&lookup->call);
}

static void localhost_is_both_loopback_addresses(void **state) {
    (void)state;
    struct lookup lookup;
    assert_int_equal(look_up(&lookup, "localhost", ROOM), 2);
    assert_true(same(lookup.list[0], loopback6(80)));
    assert_true(same(lookup.list[1], loopback(80)));
    assert_int_equal(look_up(&lookup, "LocalHost", 1), 1);
    assert_true(same(lookup.list[0], loopback6(80)));
}

static void numeric_names_are_themselves(void **state) {
    (void)state;
    struct lookup lookup;
    assert_int_equal(look_up(&lookup, "127.0.0.9", ROOM), 1);
    assert_true(same(lookup.list[0], v4(9, 80)));
    assert_int_equal(look_up(&lookup, "::1", ROOM), 1);
    assert_true(same(lookup.list[0], loopback6(80)));
}

static void unknown_names_take_time_to_be_unknown(void **state) {
    (void)state;
    struct lookup lookup;
    int64_t start_ns = now_ns();
    assert_int_equal(look_up(&lookup, "no-such-name.example", ROOM), -WEFT_ENAME);
    assert_true(now_ns() > start_ns);
    assert_int_equal(look_up(&lookup, "", ROOM), -WEFT_ENAME);
}

static void names_may_be_added_and_changed(void **state) {
    (void)state;
    const weft_addr three[] = {v4(1, 0), v4(2, 7), loopback6(0)};
    struct lookup lookup;
    int64_t start_ns = now_ns();
    assert_int_equal(weft__sim_name_add(d, "db.example", three, 3, 5000000), 0);
    assert_int_equal(look_up(&lookup, "DB.example", ROOM), 3);
    assert_int_equal(now_ns() - start_ns, 5000000);
    assert_true(same(lookup.list[0], v4(1, 80)));
    assert_true(same(lookup.list[1], v4(2, 80)));
    assert_true(same(lookup.list[2], loopback6(80)));
    assert_int_equal(look_up(&lookup, "db.example", 2), 2);
    assert_int_equal(weft__sim_name_add(d, "db.example", &three[1], 1, 0), 0);
    assert_int_equal(look_up(&lookup, "db.example", ROOM), 1);
    assert_true(same(lookup.list[0], v4(2, 80)));
    assert_int_equal(weft__sim_name_add(d, "db.example", NULL, 0, 0), 0);
    assert_int_equal(look_up(&lookup, "db.example", ROOM), -WEFT_ENAME);
    assert_int_equal(weft__sim_name_add(d, "localhost", three, 1, 0), 0);
    assert_int_equal(look_up(&lookup, "localhost", ROOM), 1);
}

static void a_name_that_could_not_be_added_is_not_there(void **state) {
    (void)state;
    const weft_addr addr = v4(1, 0);
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    assert_int_equal(weft__sim_name_add(d, "db.example", &addr, 1, 0), -ENOMEM);
    weft__fail_disarm();
    struct lookup lookup;
    assert_int_equal(look_up(&lookup, "db.example", ROOM), -WEFT_ENAME);
}

static void answers_come_by_their_own_delay(void **state) {
    (void)state;
    const weft_addr addr = v4(1, 0);
    assert_int_equal(weft__sim_name_add(d, "slow", &addr, 1, 9000000), 0);
    assert_int_equal(weft__sim_name_add(d, "quick", &addr, 1, 1000000), 0);
    int64_t start_ns = now_ns();
    struct lookup slow, quick, cancelled;
    prepare_lookup(&slow, "slow", ROOM);
    prepare_lookup(&quick, "quick", ROOM);
    prepare_lookup(&cancelled, "quick", ROOM);
    assert_int_equal(d->class->try(d, &slow.call.op), -EAGAIN);
    submit(&slow.call);
    submit(&cancelled.call);
    submit(&quick.call);
    assert_int_equal(cancel(&cancelled.call), -ECANCELED);
    await_done(&quick.call);
    assert_int_equal(now_ns() - start_ns, 1000000);
    assert_true(slow.call.op.is_pending);
    await_done(&slow.call);
    assert_int_equal(now_ns() - start_ns, 9000000);
    assert_true(same(cancelled.list[0], (weft_addr){0}));
}

static const struct CMUnitTest cases[] = {
    CASE(localhost_is_both_loopback_addresses),        CASE(numeric_names_are_themselves),
    CASE(unknown_names_take_time_to_be_unknown),       CASE(names_may_be_added_and_changed),
    CASE(a_name_that_could_not_be_added_is_not_there), CASE(answers_come_by_their_own_delay),
};

int main(void) {
    return sim_main(0, NULL, cases);
}

// SPDX-License-Identifier: MIT
// Unit tests of driver/uring_table.c: slots and the names they give to operations, and hints about
// descriptors. There is no ring: the tables know nothing of it.
#include "driver/uring.h"
#include "driver_tools.h"
#include "in_child.h"

enum { COUNT = 1000 };

static struct weft__uring u;
static struct weft__op ops[COUNT];

static int begin(void **state) {
    (void)state;
    memset(&u, 0, sizeof u);
    memset(ops, 0, sizeof ops);
    blocks_before = weft__alloc_living();
    return 0;
}

static int end(void **state) {
    (void)state;
    weft__fail_disarm();
    weft__uring_table_free(&u);
    assert_int_equal(weft__alloc_living(), blocks_before);
    return 0;
}

#define TABLE_CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static struct weft__uring_slot *take(struct weft__op *op) {
    struct weft__uring_slot *slot = weft__uring_slot_take(&u, op);
    assert_non_null(slot);
    assert_ptr_equal(slot->op, op);
    assert_true(op->slot == slot->name);
    return slot;
}

// ---- Slots ----

static void every_operation_has_a_slot_of_its_own_that_never_moves(void **state) {
    (void)state;
    static struct weft__uring_slot *slots[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        slots[i] = take(&ops[i]);
        assert_int_equal((uint32_t)ops[i].slot, i); // packed, from the first
        assert_int_equal(ops[i].slot >> 32, 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_ptr_equal(weft__uring_slot_find(&u, ops[i].slot), slots[i]);
        assert_ptr_equal(slots[i]->op, &ops[i]);
    }
}

static void chunks_are_made_when_they_are_needed_and_double(void **state) {
    (void)state;
    static const uint32_t full[] = {64, 64 + 128, 64 + 128 + 256};
    uint32_t used = 0;
    for (size_t chunks = 1; chunks <= 3; chunks++) {
        while (used < full[chunks - 1])
            (void)take(&ops[used++]);
        assert_int_equal(weft__alloc_living(), blocks_before + chunks);
    }
}

static void the_slot_freed_last_is_taken_first_under_a_new_name(void **state) {
    (void)state;
    struct weft__uring_slot *first = take(&ops[0]), *second = take(&ops[1]);
    uint64_t first_name = first->name, second_name = second->name;
    weft__uring_slot_free(&u, second);
    weft__uring_slot_free(&u, first);
    assert_ptr_equal(take(&ops[2]), first);
    assert_ptr_equal(take(&ops[3]), second);
    assert_true(first->name == first_name + ((uint64_t)1 << 32));
    assert_true(second->name == second_name + ((uint64_t)1 << 32));
    assert_int_equal((uint32_t)take(&ops[4])->name, 2); // then a fresh one
}

static void what_the_last_user_left_in_a_slot_is_gone(void **state) {
    (void)state;
    struct weft__uring_slot *slot = take(&ops[0]);
    slot->phase = WEFT__URING_POLL;
    slot->poll = slot->poll_first = slot->cancelled = 1;
    weft__uring_slot_free(&u, slot);
    assert_ptr_equal(take(&ops[1]), slot);
    assert_int_equal(slot->phase, WEFT__URING_BACKLOG);
    assert_int_equal(slot->poll, 0);
    assert_int_equal(slot->poll_first, 0);
    assert_int_equal(slot->cancelled, 0);
}

static void the_name_of_nobody_finds_nothing(void **state) {
    (void)state;
    assert_null(weft__uring_slot_find(&u, (uint64_t)1 << 32));
    struct weft__uring_slot *slot = take(&ops[0]);
    uint64_t name = slot->name;
    assert_null(weft__uring_slot_find(&u, name + 1));                   // not taken yet
    assert_null(weft__uring_slot_find(&u, name + ((uint64_t)1 << 32))); // a generation to come
    assert_null(weft__uring_slot_find(&u, name | UINT32_MAX));          // no such slot
    assert_null(weft__uring_slot_find(&u, WEFT__URING_NAME_CANCEL));    // below every generation
    assert_ptr_equal(weft__uring_slot_find(&u, name), slot);
    weft__uring_slot_free(&u, slot);
    assert_null(weft__uring_slot_find(&u, name)); // free
    (void)take(&ops[1]);
    assert_null(weft__uring_slot_find(&u, name)); // taken by somebody else
}

// Names of generation 0 belong to the driver itself (WEFT__URING_NAME_WAKE and its like).
static void a_generation_is_never_zero(void **state) {
    (void)state;
    struct weft__uring_slot *slot = take(&ops[0]);
    slot->name |= (uint64_t)INT32_MAX << 32; // the last one: the bit above says 'cancels'
    weft__uring_slot_free(&u, slot);
    assert_int_equal(take(&ops[1])->name >> 32, 1);
}

static void without_memory_there_is_no_slot_and_the_old_ones_stay(void **state) {
    (void)state;
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    ops[0].slot = 77;
    assert_null(weft__uring_slot_take(&u, &ops[0]));
    assert_int_equal(ops[0].slot, 77);
    weft__fail_disarm();
    for (int i = 0; i < WEFT__URING_FIRST_CHUNK; i++)
        (void)take(&ops[i]);
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    assert_null(weft__uring_slot_take(&u, &ops[COUNT - 1]));
    struct weft__uring_slot *slot = weft__uring_slot_find(&u, ops[3].slot);
    assert_ptr_equal(slot->op, &ops[3]);
    weft__uring_slot_free(&u, slot);
    assert_ptr_equal(take(&ops[COUNT - 1]), slot); // needs none
    weft__fail_disarm();
    assert_int_equal((uint32_t)take(&ops[COUNT - 2])->name, WEFT__URING_FIRST_CHUNK);
}

static void free_twice(void *arg) {
    weft__uring_slot_free(&u, arg);
    weft__uring_slot_free(&u, arg);
}

static void freeing_a_free_slot_is_our_own_bug(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(free_twice, take(&ops[0])), SIGABRT);
}

// ---- Hints ----

static void set(int fd, uint64_t serial, enum weft__uring_hint_value value) {
    weft__uring_set_hint(&u, &(struct weft__op){.fd = fd, .serial = serial}, value);
}

static enum weft__uring_hint_value get(int fd, uint64_t serial) {
    return weft__uring_hint(&u, &(struct weft__op){.fd = fd, .serial = serial});
}

static void a_hint_is_that_of_its_descriptor(void **state) {
    (void)state;
    assert_int_equal(get(3, 9), WEFT__URING_UNKNOWN);
    set(3, 9, WEFT__URING_MORE);
    set(4, 10, WEFT__URING_EMPTY);
    assert_int_equal(get(3, 9), WEFT__URING_MORE);
    assert_int_equal(get(4, 10), WEFT__URING_EMPTY);
    assert_int_equal(get(5, 9), WEFT__URING_UNKNOWN);
    set(3, 9, WEFT__URING_UNKNOWN);
    assert_int_equal(get(3, 9), WEFT__URING_UNKNOWN);
    assert_int_equal(get(4, 10), WEFT__URING_EMPTY);
}

static void a_hint_ends_with_its_serial(void **state) {
    (void)state;
    set(3, 9, WEFT__URING_MORE);
    assert_int_equal(get(3, 10), WEFT__URING_UNKNOWN);
    set(3, 10, WEFT__URING_EMPTY);
    assert_int_equal(get(3, 10), WEFT__URING_EMPTY);
    assert_int_equal(get(3, 9), WEFT__URING_UNKNOWN);
}

static void hints_are_kept_while_their_table_grows(void **state) {
    (void)state;
    static const int fds[] = {0, 63, 64, 127, 128, 5000, 70000};
    enum { FDS = sizeof fds / sizeof *fds };
    for (uint64_t i = 0; i < FDS; i++)
        set(fds[i], i + 1, i % 2 ? WEFT__URING_MORE : WEFT__URING_EMPTY);
    for (uint64_t i = 0; i < FDS; i++)
        assert_int_equal(get(fds[i], i + 1), i % 2 ? WEFT__URING_MORE : WEFT__URING_EMPTY);
    assert_int_equal(get(70001, 1), WEFT__URING_UNKNOWN);
    assert_int_equal(weft__alloc_living(), blocks_before + 1);
}

static void a_negative_descriptor_has_no_hint(void **state) {
    (void)state;
    set(-1, 9, WEFT__URING_MORE);
    assert_int_equal(get(-1, 9), WEFT__URING_UNKNOWN);
    set(0, 9, WEFT__URING_MORE);
    set(INT32_MIN, 9, WEFT__URING_MORE);
    assert_int_equal(get(INT32_MIN, 9), WEFT__URING_UNKNOWN);
    assert_int_equal(get(0, 9), WEFT__URING_MORE);
}

static void without_memory_there_is_no_hint_and_the_old_ones_stay(void **state) {
    (void)state;
    set(1, 9, WEFT__URING_MORE);
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    set(5000, 9, WEFT__URING_MORE);
    assert_int_equal(get(5000, 9), WEFT__URING_UNKNOWN);
    assert_int_equal(get(1, 9), WEFT__URING_MORE);
    weft__fail_disarm();
    set(5000, 9, WEFT__URING_MORE);
    assert_int_equal(get(5000, 9), WEFT__URING_MORE);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        TABLE_CASE(every_operation_has_a_slot_of_its_own_that_never_moves),
        TABLE_CASE(chunks_are_made_when_they_are_needed_and_double),
        TABLE_CASE(the_slot_freed_last_is_taken_first_under_a_new_name),
        TABLE_CASE(what_the_last_user_left_in_a_slot_is_gone),
        TABLE_CASE(the_name_of_nobody_finds_nothing),
        TABLE_CASE(a_generation_is_never_zero),
        TABLE_CASE(without_memory_there_is_no_slot_and_the_old_ones_stay),
        TABLE_CASE(freeing_a_free_slot_is_our_own_bug),
        TABLE_CASE(a_hint_is_that_of_its_descriptor),
        TABLE_CASE(a_hint_ends_with_its_serial),
        TABLE_CASE(hints_are_kept_while_their_table_grows),
        TABLE_CASE(a_negative_descriptor_has_no_hint),
        TABLE_CASE(without_memory_there_is_no_hint_and_the_old_ones_stay),
    };
    return cmocka_run_group_tests_name("the tables of io_uring", cases, NULL, NULL);
}

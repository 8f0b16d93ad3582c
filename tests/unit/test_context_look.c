// SPDX-License-Identifier: MIT
// Unit tests of weft__context_look and weft__context_has_stopped: what others see of a context.
#include "party.h"

#include "os/look.h"

#include <pthread.h>

#if !defined(WEFT__CONTEXT_UCONTEXT)

// A stopped context whose innermost call was made where `note` says, and the frames a look finds.
struct looking {
    struct party party;
    size_t count;
    uintptr_t frames[48];
};

static __attribute__((noinline)) void stop_deep(struct looking *l, int depth) {
    if (depth > 0) {
        stop_deep(l, depth - 1);
    } else {
        l->party.note = (uintptr_t)__builtin_return_address(0);
        go_home(&l->party);
    }
    l->party.visits++; // so that the call before is none at the end
}

static void stop_twice(void *arg) {
    struct looking *l = arg;
    stop_deep(l, 5);
    stop_deep(l, 5);
    finish(&l->party);
}

static __attribute__((noinline)) void note_frames(void *arg) {
    struct looking *l = arg;
    l->count = weft__look_own_calls(0, l->frames, 48);
}

static bool is_found(const struct looking *l, uintptr_t address) {
    size_t i = 0;
    while (i < l->count && l->frames[i] != address)
        i++;
    return i < l->count;
}

static void *look_from_a_thread(void *arg) {
    struct looking *l = arg;
    weft__context_look(&l->party.context, note_frames, l);
    return NULL;
}

// Here, from another thread, and again when it has gone on; and it goes on as if nobody had looked.
static void a_look_at_a_stopped_context_finds_its_calls(void **state) {
    (void)state;
    struct looking l = {.count = 0};
    party_start(&stacks, &l.party, &home, stop_twice);
    for (int i = 0; i < 2; i++) {
        weft__context_switch(&home, &l.party.context);
        weft__context_look(&l.party.context, note_frames, &l);
        assert_in_range(l.count, 8, 47);
        assert_true(is_found(&l, l.party.note));
        l.count = 0;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, look_from_a_thread, &l), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(is_found(&l, l.party.note));
    }
    weft__context_switch(&home, &l.party.context);
    assert_int_equal(l.party.visits, 12);
    party_end(&stacks, &l.party);
}

static void note_whether_stopped(void *arg) {
    struct party *p = arg;
    p->note = weft__context_has_stopped(&p->context) ? 2 : 1;
    p->visits = weft__context_has_stopped(p->home);
    go_home(p);
    p->note = weft__context_has_stopped(&p->context) ? 2 : 1;
    finish(p);
}

static void a_context_has_stopped_unless_it_runs(void **state) {
    (void)state;
    struct party p;
    party_start(&stacks, &p, &home, note_whether_stopped);
    for (int i = 0; i < 2; i++) {
        p.note = 0;
        assert_true(weft__context_has_stopped(&p.context));
        weft__context_switch(&home, &p.context);
        assert_int_equal(p.note, 1);
        assert_int_equal(p.visits, 1); // home had stopped then
        assert_false(weft__context_has_stopped(&home));
    }
    party_end(&stacks, &p);
}

#endif

int main(void) {
#if defined(WEFT__CONTEXT_UCONTEXT)
    return 77; // nobody can look
#else
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_at_a_stopped_context_finds_its_calls),
        cmocka_unit_test(a_context_has_stopped_unless_it_runs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
#endif
}

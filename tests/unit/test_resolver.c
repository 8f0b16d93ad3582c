// SPDX-License-Identifier: MIT
// Unit tests of driver/resolver.c: answers, errors, order, cancelling, fork and exit, with a name
// service of our own (fake_names.h).
#include <netdb.h>
#include <stdio.h>
#include <sys/wait.h>
#include <weft/error.h>

#include "driver/resolver.h"
#include "driver_tools.h"
#include "fake_names.h"
#include "refuse_syscall.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

// ---- Lookups ----

struct lookup {
    struct call call;
    struct weft__op_resolve resolve;
    char host[64];
    weft_addr list[ANSWER_MAX];
};

static void prepare_lookup(struct lookup *lookup, const char *host, size_t capacity) {
    memset(lookup, 0, sizeof *lookup);
    prepare(&lookup->call, WEFT__OP_RESOLVE, (struct sock){.fd = -1});
    snprintf(lookup->host, sizeof lookup->host, "%s", host);
    lookup->resolve = (struct weft__op_resolve){
        .host = lookup->host, .port = 443, .ret_list = lookup->list, .capacity = capacity};
    lookup->call.op.resolve = &lookup->resolve;
}

static int64_t look_up(struct lookup *lookup, const char *host) {
    prepare_lookup(lookup, host, ANSWER_MAX);
    return run(&lookup->call);
}

static weft_addr answer_addr(int last) {
    const uint8_t ip[] = {192, 0, 2, (uint8_t)last};
    return weft__address_make(WEFT_IPV4, ip, 443, 0);
}

static void assert_addr(const weft_addr *addr, const weft_addr *expected) {
    assert_memory_equal(addr, expected, sizeof *addr);
}

// A cancelled lookup that runs is freed by the pool, some time later.
static void await_blocks(size_t count) {
    while (weft__alloc_living() > count)
        weft__os_yield();
}

// ---- Answers ----

static void numbers_are_addresses(void **state) {
    (void)state;
    static struct lookup lookup;
    const uint8_t ip4[] = {127, 0, 0, 1};
    const uint8_t ip6[16] = {[15] = 1};
    assert_int_equal(look_up(&lookup, "127.0.0.1"), 1);
    weft_addr expected = weft__address_make(WEFT_IPV4, ip4, 443, 0);
    assert_addr(&lookup.list[0], &expected);
    assert_int_equal(look_up(&lookup, "::1"), 1);
    expected = weft__address_make(WEFT_IPV6, ip6, 443, 0);
    assert_addr(&lookup.list[0], &expected);
    assert_int_equal(look_up(&lookup, "fe80::1%1"), 1);
    assert_int_equal(weft__address_zone(&lookup.list[0]), 1);
    assert_int_equal(weft__address_port(&lookup.list[0]), 443);
}

// RFC 6761 section 6.3: every machine has it, in /etc/hosts or built in.
static void localhost_is_the_loopback_address(void **state) {
    (void)state;
    static struct lookup lookup;
    int64_t count = look_up(&lookup, "localhost");
    assert_true(count >= 1);
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *ip = weft__address_ip(&lookup.list[i]);
        bool is_ipv4 = weft__address_family(&lookup.list[i]) == WEFT_IPV4;
        assert_int_equal(is_ipv4 ? ip[0] : ip[15], is_ipv4 ? 127 : 1);
        assert_int_equal(weft__address_port(&lookup.list[i]), 443);
    }
}

static void addresses_come_in_order_up_to_the_capacity(void **state) {
    (void)state;
    static struct lookup lookup;
    prepare_lookup(&lookup, "list 5", 3);
    assert_int_equal(run(&lookup.call), 3);
    for (int i = 0; i < 3; i++) {
        weft_addr expected = answer_addr(i);
        assert_addr(&lookup.list[i], &expected);
    }
    const weft_addr none = {{0}};
    assert_addr(&lookup.list[3], &none);
    assert_int_equal(look_up(&lookup, "list 300"), 256);
}

static void errors_say_whether_the_name_exists(void **state) {
    (void)state;
    static struct lookup lookup;
    const struct {
        int code;
        int64_t result;
    } table[] = {
        {EAI_NONAME, -WEFT_ENAME},       {EAI_NODATA, -WEFT_ENAME},   {EAI_ADDRFAMILY, -WEFT_ENAME},
        {EAI_AGAIN, -WEFT_ENAMEFAIL},    {EAI_FAIL, -WEFT_ENAMEFAIL}, {EAI_SYSTEM, -WEFT_ENAMEFAIL},
        {EAI_BADFLAGS, -WEFT_ENAMEFAIL}, {EAI_MEMORY, -ENOMEM},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char host[32];
        snprintf(host, sizeof host, "code %d", table[i].code);
        assert_int_equal(look_up(&lookup, host), table[i].result);
    }
}

static void the_name_may_go_away_after_submit(void **state) {
    (void)state;
    static struct lookup lookup;
    gate_reset();
    prepare_lookup(&lookup, "gate 9", 1);
    submit(&lookup.call);
    memset(lookup.host, 'x', sizeof lookup.host - 1);
    gate_open();
    await_done(&lookup.call);
    weft_addr expected = answer_addr(9);
    assert_int_equal(lookup.call.op.result, 1);
    assert_addr(&lookup.list[0], &expected);
}

static void a_driver_waits_for_lookups_and_descriptors_at_once(void **state) {
    (void)state;
    static struct lookup lookup;
    struct pair pair = open_pair();
    char byte;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    assert_int_equal(look_up(&lookup, "list 1"), 1);
    assert_int_equal(call.done_count, 0);
    assert_int_equal(write_text(pair.client, "x"), 1);
    await_done(&call);
    close_pair(pair);
}

// ---- Many ----

// More lookups than threads: four run, the others wait in the order they came.
static void lookups_beyond_the_threads_wait_in_order(void **state) {
    (void)state;
    enum { COUNT = 20 };
    static struct lookup lookups[COUNT];
    gate_reset();
    for (int i = 0; i < COUNT; i++) {
        char host[32];
        snprintf(host, sizeof host, "gate %d", i);
        prepare_lookup(&lookups[i], host, 1);
        submit(&lookups[i].call);
    }
    await_begun(WEFT__RESOLVE_THREADS);
    d->class->wait(d, 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(lookups[i].call.done_count, 0);
    gate_open();
    for (int i = 0; i < COUNT; i++) {
        weft_addr expected = answer_addr(i);
        await_done(&lookups[i].call);
        assert_int_equal(lookups[i].call.op.result, 1);
        assert_addr(&lookups[i].list[0], &expected);
    }
    assert_int_equal(weft__load(&gate.begun, seq_cst), COUNT);
    assert_true(weft__load(&gate.most_inside, seq_cst) <= WEFT__RESOLVE_THREADS);
    for (int turn = WEFT__RESOLVE_THREADS; turn < COUNT; turn++) // four at a time may overtake
        assert_true(weft__load(&gate.order[turn], seq_cst) <= turn + WEFT__RESOLVE_THREADS);
}

static void look_up_often(void *arg) {
    int *ret_failures = arg;
    struct weft__driver *own;
    if (weft__thread_start(&own, NULL) != 0) {
        *ret_failures = 1;
        return;
    }
    for (int i = 0; i < 300; i++) {
        struct weft__op_resolve resolve;
        weft_addr addr;
        struct call call;
        prepare(&call, WEFT__OP_RESOLVE, (struct sock){.fd = -1});
        resolve = (struct weft__op_resolve){.host = "list 1", .ret_list = &addr, .capacity = 1};
        call.op.resolve = &resolve;
        if (own->class->submit(own, &call.op) != 0)
            *ret_failures += 1;
        else if (i % 3 == 0)
            own->class->cancel(own, &call.op);
        while (call.op.is_pending)
            own->class->wait(own, INT64_MAX);
        *ret_failures += call.done_count != 1;
        *ret_failures += call.op.result != 1 && !(i % 3 == 0 && call.op.result == -ECANCELED);
    }
    own->class->stop(own);
}

// Also what TSan looks at: drivers that come and go while the pool answers them.
static void several_drivers_share_the_pool(void **state) {
    (void)state;
    enum { COUNT = 3 };
    size_t blocks = weft__alloc_living();
    struct weft__os_thread threads[COUNT];
    int failures[COUNT] = {0};
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(weft__os_thread_create(&threads[i], "user", look_up_often, &failures[i]),
                         0);
    for (int i = 0; i < COUNT; i++) {
        weft__os_thread_join(&threads[i]);
        assert_int_equal(failures[i], 0);
    }
    await_blocks(blocks);
}

// ---- Cancel ----

// One lookup that runs, and behind four of them one that is queued.
static void a_cancelled_lookup_is_done_at_once_and_its_answer_dropped(void **state) {
    (void)state;
    enum { COUNT = WEFT__RESOLVE_THREADS + 1 };
    static struct lookup lookups[COUNT];
    size_t blocks = weft__alloc_living();
    gate_reset();
    for (int i = 0; i < COUNT; i++) {
        prepare_lookup(&lookups[i], "gate 1", 1);
        submit(&lookups[i].call);
    }
    await_begun(WEFT__RESOLVE_THREADS);
    for (int i = 0; i < COUNT; i++) {
        d->class->cancel(d, &lookups[i].call.op);
        assert_int_equal(lookups[i].call.done_count, 1);
        assert_int_equal(lookups[i].call.op.result, -ECANCELED);
    }
    assert_int_equal(d->pending, 0);
    gate_open();
    await_blocks(blocks);
    d->class->wait(d, 0);
    const weft_addr none = {{0}};
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(lookups[i].call.done_count, 1);
        assert_addr(&lookups[i].list[0], &none);
    }
    assert_int_equal(weft__load(&gate.begun, seq_cst), WEFT__RESOLVE_THREADS); // one never ran
}

// Its answer is there, but nobody has reaped it.
static void an_answered_lookup_may_be_cancelled(void **state) {
    (void)state;
    static struct lookup first, second;
    for (int i = 0; i < 50; i++) {
        prepare_lookup(&first, "list 1", 1);
        prepare_lookup(&second, "list 1", 1);
        submit(&first.call);
        submit(&second.call);
        if (i % 2)
            weft__os_yield();
        d->class->cancel(d, &first.call.op);
        assert_int_equal(first.call.op.result, -ECANCELED);
        await_done(&second.call);
        assert_int_equal(second.call.op.result, 1);
    }
}

static void cancel_the_other(struct call *call) {
    if (call->other->op.is_pending)
        d->class->cancel(d, &call->other->op);
}

static void done_may_cancel_another_lookup(void **state) {
    (void)state;
    static struct lookup lookups[2];
    for (int i = 0; i < 2; i++) {
        prepare_lookup(&lookups[i], "list 1", 1);
        lookups[i].call.then = cancel_the_other;
        lookups[i].call.other = &lookups[1 - i].call;
    }
    submit(&lookups[0].call);
    submit(&lookups[1].call);
    await_done(&lookups[0].call);
    await_done(&lookups[1].call);
    assert_int_equal((lookups[0].call.op.result == 1) + (lookups[1].call.op.result == 1), 1);
}

// ---- Failures ----

static void a_lookup_without_memory_is_not_taken(void **state) {
    (void)state;
    static struct lookup lookup;
    prepare_lookup(&lookup, "list 1", 1);
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, 1, -ENOMEM);
    assert_int_equal(d->class->submit(d, &lookup.call.op), -ENOMEM);
    weft__fail_disarm();
    assert_false(lookup.call.op.is_pending);
    assert_int_equal(look_up(&lookup, "list 1"), 1);
}

// Runs first, while the pool has no thread.
static void a_lookup_that_nobody_could_run_is_not_taken(void **state) {
    (void)state;
    static struct lookup lookup;
    prepare_lookup(&lookup, "list 1", 1);
    weft__fail_arm(WEFT__FAIL_THREAD, 1, 1, -EAGAIN);
    assert_int_equal(d->class->submit(d, &lookup.call.op), -ENOMEM);
    weft__fail_disarm();
    assert_false(lookup.call.op.is_pending);
    assert_int_equal(d->pending, 0);
    assert_int_equal(look_up(&lookup, "list 1"), 1);
}

// One thread there is; that no second can be had only makes the lookups take turns.
static void one_thread_is_enough(void **state) {
    (void)state;
    static struct lookup lookups[3];
    gate_reset();
    weft__fail_arm(WEFT__FAIL_THREAD, 1, 1, -EAGAIN);
    for (int i = 0; i < 3; i++) {
        prepare_lookup(&lookups[i], "gate 1", 1);
        submit(&lookups[i].call);
    }
    await_begun(1);
    gate_open();
    for (int i = 0; i < 3; i++) {
        await_done(&lookups[i].call);
        assert_int_equal(lookups[i].call.op.result, 1);
    }
    weft__fail_disarm();
    assert_int_equal(weft__load(&gate.most_inside, seq_cst), 1);
}

// ---- Fork and exit ----

// The parent's threads are not in the child, and one of them holds a lookup.
static void a_forked_child_looks_names_up_with_threads_of_its_own(void **state) {
    (void)state;
    if (UNDER_TSAN) // it refuses threads after a fork with threads
        skip();
    static struct lookup held, lookup;
    gate_reset();
    prepare_lookup(&held, "gate 1", 1);
    submit(&held.call);
    await_begun(1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(HANG_S);
        struct weft__driver *own;
        bool is_right = weft__thread_start(&own, NULL) == 0;
        d = own;
        if (is_right && look_up(&lookup, "list 2") == 2)
            execlp("true", "true", (char *)NULL); // or Valgrind would miss what libc lost in fork
        _exit(1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    gate_open();
    await_done(&held.call);
}

// In a process of its own: leaves main with one lookup under way, one queued and one thread idle.
static void exit_does_not_wait_for_lookups(void **state) {
    (void)state;
    assert_int_equal(exit_status_of_self("exit", 0), 0);
}

static int exit_with_lookups(void) {
    static struct lookup lookups[WEFT__RESOLVE_THREADS + 1];
    static struct lookup lookup;
    alarm(HANG_S);
    if (weft__thread_start(&d, NULL) != 0 || look_up(&lookup, "list 1") != 1)
        return 1;
    for (int i = 0; i <= WEFT__RESOLVE_THREADS; i++) {
        prepare_lookup(&lookups[i], "gate 1", 1);
        submit(&lookups[i].call);
    }
    await_begun(WEFT__RESOLVE_THREADS);
    return 0;
}

static const struct CMUnitTest cases[] = {
    CASE(a_lookup_that_nobody_could_run_is_not_taken),
    CASE(one_thread_is_enough),
    CASE(numbers_are_addresses),
    CASE(localhost_is_the_loopback_address),
    CASE(addresses_come_in_order_up_to_the_capacity),
    CASE(errors_say_whether_the_name_exists),
    CASE(the_name_may_go_away_after_submit),
    CASE(a_driver_waits_for_lookups_and_descriptors_at_once),
    CASE(lookups_beyond_the_threads_wait_in_order),
    CASE(several_drivers_share_the_pool),
    CASE(a_cancelled_lookup_is_done_at_once_and_its_answer_dropped),
    CASE(an_answered_lookup_may_be_cancelled),
    CASE(done_may_cancel_another_lookup),
    CASE(a_lookup_without_memory_is_not_taken),
    CASE(a_forked_child_looks_names_up_with_threads_of_its_own),
};

static int start_thread(struct weft__driver **ret_driver) {
    return weft__thread_start(ret_driver, NULL);
}

static int start_epoll(struct weft__driver **ret_driver) {
    return weft__epoll_start(ret_driver, NULL);
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc == 3)
        return exit_with_lookups();
    static const struct contract drivers[] = {
        {.name = "lookups on the thread driver", .start = start_thread, .is_real = true},
        {.name = "lookups on the epoll driver", .start = start_epoll, .is_real = true},
    };
    contract = &drivers[0];
    int failed = cmocka_run_group_tests_name(contract->name, cases, NULL, NULL);
    contract = &drivers[1]; // by now the pool has threads: without the first two cases
    failed += _cmocka_run_group_tests(contract->name, cases + 2, sizeof cases / sizeof *cases - 2,
                                      NULL, NULL);
    const struct CMUnitTest exit_cases[] = {cmocka_unit_test(exit_does_not_wait_for_lookups)};
    return failed + cmocka_run_group_tests_name("lookups at exit", exit_cases, NULL, NULL);
}

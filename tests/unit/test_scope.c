// SPDX-License-Identifier: MIT
// Unit tests of task/scope.c: adding, joining, the tree of cancellation. What several threads do to
// scopes at the same time is in test_scope_races.c.
#include "task_tools.h"

#include "in_child.h"

static int result_of(void *arg) {
    return *(int *)arg;
}

static int wait_then(void *arg) {
    int code = weft_sleep(INT64_MAX);
    ++*(int *)arg;
    return code;
}

// ---- Joining --------------------------------------------------------------------------------

static int fail_after(void *arg) {
    int *plan = arg; // [0]: how many yields, [1]: the result
    for (int i = 0; i < plan[0]; i++)
        expect(weft_yield(), 0);
    return plan[1];
}

static void join_returns_the_first_error_in_order_of_completion(void **state) {
    (void)state;
    int plans[][2] = {{300, -EIO}, {100, -ENOENT}, {0, 7}, {200, -EPERM}};
    weft_scope scope = {0};
    for (int i = 0; i < 4; i++)
        expect(weft_go(&scope, fail_after, plans[i]), 0);
    expect(weft_join(&scope), -ENOENT);
    int fine = 5;
    expect(weft_go(&scope, result_of, &fine), 0); // a joined scope has forgotten it
    expect(weft_join(&scope), 0);
}

static void a_scope_never_used_is_joined_at_once(void **state) {
    (void)state;
    weft_scope scope = {0};
    expect(weft_join(&scope), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    weft_cancel(NULL);
    expect(weft_join(NULL), -EINVAL);
}

static int join_that(void *arg) {
    return weft_join(arg);
}

static void only_the_first_user_joins(void **state) {
    (void)state;
    int count = 0;
    weft_scope scope = {0}, other = {0};
    expect(weft_go(&scope, wait_then, &count), 0);
    expect(weft_go(&scope, join_that, &scope), 0); // one of its own tasks
    expect(weft_go(&other, join_that, &scope), 0);
    expect(weft_join(&other), -EPERM);
    weft_cancel(&scope);
    expect_either(weft_join(&scope), -EPERM, -ECANCELED);
    assert_int_equal(count, 1);
}

static int no_error(void *arg) {
    (void)arg;
    return 0;
}

static int add_siblings(void *arg) {
    for (int i = 0; i < 10; i++) {
        expect(weft_yield(), 0);
        expect(weft_go(arg, no_error, NULL), 0);
    }
    return 0;
}

static void its_own_tasks_add_to_a_scope_that_is_joined(void **state) {
    (void)state;
    weft_scope scope = {0};
    expect(weft_go(&scope, add_siblings, &scope), 0);
    expect(weft_join(&scope), 0);
}

static int report_busy(void *arg) {
    int code = weft_go(arg, no_error, NULL);
    weft_cancel(arg);
    return code;
}

static void an_outsider_is_busy_from_the_moment_the_join_has_begun(void **state) {
    (void)state;
    int count = 0;
    weft_scope scope = {0}, other = {0};
    expect(weft_go(&scope, wait_then, &count), 0);
    expect(weft_go(&other, report_busy, &scope), 0); // it runs when we wait in the join
    expect(weft_join(&scope), -ECANCELED);
    expect(weft_join(&other), -EBUSY);
}

static void a_join_that_its_deadline_ended_says_so(void **state) {
    (void)state;
    int count = 0, timed_out = -ETIMEDOUT;
    weft_scope scope = {0};
    {
        weft_within(WEFT_MILLISECOND);
        expect(weft_go(&scope, wait_then, &count), 0);
        expect(weft_join(&scope), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
        expect_explained("join: the deadline passed");
    }
    assert_int_equal(count, 1);
    expect(weft_go(&scope, result_of, &timed_out), 0);
    expect(weft_join(&scope), -ETIMEDOUT); // a task's, not ours
    expect(weft_timed_out(), 0);
}

static void autojoin_cancels_and_joins(void **state) {
    (void)state;
    int count = 0;
    {
        weft_autojoin weft_scope scope = {0};
        for (int i = 0; i < 20; i++)
            expect(weft_go(&scope, wait_then, &count), 0);
    }
    assert_int_equal(count, 20);
    {
        weft_autojoin weft_scope scope = {0};
        (void)scope;
    }
    {
        weft_autojoin weft_scope scope = {0};
        weft_cancel(&scope);
    }
    {
        weft_autojoin weft_scope scope = {0};
        expect(weft_go(&scope, no_error, NULL), 0);
        expect(weft_join(&scope), 0);
    }
}

static int use_and_end(void *scope) {
    expect(weft_go(scope, no_error, NULL), 0);
    expect(weft_sleep(WEFT_SECOND), 0);
    return weft_join(scope);
}

static void leave_to_another(void *arg) {
    weft_scope other = {0};
    (void)arg;
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    {
        weft_autojoin weft_scope scope = {0};
        expect(weft_go(&other, use_and_end, &scope), 0);
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    }
    _exit(0);
}

static void autojoin_of_what_another_task_will_join_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(leave_to_another, NULL), SIGABRT);
}

// ---- Cancelling -----------------------------------------------------------------------------

static void a_task_that_comes_later_is_cancelled_too(void **state) {
    (void)state;
    int count = 0;
    weft_scope scope = {0};
    weft_cancel(&scope);
    weft_cancel(&scope);
    expect(weft_go(&scope, wait_then, &count), 0);
    expect(weft_join(&scope), -ECANCELED);
    expect(weft_go(&scope, no_error, NULL), 0); // joined: not cancelled any more
    expect(weft_join(&scope), 0);
    assert_int_equal(count, 1);
}

static int open_a_scope_late(void *arg) {
    weft_scope inner = {0};
    expect(weft_sleep(INT64_MAX), -ECANCELED);
    expect(weft_go(&inner, wait_then, arg), 0); // never refused
    return weft_join(&inner);
}

static void a_scope_that_comes_later_is_cancelled_too(void **state) {
    (void)state;
    int count = 0;
    weft_scope scope = {0};
    expect(weft_go(&scope, open_a_scope_late, &count), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    assert_int_equal(count, 1);
}

static int wait_in_two_scopes(void *arg) {
    weft_scope left = {0}, right = {0};
    expect(weft_go(&left, wait_then, arg), 0);
    expect(weft_go(&right, wait_then, arg), 0);
    weft_cancel(&left);
    expect(weft_join(&left), -ECANCELED);
    expect(weft_check(), 0); // cancelling goes downward only
    return weft_join(&right);
}

static void cancelling_goes_down_and_not_up_or_sideways(void **state) {
    (void)state;
    int count = 0;
    weft_scope scope = {0}, other = {0};
    expect(weft_go(&scope, wait_in_two_scopes, &count), 0);
    expect(weft_go(&other, wait_then, &count), 0);
    await_that(*(volatile int *)&count == 1);
    await_parked_tasks(3);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    assert_int_equal(count, 2);
    weft_cancel(&other);
    expect(weft_join(&other), -ECANCELED);
    assert_int_equal(count, 3);
}

// Each task opens a scope and puts the next into it.
struct nest {
    size_t depth;
    atomic_size_t deepest, ended; // the tasks may be on several workers
};

static int nest_deeper(void *arg) {
    struct nest *nest = arg;
    weft_scope scope = {0};
    if (atomic_fetch_add(&nest->deepest, 1) + 1 < nest->depth) {
        expect(weft_go(&scope, nest_deeper, nest), 0);
        expect(weft_join(&scope), -ECANCELED);
    } else {
        expect(weft_sleep(INT64_MAX), -ECANCELED);
    }
    nest->ended++;
    return -ECANCELED;
}

static int cancel_that(void *arg) {
    weft_cancel(arg);
    return 0;
}

// On a stack of 16 KiB, where a recursion ten thousand deep would not go unnoticed.
static void a_tree_ten_thousand_deep_is_cancelled_from_a_small_stack(void **state) {
    (void)state;
    struct nest nest = {.depth = times(10000)};
    weft_scope scope = {0}, canceller = {0};
    expect(weft_go(&scope, nest_deeper, &nest), 0);
    await_that(atomic_load(&nest.deepest) == nest.depth);
    expect(weft_go_with(&canceller, cancel_that, &scope, &(weft_task_options){.stack_size = 16384}),
           0);
    expect(weft_join(&canceller), 0);
    expect(weft_join(&scope), -ECANCELED);
    assert_int_equal(nest.ended, nest.depth);
}

// ---- Misuse ---------------------------------------------------------------------------------

static void go_refuses_what_makes_no_sense(void **state) {
    (void)state;
    weft_scope scope = {0};
    int (*nothing)(void *) = NULL;
    expect(weft_go(NULL, no_error, NULL), -EINVAL);
    expect(weft_go(&scope, nothing, NULL), -EINVAL);
    expect(
        weft_go_with(&scope, no_error, NULL, &(weft_task_options){.stack_size = (size_t)1 << 40}),
        -EINVAL);
    expect(weft_join(&scope), 0);
}

static int take_handle(int h) {
    return weft_close(h);
}

static void go_takes_a_handle_even_when_it_fails(void **state) {
    (void)state;
    weft_addr addr;
    weft_scope scope = {0};
    expect(weft_go(&scope, take_handle, -ECONNRESET), -ECONNRESET);
    int h = udp_anywhere(&addr);
    expect(weft_go(NULL, take_handle, h), -EINVAL);
    expect(weft_close(h), -EBADF);
    h = udp_anywhere(&addr);
    fault_every("alloc", 1, -ENOMEM);
    expect(weft_go_with(&scope, take_handle, h, &(weft_task_options){.name = "named"}), -ENOMEM);
    fault_none();
    expect(weft_close(h), -EBADF);
    h = udp_anywhere(&addr);
    expect(weft_go(&scope, take_handle, h), 0);
    expect(weft_join(&scope), 0);
    expect(weft_close(h), -EBADF);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_IN_TASK(join_returns_the_first_error_in_order_of_completion),
        CASE(a_scope_never_used_is_joined_at_once),
        CASE_IN_TASK(a_scope_never_used_is_joined_at_once),
        CASE_IN_TASK(only_the_first_user_joins),
        CASE_IN_TASK(its_own_tasks_add_to_a_scope_that_is_joined),
        CASE_IN_TASK(an_outsider_is_busy_from_the_moment_the_join_has_begun),
        CASE_IN_TASK(a_join_that_its_deadline_ended_says_so),
        CASE_IN_TASK(autojoin_cancels_and_joins),
        CASE(autojoin_of_what_another_task_will_join_ends_the_process),
        CASE_IN_TASK(a_task_that_comes_later_is_cancelled_too),
        CASE_IN_TASK(a_scope_that_comes_later_is_cancelled_too),
        CASE_IN_TASK(cancelling_goes_down_and_not_up_or_sideways),
        CASE_IN_TASK(a_tree_ten_thousand_deep_is_cancelled_from_a_small_stack),
        CASE_IN_TASK(go_refuses_what_makes_no_sense),
        CASE_IN_TASK(go_takes_a_handle_even_when_it_fails),
    };
    return RUN(cases);
}

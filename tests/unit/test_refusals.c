// SPDX-License-Identifier: MIT
// Unit tests of refusals.c: a task that ignores its cancellation for ever.
#include "task_tools.h"

#include <signal.h>
#include <sys/wait.h>

#include "in_child.h"

enum { MANY = 10000 };

static weft_scope scope;

// A debug build counts in weft_check itself.
static int refused(void) {
    int code = weft_check();
#if !WEFT_DEBUG
    code = weft__count_refusal(weft__self());
#endif
    return code;
}

static __attribute__((noinline)) int ignore_for_ever(void *unused) {
    (void)unused;
    for (;;)
        if (refused() == 0)
            return 1;
}

static int ignore_and_yield(void *unused) {
    (void)unused;
    for (int i = 0; i < 3 * MANY; i++) {
        expect(refused(), -ECANCELED);
        if (i % (MANY / 4) == 0)
            expect(weft_yield(), -ECANCELED); // which lets others run all the same
    }
    return 0;
}

static int yield_often(void *unused) {
    (void)unused;
    for (int i = 0; i < 100; i++)
        (void)weft_yield();
    return 0;
}

static int ignore_for_a_while(void *unused) {
    (void)unused;
    for (int i = 0; i < MANY - 1; i++)
        expect(refused(), -ECANCELED);
    return 0;
}

static void run_one_that_ignores_it(void) {
    weft_task_options named = {.name = "stubborn"};
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_go_with(&scope, ignore_for_ever, NULL, &named), 0);
    weft_cancel(&scope);
    (void)weft_join(&scope);
}

static void one_that_ignores_it_for_ever_ends_the_process(void **state) {
    (void)state;
    char text[2048];
    int status = status_of_child(run_one_that_ignores_it, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "task stubborn (ignore_for_ever) has ignored its cancellation"));
    assert_non_null(strstr(text, "ignore_for_ever+0x"));
}

static void who_lets_others_run_may_go_on(void **state) {
    (void)state;
    expect(weft_go(&scope, ignore_and_yield, NULL), 0);
    expect(weft_go(&scope, yield_often, NULL), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
}

static void a_while_is_no_harm(void **state) {
    (void)state;
    expect(weft_go(&scope, ignore_for_a_while, NULL), 0);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
}

static void a_thread_is_not_counted(void **state) {
    (void)state;
    for (int i = 0; i < 2 * MANY; i++)
        expect(weft__count_refusal(weft__self()), -ECANCELED);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(one_that_ignores_it_for_ever_ends_the_process),
        CASE_IN_TASK(who_lets_others_run_may_go_on),
        CASE_IN_TASK(a_while_is_no_harm),
        CASE(a_thread_is_not_counted),
    };
    return RUN(cases);
}

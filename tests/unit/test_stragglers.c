// SPDX-License-Identifier: MIT
// Unit tests of task/stragglers.c: which tasks a weft_stop in vain names, and how many.
#define UNIT_WORKERS "2"
#include "task_tools.h"

static struct flag begun, may_end;

static int linger(void *arg) {
    (void)arg;
    weft_shield(WEFT_HOUR);
    flag_raise(&begun);
    await_flag(&may_end, 1);
    return 0;
}

static int start_more(void *count) {
    weft_scope below = {0};
    weft_shield(WEFT_HOUR);
    for (int i = 0; i < *(int *)count; i++)
        expect(weft_go_with(&below, linger, NULL, &(weft_task_options){.name = "deep"}), 0);
    flag_raise(&begun);
    return weft_join(&below);
}

static void begin(void) {
    begun = may_end = (struct flag){0};
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
}

// Once all have begun, else those that have not would end when they do.
static void stop_in_vain(int living) {
    await_flag(&begun, living);
    stderr_catch_begin();
    expect(weft_stop(0), -ETIMEDOUT);
}

static void end(void) {
    stderr_catch_end();
    flag_raise(&may_end);
    expect(weft_stop(INT64_MAX), 0);
}

static void one_is_named(void **state) {
    (void)state;
    weft_scope scope = {0};
    begin();
    expect(weft_go(&scope, linger, NULL), 0);
    stop_in_vain(1);
    expect(stderr_catch_count("stop: 1 task is still alive after the grace: linger\n"), 1);
    end();
}

static void tasks_of_scopes_below_are_named_as_well(void **state) {
    (void)state;
    weft_scope scope = {0};
    int count = 2;
    begin();
    expect(weft_go_with(&scope, start_more, &count, &(weft_task_options){.name = "top"}), 0);
    stop_in_vain(3);
    expect(stderr_catch_count("3 tasks are still alive after the grace: "
                              "top (start_more), deep (linger), deep (linger)\n"),
           1);
    end();
}

static void of_many_eight_are_named(void **state) {
    (void)state;
    weft_scope scope = {0};
    begin();
    for (int i = 0; i < 20; i++)
        expect(weft_go_with(&scope, linger, NULL, &(weft_task_options){.name = "t"}), 0);
    stop_in_vain(20);
    expect(stderr_catch_count("20 tasks are still alive"), 1);
    expect(stderr_catch_count("t (linger)"), 8);
    expect(stderr_catch_count("t (linger) and 12 more\n"), 1);
    end();
}

static void nobody_is_named_when_the_last_has_just_ended(void **state) {
    (void)state;
    begin();
    stderr_catch_begin();
    weft__runtime_name_living(weft__runtime_now());
    expect(stderr_catch_count("still alive"), 0);
    end();
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(one_is_named),
        CASE(tasks_of_scopes_below_are_named_as_well),
        CASE(of_many_eight_are_named),
        CASE(nobody_is_named_when_the_last_has_just_ended),
    };
    return RUN(cases);
}

// SPDX-License-Identifier: MIT
// Scopes and joining: who may, what it waits for, what it answers. "A scope does not end before its
// tasks have. Nothing is detached." How tasks start is in go.c, what a cancellation reaches in
// scope_cancel.c.
#include "case.h"

#include <pthread.h>

struct task {
    struct flag *begin; // waits for it, if there is one
    int result;
    weft_scope *scope;
    int seen;
    struct flag done;
};

static int run(void *context) {
    struct task *task = context;
    if (task->begin != NULL)
        await_flag(task->begin, 1);
    flag_raise(&task->done);
    return task->result;
}

CASE(join_waits_until_the_last_task_has_ended) {
    enum { TASKS = 10 };
    struct flag begin = {0};
    struct task tasks[TASKS];
    weft_scope scope = {0};
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = (struct task){.begin = i % 2 ? &begin : NULL};
        expect(weft_go(&scope, run, (void *)&tasks[i]), 0);
    }
    flag_raise(&begin);
    expect(weft_join(&scope), 0);
    for (int i = 0; i < TASKS; i++)
        expect(flag_value(&tasks[i].done), 1);
}
CASE_NEEDS_TASKS(join_waits_until_the_last_task_has_ended)

// "The first error in order of completion, else 0."
CASE(join_answers_the_first_error_in_order_of_completion) {
    weft_scope scope = {0};
    struct task fast = {.result = -EPROTO};
    struct task fine = {.result = 7, .begin = &fast.done};
    struct task slow = {.result = -EIO, .begin = &fine.done};
    expect(weft_go(&scope, run, (void *)&slow), 0); // started first, ends last
    expect(weft_go(&scope, run, (void *)&fine), 0);
    expect(weft_go(&scope, run, (void *)&fast), 0);
    expect(weft_join(&scope), -EPROTO);
    expect(flag_value(&slow.done), 1);
}
CASE_NEEDS_TASKS(join_answers_the_first_error_in_order_of_completion)

// A result > 0 is no error.
CASE(join_answers_zero_when_no_task_failed) {
    struct task tasks[] = {{.result = 0}, {.result = 1}, {.result = INT32_MAX}};
    weft_scope scope = {0};
    for (int i = 0; i < 3; i++)
        expect(weft_go(&scope, run, (void *)&tasks[i]), 0);
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_TASKS(join_answers_zero_when_no_task_failed)

// "A joined scope is empty and reusable": the error of before is forgotten, too.
CASE(a_joined_scope_may_be_used_again) {
    weft_scope scope = {0};
    for (int i = 0; i < 5; i++) {
        struct task task = {.result = i % 2 ? -EIO : 0};
        expect(weft_go(&scope, run, (void *)&task), 0);
        expect(weft_join(&scope), task.result);
        expect(weft_join(&scope), 0); // empty
    }
}
CASE_NEEDS_TASKS(a_joined_scope_may_be_used_again)

CASE(joining_a_scope_never_used_is_zero_and_none_is_einval) {
    weft_scope scope = {0};
    expect(weft_join(&scope), 0);
    expect(weft_join(NULL), -EINVAL);
    weft_cancel(NULL);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
}

static int join_other(void *context) {
    struct task *task = context;
    task->seen = weft_join(task->scope);
    flag_raise(&task->done);
    return 0;
}

static void *join_in_thread(void *context) {
    join_other(context);
    return NULL;
}

// "Only the thread or task that first used a scope joins it (-EPERM otherwise)."
CASE(another_task_may_not_join_a_scope) {
    weft_scope scope = {0}, others = {0};
    struct task member = {.begin = NULL}, joiner = {.scope = &scope};
    struct flag begin = {0};
    member.begin = &begin;
    expect(weft_go(&scope, run, (void *)&member), 0);
    expect(weft_go(&others, join_other, (void *)&joiner), 0);
    expect(weft_join(&others), 0);
    expect(joiner.seen, -EPERM);
    flag_raise(&begin);
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_TASKS(another_task_may_not_join_a_scope)

CASE(another_thread_may_not_join_a_scope) {
    weft_scope scope = {0};
    struct flag begin = {0};
    struct task member = {.begin = &begin}, joiner = {.scope = &scope};
    pthread_t thread;
    expect(weft_go(&scope, run, (void *)&member), 0);
    expect(-pthread_create(&thread, NULL, join_in_thread, &joiner), 0);
    expect(-pthread_join(thread, NULL), 0);
    expect(joiner.seen, -EPERM);
    flag_raise(&begin);
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_TASKS(another_thread_may_not_join_a_scope)
CASE_NOT_ON(another_thread_may_not_join_a_scope, "sim", NO_THREADS)

// A member may not join its own scope either: it did not use it first.
CASE(a_member_may_not_join_its_own_scope) {
    weft_scope scope = {0};
    struct task joiner = {.scope = &scope};
    expect(weft_go(&scope, join_other, (void *)&joiner), 0);
    expect(weft_join(&scope), 0);
    expect(joiner.seen, -EPERM);
}
CASE_NEEDS_TASKS(a_member_may_not_join_its_own_scope)

static int add_another(void *context) {
    struct task *task = context;
    struct task late = {.result = 0};
    task->seen = weft_go(task->scope, run, (void *)&late);
    if (task->seen == 0)
        await_flag(&late.done, 1);
    flag_raise(&task->done);
    return 0;
}

// "Anyone else gets -EBUSY from the moment a join has begun": the outsider runs only when task zero
// waits, that is, in the join.
CASE(outsiders_may_not_add_to_a_scope_that_is_being_joined) {
    weft_scope scope = {0}, others = {0};
    struct task outsider = {.scope = &scope};
    struct task member = {.begin = &outsider.done};
    expect(weft_go(&scope, run, (void *)&member), 0);
    expect(weft_go(&others, add_another, (void *)&outsider), 0);
    expect(weft_join(&scope), 0);
    expect(weft_join(&others), 0);
    expect(outsider.seen, -EBUSY);
}
CASE_NEEDS_TASKS(outsiders_may_not_add_to_a_scope_that_is_being_joined)

CASE(outsiders_may_add_to_a_scope_before_it_is_joined) {
    weft_scope scope = {0}, others = {0};
    struct flag begin = {0};
    struct task member = {.begin = &begin}, outsider = {.scope = &scope};
    expect(weft_go(&scope, run, (void *)&member), 0);
    expect(weft_go(&others, add_another, (void *)&outsider), 0);
    expect(weft_join(&others), 0);
    expect(outsider.seen, 0);
    flag_raise(&begin);
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_TASKS(outsiders_may_add_to_a_scope_before_it_is_joined)

struct chain {
    weft_scope *scope;
    int left;
    int made;
};

static int add_sibling(void *context) {
    struct chain *chain = context;
    expect(weft_yield(), 0);
    chain->made++;
    if (--chain->left > 0)
        return weft_go(chain->scope, add_sibling, (void *)chain);
    return 0;
}

// "Tasks living in a scope may add siblings at any time, also while it is being joined: join waits
// for those too."
CASE(members_may_add_siblings_while_the_scope_is_being_joined) {
    weft_scope scope = {0};
    struct chain chain = {&scope, 100, 0};
    expect(weft_go(&scope, add_sibling, (void *)&chain), 0);
    expect(weft_join(&scope), 0);
    expect(chain.made, 100);
}
CASE_NEEDS_TASKS(members_may_add_siblings_while_the_scope_is_being_joined)

static int sleep_until_cancelled(void *context) {
    struct task *task = context;
    task->seen = weft_sleep(WEFT_HOUR);
    weft_shield(WEFT_HOUR);
    expect(weft_sleep(WEFT_MILLISECOND), 0); // takes its time
    flag_raise(&task->done);
    return -EIO;
}

// "If the joiner is cancelled or its deadline passes, join cancels the scope, keeps waiting, then
// returns that code."
CASE(a_join_whose_deadline_passes_cancels_and_goes_on_waiting) {
    weft_scope scope = {0};
    struct task task = {.seen = 0};
    expect(weft_go(&scope, sleep_until_cancelled, (void *)&task), 0);
    {
        weft_within(20 * WEFT_MILLISECOND);
        expect(weft_join(&scope), -ETIMEDOUT);
        expect(weft_timed_out(), 1);
    }
    expect(task.seen, -ECANCELED);
    expect(flag_value(&task.done), 1);
    struct task again = {.result = 3};
    expect(weft_go(&scope, run, (void *)&again), 0); // empty and reusable
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_TASKS(a_join_whose_deadline_passes_cancels_and_goes_on_waiting)

static int join_below(void *context) {
    struct task *task = context;
    weft_scope below = {0};
    expect(weft_go(&below, sleep_until_cancelled, (void *)task), 0);
    task->result = weft_join(&below);
    expect(flag_value(&task->done), 1);
    return 0;
}

CASE(a_join_whose_task_is_cancelled_cancels_and_goes_on_waiting) {
    weft_scope scope = {0};
    struct task task = {.seen = 0};
    expect(weft_go(&scope, join_below, (void *)&task), 0);
    await_parked_tasks(2);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    expect(task.seen, -ECANCELED);
    expect(task.result, -ECANCELED);
}
CASE_NEEDS_TASKS(a_join_whose_task_is_cancelled_cancels_and_goes_on_waiting)

static int leave_to_autojoin(struct task *task, bool joins) {
    weft_autojoin weft_scope scope = {0};
    expect(weft_go(&scope, joins ? run : sleep_until_cancelled, (void *)task), 0);
    if (joins)
        expect(weft_join(&scope), 0);
    else
        await_parked_tasks(1);
    return 5;
}

// "weft_autojoin: if join was not called, cancel, then join."
CASE(autojoin_cancels_and_joins_at_the_end_of_its_block) {
    struct task task = {.seen = 0}, joined = {.result = 0};
    expect(leave_to_autojoin(&task, false), 5);
    expect(flag_value(&task.done), 1);
    expect(task.seen, -ECANCELED);
    expect(leave_to_autojoin(&joined, true), 5);
    expect(flag_value(&joined.done), 1);
}
CASE_NEEDS_TASKS(autojoin_cancels_and_joins_at_the_end_of_its_block)

static int grow_tree(void *context) {
    struct chain *chain = context;
    weft_scope below = {0};
    struct chain halves[2] = {{.left = chain->left / 2}, {.left = chain->left - chain->left / 2}};
    if (chain->left == 1) {
        chain->made = 1;
        return 0;
    }
    for (int i = 0; i < 2; i++)
        expect(weft_go(&below, grow_tree, (void *)&halves[i]), 0);
    expect(weft_join(&below), 0);
    chain->made = halves[0].made + halves[1].made;
    return 0;
}

CASE(a_tree_of_scopes_joins_from_its_leaves_up) {
    weft_scope scope = {0};
    struct chain tree = {.left = 2000};
    expect(weft_go(&scope, grow_tree, (void *)&tree), 0);
    expect(weft_join(&scope), 0);
    expect(tree.made, 2000);
}
CASE_NEEDS_TASKS(a_tree_of_scopes_joins_from_its_leaves_up)

// "A scope forgets each finished task at once": nothing of them is left before the join.
CASE(a_scope_forgets_its_finished_tasks_at_once) {
    struct task tasks[100];
    weft_scope scope = {0};
    struct leftovers left;
    for (int i = 0; i < 100; i++) {
        tasks[i] = (struct task){.result = 0};
        expect(weft_go(&scope, run, (void *)&tasks[i]), 0);
    }
    for (int i = 0; i < 100; i++)
        await_flag(&tasks[i].done, 1);
    leftovers_count(&left);
    for (struct await await = {0}; left.tasks + left.stacks > 0; leftovers_count(&left))
        await_pause(&await, "tasks that raised their flags have ended");
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_TASKS(a_scope_forgets_its_finished_tasks_at_once)

// SPDX-License-Identifier: MIT
// Unit tests of task/task.c: the pool of records, what a task is given at weft_go, and how it ends.
// Which runs when: test_worker.c; scopes: test_scope.c.
#include "fake_driver.h"

#include "in_child.h"

static weft_scope scope;

static int no_error(void *arg) {
    (void)arg;
    return 0;
}

static struct weft__task *this_task(void) {
    return WEFT__CONTAINER(weft__self(), struct weft__task, waiter);
}

// ---- The pool -------------------------------------------------------------------------------

static void records_are_made_in_chunks_and_reused(void **state) {
    (void)state;
    enum { COUNT = 200 };
    struct weft__task *tasks[COUNT];
    struct weft__task_pool pool = {.chunks = NULL};
    size_t living = weft__alloc_living();
    for (int i = 0; i < COUNT; i++) {
        tasks[i] = weft__task_take(&pool, NULL);
        assert_non_null(tasks[i]);
        for (int k = 0; k < i; k++)
            assert_ptr_not_equal(tasks[i], tasks[k]);
    }
    size_t chunks = weft__alloc_living() - living;
    assert_in_range(chunks, 1, 20);
    for (int i = 0; i < COUNT; i++)
        weft__task_give(&pool, NULL, tasks[i]);
    assert_ptr_equal(weft__task_take(&pool, NULL), tasks[COUNT - 1]); // the warm one
    assert_int_equal(weft__alloc_living() - living, chunks);
    weft__task_pool_destroy(&pool);
    assert_int_equal(weft__alloc_living(), living);
}

static void without_memory_there_is_no_record(void **state) {
    (void)state;
    struct weft__task_pool pool = {.chunks = NULL};
    fault_nth("alloc", 1, -ENOMEM);
    assert_null(weft__task_take(&pool, NULL));
    assert_non_null(weft__task_take(&pool, NULL));
    weft__task_pool_destroy(&pool);
}

static void a_go_without_memory_starts_nothing(void **state) {
    (void)state;
    fault_nth("alloc", 1, -ENOMEM);
    expect(weft_go(&scope, no_error, NULL), -ENOMEM);
    expect_explained("go: ");
    expect(weft_go(&scope, no_error, NULL), 0);
    fault_nth("alloc", 1, -ENOMEM);
    expect(weft_go_with(&scope, no_error, NULL, &(weft_task_options){.name = "x"}), -ENOMEM);
    expect(weft_join(&scope), 0);
    assert_int_equal(weft__runtime_living(weft__runtime_now()), 0);
}

// ---- What a task is given -------------------------------------------------------------------

static int has_name(void *arg) {
    const char *name = this_task()->name;
    if (!arg)
        return name ? -EIO : 0;
    return name && strcmp(name, arg) == 0 ? 0 : -EIO;
}

static void a_name_is_copied_and_cut_to_31_bytes(void **state) {
    (void)state;
    char name[64] = "client 7";
    expect(weft_go_with(&scope, has_name, "client 7", &(weft_task_options){.name = name}), 0);
    memset(name, 'x', sizeof name - 1);
    expect(weft_go_with(&scope, has_name, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                        &(weft_task_options){.name = name}),
           0);
    expect(weft_go_with(&scope, has_name, "", &(weft_task_options){.name = ""}), 0);
    expect(weft_go_with(&scope, has_name, NULL, NULL), 0);
    expect(weft_join(&scope), 0);
    expect(weft_go(&scope, has_name, NULL), 0); // not that of who had the record before
    expect(weft_join(&scope), 0);
}

static int has_deadline(void *arg) {
    struct weft__waiter *self = weft__self();
    assert_int_equal(self->deadline, *(int64_t *)arg);
    assert_null(self->blocks);
    assert_int_equal(self->shields, 0);
    return 0;
}

static void the_deadline_at_weft_go_is_inherited_not_the_one_at_the_start(void **state) {
    (void)state;
    int64_t never = INT64_MAX, soon = fake.now + 100, later = fake.now + 150;
    expect(weft_go(&scope, has_deadline, &never), 0);
    {
        weft_within(100);
        expect(weft_go(&scope, has_deadline, &soon), 0);
        weft_shield(50); // what is in force here: held back until then
        expect(weft_go(&scope, has_deadline, &later), 0);
    }
    expect(weft_join(&scope), 0);
}

static int expect_timed_out(void *arg) {
    (void)arg;
    expect(weft_sleep(WEFT_HOUR), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    return 0;
}

static void an_inherited_deadline_ends_the_waits_of_the_task(void **state) {
    (void)state;
    int64_t begun = weft_now();
    {
        weft_within(WEFT_SECOND);
        expect(weft_go(&scope, expect_timed_out, NULL), 0);
    }
    expect(weft_join(&scope), 0);
    assert_int_equal(weft_now(), begun + WEFT_SECOND);
}

static int leave_a_failure(void *arg) {
    (void)arg;
    {
        weft_within(0);
        expect(weft_sleep(1), -ETIMEDOUT);
    }
    weft__self()->failure->moved = 77;
    expect(weft_timed_out(), 1);
    return 0;
}

static int has_no_failure(void *arg) {
    (void)arg;
    expect(weft_timed_out(), 0);
    expect(weft_moved(), 0);
    expect(weft_explain(NULL, 0), 0);
    return 0;
}

static void a_task_begins_with_no_failure_whoever_had_its_stack(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        expect(weft_go(&scope, leave_a_failure, NULL), 0);
        expect(weft_join(&scope), 0);
        expect(weft_go(&scope, has_no_failure, NULL), 0);
        expect(weft_join(&scope), 0);
    }
}

static int is_number(int number) {
    return number == 123456 ? 0 : -EIO;
}

static int is_pointer(void *arg) {
    return arg == &scope ? 0 : -EIO;
}

static void the_argument_arrives(void **state) {
    (void)state;
    expect(weft_go(&scope, is_number, 123456), 0);
    expect(weft_go(&scope, is_pointer, &scope), 0);
    expect(weft_go_with(&scope, is_number, 123456, NULL), 0);
    expect(weft_go_with(&scope, is_pointer, &scope, NULL), 0);
    expect(weft_join(&scope), 0);
}

// ---- Stacks are taken late ------------------------------------------------------------------

static size_t stacks_made(void) {
    return weft__runtime_now()->workers[0]->stacks.made_count;
}

static void a_hundred_thousand_tasks_that_do_not_wait_need_two_stacks(void **state) {
    (void)state;
    size_t made = stacks_made();
    for (size_t i = 0; i < times(100000); i++)
        expect(weft_go(&scope, no_error, NULL), 0);
    expect(weft_join(&scope), 0);
    assert_in_range(stacks_made(), made + 1, made + 2); // one begins before another's is free
}

static size_t leaves;

static int grow(void *arg) {
    intptr_t depth = (intptr_t)arg;
    weft_scope branches = {0};
    if (depth == 0) {
        leaves++;
        return 0;
    }
    for (int i = 0; i < 4; i++)
        expect(weft_go(&branches, grow, (void *)(depth - 1)), 0);
    return weft_join(&branches);
}

// Newest first walks the tree depth first: so many stacks as it is deep, or a few times that.
static void a_tree_of_tasks_needs_about_as_many_stacks_as_it_is_deep(void **state) {
    (void)state;
    leaves = 0;
    size_t made = stacks_made();
    expect(weft_go(&scope, grow, (void *)7), 0);
    expect(weft_join(&scope), 0);
    assert_int_equal(leaves, 16384);
    assert_in_range(stacks_made() - made, 7, 2000);
}

// ---- The end --------------------------------------------------------------------------------

static int leave_a_scope_open(void *arg) {
    expect(weft_go(arg, no_error, NULL), 0);
    return 0;
}

static void run_and_leave_a_scope_open(void) {
    static weft_scope inner;
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    weft_task_options named = {.name = "forgetful"};
    expect(weft_go_with(&scope, leave_a_scope_open, &inner, &named), 0);
    (void)weft_join(&scope);
}

static void a_task_that_leaves_a_scope_open_ends_the_process(void **state) {
    (void)state;
    char text[1024];
    int status = status_of_child(run_and_leave_a_scope_open, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text,
                           "task forgetful returned without joining a scope that it had used, "
                           "first used in leave_a_scope_open+0x"));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(records_are_made_in_chunks_and_reused),
        CASE(without_memory_there_is_no_record),
        CASE_ON_FAKE(a_go_without_memory_starts_nothing),
        CASE_ON_FAKE(a_name_is_copied_and_cut_to_31_bytes),
        CASE_ON_FAKE(the_deadline_at_weft_go_is_inherited_not_the_one_at_the_start),
        CASE_ON_FAKE(an_inherited_deadline_ends_the_waits_of_the_task),
        CASE_ON_FAKE(a_task_begins_with_no_failure_whoever_had_its_stack),
        CASE_ON_FAKE(the_argument_arrives),
        CASE_ON_FAKE(a_hundred_thousand_tasks_that_do_not_wait_need_two_stacks),
        CASE_ON_FAKE(a_tree_of_tasks_needs_about_as_many_stacks_as_it_is_deep),
        CASE(a_task_that_leaves_a_scope_open_ends_the_process),
    };
    return RUN(cases);
}

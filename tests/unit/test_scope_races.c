// SPDX-License-Identifier: MIT
// Races of task/scope.c: plain threads start, cancel and join against one worker, and against the
// end of the runtime. What must hold is counted; what must not happen is for the sanitizers to see.
#define UNIT_WORKERS "2"
#include "task_tools.h"

enum { THREADS = 4 };

static struct barrier barrier;
static atomic_int parties_left;
static atomic_size_t tasks_ended, tasks_begun;

static int end_at_once(void *arg) {
    (void)arg;
    atomic_fetch_add(&tasks_ended, 1);
    return 0;
}

static int wait_for_cancel(void *arg) {
    int code = weft_sleep(INT64_MAX);
    (void)arg;
    atomic_fetch_add(&tasks_ended, 1);
    return code;
}

static int wait_a_little(void *arg) {
    int code = weft_sleep((int64_t)(intptr_t)arg);
    atomic_fetch_add(&tasks_ended, 1);
    return code;
}

static void begin_counting(void) {
    barrier = (struct barrier){0};
    atomic_store(&parties_left, THREADS);
    atomic_store(&tasks_ended, 0);
    atomic_store(&tasks_begun, 0);
}

// Runs threads while the worker, which is ours, runs the tasks.
static void run_threads(void *(*fn)(void *), void *arg) {
    pthread_t threads[THREADS];
    begin_counting();
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(fn, arg);
    while (atomic_load(&parties_left) > 0)
        expect(weft_sleep(100 * WEFT_MICROSECOND), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    assert_int_equal(atomic_load(&tasks_ended), atomic_load(&tasks_begun));
}

static void begin_task(weft_scope *scope, int (*fn)(void *), int64_t arg) {
    expect(weft_go(scope, fn, (void *)(intptr_t)arg), 0);
    atomic_fetch_add(&tasks_begun, 1);
}

// ---- Each thread its own scopes -------------------------------------------------------------

static void *start_and_join(void *arg) {
    (void)arg;
    barrier_meet(&barrier, THREADS);
    for (size_t i = 0; i < times(3000); i++) {
        weft_autojoin weft_scope scope = {0};
        for (size_t k = 0; k < i % 5; k++)
            begin_task(&scope, end_at_once, 0);
        expect(weft_join(&scope), 0);
    }
    atomic_fetch_sub(&parties_left, 1);
    return NULL;
}

static void threads_run_tasks_in_scopes_of_their_own(void **state) {
    (void)state;
    run_threads(start_and_join, NULL);
}

static void *start_and_cancel(void *arg) {
    (void)arg;
    barrier_meet(&barrier, THREADS);
    for (size_t i = 0; i < times(2000); i++) {
        weft_scope scope = {0};
        for (size_t k = 0; k <= i % 3; k++)
            begin_task(&scope, wait_for_cancel, 0);
        if (i % 2)
            weft__os_yield();
        weft_cancel(&scope);
        expect(weft_join(&scope), -ECANCELED);
    }
    atomic_fetch_sub(&parties_left, 1);
    return NULL;
}

static void a_cancel_reaches_tasks_that_have_not_even_started(void **state) {
    (void)state;
    run_threads(start_and_cancel, NULL);
}

// A join under a deadline that passes while the last task ends.
static void *join_under_deadlines(void *arg) {
    struct dice dice = {(uint64_t)(uintptr_t)&dice};
    (void)arg;
    barrier_meet(&barrier, THREADS);
    for (size_t i = 0; i < times(500); i++) {
        weft_scope scope = {0};
        int64_t ns = (int64_t)dice_roll(&dice, 200000);
        begin_task(&scope, wait_a_little, ns);
        weft_within((int64_t)dice_roll(&dice, 200000) + 1);
        int result = weft_join(&scope);
        assert_true(result == 0 || (result == -ETIMEDOUT && weft_timed_out()));
    }
    atomic_fetch_sub(&parties_left, 1);
    return NULL;
}

static void a_deadline_passes_while_the_last_task_ends(void **state) {
    (void)state;
    run_threads(join_under_deadlines, NULL);
}

// ---- One scope, several threads -------------------------------------------------------------

struct shared {
    weft_scope scope;
    atomic_bool is_over;
};

static void *cancel_all_the_time(void *arg) {
    struct shared *shared = arg;
    while (!atomic_load(&shared->is_over)) {
        weft_cancel(&shared->scope);
        weft__os_yield();
    }
    return NULL;
}

// The owner starts and joins; others cancel at any moment, before the first use and after the join,
// too.
static void threads_cancel_what_another_starts_and_joins(void **state) {
    (void)state;
    static struct shared shared;
    pthread_t cancellers[2];
    shared = (struct shared){.is_over = false};
    begin_counting();
    for (int i = 0; i < 2; i++)
        cancellers[i] = thread_start(cancel_all_the_time, &shared);
    for (size_t i = 0; i < times(5000); i++) {
        for (size_t k = 0; k < i % 4; k++)
            begin_task(&shared.scope, wait_for_cancel, 0);
        expect_either(weft_join(&shared.scope), 0, -ECANCELED);
    }
    atomic_store(&shared.is_over, true);
    for (int i = 0; i < 2; i++)
        thread_join(cancellers[i]);
    assert_int_equal(atomic_load(&tasks_ended), atomic_load(&tasks_begun));
    weft_priv_autojoin(&shared.scope); // a cancel may have come after the last join
}

// Whoever uses the scope first joins it; the others add, or find it busy.
static void *use_and_join(void *arg) {
    struct shared *shared = arg;
    barrier_meet(&barrier, THREADS);
    for (size_t i = 0; i < times(3000); i++) {
        int result = weft_go(&shared->scope, end_at_once, NULL);
        if (result == 0)
            atomic_fetch_add(&tasks_begun, 1);
        else
            assert_int_equal(result, -EBUSY);
        result = weft_join(&shared->scope);
        assert_true(result == 0 || result == -EPERM);
    }
    atomic_fetch_sub(&parties_left, 1);
    return NULL;
}

static void threads_use_one_scope_in_turn(void **state) {
    (void)state;
    static struct shared shared;
    shared = (struct shared){.is_over = false};
    run_threads(use_and_join, &shared);
    expect(weft_join(&shared.scope), 0); // nobody's any more
    struct weft__scope *root = &weft__runtime_now()->root;
    assert_true(weft__list_is_empty(&root->children));
}

// ---- Against the end of the runtime ---------------------------------------------------------

struct ending {
    atomic_int started, may_start;
};

static void *start_join_and_let_it_end(void *arg) {
    struct ending *ending = arg;
    weft_scope scope = {0};
    while (!atomic_load(&ending->may_start))
        weft__os_yield();
    begin_task(&scope, end_at_once, 0);
    atomic_store(&ending->started, 1);
    expect(weft_join(&scope), 0);
    return NULL;
}

// The last task has ended; its thread still is inside the join while the runtime goes away.
static void a_join_outlives_the_runtime(void **state) {
    (void)state;
    for (size_t i = 0; i < times(500); i++) {
        struct ending ending = {0};
        begin_counting();
        pthread_t thread = thread_start(start_join_and_let_it_end, &ending);
        expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
        atomic_store(&ending.may_start, 1);
        while (!atomic_load(&ending.started))
            weft__os_yield();
        expect(weft_stop(INT64_MAX), 0);
        thread_join(thread);
        assert_int_equal(atomic_load(&tasks_ended), 1);
    }
}

// A scope of a plain thread, from before the runtime was started anew, is used by a task whose own
// scope goes away first.
static struct {
    weft_scope scope;
    atomic_int step;
} outliving;

static void await_step(int step) {
    while (atomic_load(&outliving.step) != step)
        weft__os_yield();
}

static void *use_before_and_join_after(void *arg) {
    (void)arg;
    expect(weft_go(&outliving.scope, end_at_once, NULL), 0);
    atomic_store(&outliving.step, 1);
    await_step(2);
    expect(weft_join(&outliving.scope), 0);
    return NULL;
}

static int use_again(void *arg) {
    (void)arg;
    return weft_go(&outliving.scope, end_at_once, NULL);
}

static void a_scope_that_outlives_its_runtime_is_bound_to_no_task_that_uses_it_again(void **state) {
    (void)state;
    begin_counting();
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    pthread_t thread = thread_start(use_before_and_join_after, NULL);
    await_step(1);
    expect(weft_stop(INT64_MAX), 0);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    weft_scope *scope = calloc(1, sizeof *scope);
    expect(weft_go(scope, use_again, NULL), 0);
    expect(weft_join(scope), 0);
    const struct weft__scope *root = &weft__runtime_now()->root;
    const struct weft__scope *inner = (const void *)&outliving.scope;
    assert_ptr_equal(inner->parent, root);
    free(scope);
    atomic_store(&outliving.step, 2);
    expect(weft_stop(INT64_MAX), 0);
    thread_join(thread);
}

// ---- A storm --------------------------------------------------------------------------------

// A random tree: each task opens a scope, starts a few others below it, waits or cancels or ends,
// and joins. From outside, threads cancel the top.
static int grow(void *arg) {
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    struct dice dice = {seed};
    uint64_t depth = seed & 3;
    weft_scope scope = {0};
    for (uint64_t i = 0; depth < 3 && i < dice_roll(&dice, 4); i++) {
        uint64_t child = (dice_roll(&dice, UINT64_C(1) << 40) << 2) | (depth + 1);
        begin_task(&scope, grow, (int64_t)child);
    }
    uint64_t what = dice_roll(&dice, 5);
    if (what == 0)
        weft_cancel(&scope);
    else if (what == 1)
        (void)weft_yield();
    else if (what == 2)
        (void)weft_sleep((int64_t)dice_roll(&dice, 50000));
    int result;
    if (what == 3) {
        weft_within((int64_t)dice_roll(&dice, 50000));
        result = weft_join(&scope);
    } else {
        result = weft_join(&scope);
    }
    atomic_fetch_add(&tasks_ended, 1);
    return result;
}

static void *grow_trees(void *arg) {
    struct shared *shared = arg;
    struct dice dice = {(uint64_t)(uintptr_t)&dice};
    barrier_meet(&barrier, THREADS);
    for (size_t i = 0; i < times(300); i++) {
        weft_scope mine = {0};
        for (int k = 0; k < 3; k++)
            begin_task(&mine, grow, (int64_t)(dice_roll(&dice, UINT64_C(1) << 40) << 2));
        if (dice_roll(&dice, 2))
            weft_cancel(&mine);
        int result = weft_join(&mine);
        assert_true(result == 0 || result == -ECANCELED || result == -ETIMEDOUT);
    }
    (void)shared;
    atomic_fetch_sub(&parties_left, 1);
    return NULL;
}

static void random_trees_of_tasks_all_end(void **state) {
    (void)state;
    run_threads(grow_trees, NULL);
    await_that(weft__runtime_living(weft__runtime_now()) == 0);
    assert_true(weft__list_is_empty(&weft__runtime_now()->root.children));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_IN_TASK(threads_run_tasks_in_scopes_of_their_own),
        CASE_IN_TASK(a_cancel_reaches_tasks_that_have_not_even_started),
        CASE_IN_TASK(a_deadline_passes_while_the_last_task_ends),
        CASE_IN_TASK(threads_cancel_what_another_starts_and_joins),
        CASE_IN_TASK(threads_use_one_scope_in_turn),
        CASE(a_join_outlives_the_runtime),
        CASE(a_scope_that_outlives_its_runtime_is_bound_to_no_task_that_uses_it_again),
        CASE_IN_TASK(random_trees_of_tasks_all_end),
    };
    return RUN(cases);
}

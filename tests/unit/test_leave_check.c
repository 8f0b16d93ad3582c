// SPDX-License-Identifier: MIT
// Unit tests of task/leave_check.c and os/mutex_watch.c: a task that leaves its worker with a
// pthread mutex is named, with the place where it was locked; all others are not.
#include "task_tools.h"

#include <stdio.h>
#include <time.h>

#include "os/mutex_watch.h"

static char logged[4096];

static void keep_line(int level, const char *text, void *context) {
    (void)level, (void)context;
    size_t length = strlen(logged);
    snprintf(logged + length, sizeof logged - length, "%s\n", text);
}

static void start(void) {
    logged[0] = '\0';
    expect(weft_start(&(weft_options){.driver = "epoll", .log = keep_line}), 0);
}

static size_t count_reports(void) {
    size_t count = 0;
    for (const char *at = logged; (at = strstr(at, "pthread mutex")) != NULL; at++)
        count++;
    return count;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

// Each is a place of its own, as in a program.
static __attribute__((noinline)) int lock_and_sleep(void *arg) {
    (void)arg;
    pthread_mutex_lock(&mutex);
    int error = weft_sleep(WEFT_MILLISECOND);
    pthread_mutex_unlock(&mutex);
    return error;
}

static __attribute__((noinline)) int try_and_yield(void *arg) {
    (void)arg;
    while (pthread_mutex_trylock(&mutex) != 0)
        weft_yield();
    int error = weft_yield();
    pthread_mutex_unlock(&mutex);
    return error;
}

static int lock_between_waits(void *arg) {
    (void)arg;
    for (int i = 0; i < 10; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        expect(weft_sleep(WEFT_MICROSECOND), 0);
    }
    return 0;
}

static void one_that_suspends_with_a_mutex_is_named(void **state) {
    (void)state;
    weft_scope scope = {0};
    start();
    expect(weft_go_with(&scope, lock_and_sleep, NULL, &(weft_task_options){.name = "miser"}), 0);
    expect(weft_join(&scope), 0);
    expect(count_reports(), 1);
    expect_that(strstr(logged, "task miser (lock_and_sleep) suspends") != NULL);
    expect_that(strstr(logged, "locked in lock_and_sleep+") != NULL);
    expect_that(strstr(logged, "weft_sleep+") != NULL);
}

static void the_same_place_is_named_once(void **state) {
    (void)state;
    weft_scope scope = {0};
    start();
    for (int i = 0; i < 3; i++) {
        expect(weft_go(&scope, try_and_yield, NULL), 0);
        expect(weft_join(&scope), 0);
    }
    expect(count_reports(), 1);
}

static void who_unlocks_before_it_waits_is_not_named(void **state) {
    (void)state;
    weft_scope scope = {0};
    start();
    for (int i = 0; i < 5; i++)
        expect(weft_go(&scope, lock_between_waits, NULL), 0);
    expect(weft_join(&scope), 0);
    expect(count_reports(), 0);
}

static int lock_and_end(void *arg) {
    (void)arg;
    return pthread_mutex_lock(&mutex);
}

// It is the thread's from then on, and no fault of who runs there next.
static void one_that_ends_with_a_mutex_is_named_and_no_other(void **state) {
    (void)state;
    weft_scope scope = {0};
    start();
    expect(weft_go(&scope, lock_and_end, NULL), 0);
    expect(weft_join(&scope), 0);
    pthread_mutex_unlock(&mutex);
    expect(weft_go(&scope, lock_between_waits, NULL), 0);
    expect(weft_join(&scope), 0);
    expect(count_reports(), 1);
    expect_that(strstr(logged, "task lock_and_end ends while it holds a pthread mutex") != NULL);
}

static void task_zero_is_named_too(void **state) {
    (void)state;
    start();
    pthread_mutex_lock(&mutex);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    pthread_mutex_unlock(&mutex);
    expect_that(strstr(logged, "task zero suspends while it holds a pthread mutex") != NULL);
}

static void a_plain_thread_may_hold_what_it_likes(void **state) {
    (void)state;
    uintptr_t place;
    logged[0] = '\0';
    pthread_mutex_lock(&mutex);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    expect(weft__mutexes_held(&place), 1);
    pthread_mutex_unlock(&mutex);
    expect(weft__mutexes_held(&place), 0);
    expect(count_reports(), 0);
}

static void every_way_to_lock_is_seen(void **state) {
    (void)state;
    pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
    struct timespec soon = {.tv_sec = 0};
    uintptr_t place;
    expect(pthread_mutex_timedlock(&mutex, &soon), 0);
    expect(pthread_mutex_clocklock(&other, CLOCK_MONOTONIC, &soon), 0);
    expect(weft__mutexes_held(&place), 2);
    expect(pthread_mutex_trylock(&mutex), EBUSY);
    expect(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
    expect(weft__mutexes_held(&place), 2);
    pthread_mutex_unlock(&mutex); // not in the order of the locks
    expect(weft__mutexes_held(&place), 1);
    weft__mutexes_forget();
    pthread_mutex_unlock(&other);
    expect(weft__mutexes_held(&place), 0);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(one_that_suspends_with_a_mutex_is_named),
        CASE(the_same_place_is_named_once),
        CASE(who_unlocks_before_it_waits_is_not_named),
        CASE(one_that_ends_with_a_mutex_is_named_and_no_other),
        CASE(task_zero_is_named_too),
        CASE(a_plain_thread_may_hold_what_it_likes),
        CASE(every_way_to_lock_is_seen),
    };
    return RUN(cases);
}

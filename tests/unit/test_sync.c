// SPDX-License-Identifier: MIT
// Unit tests of misuse: what unlocks that does not hold ends the process, and the report names it
// and the calls it is in. And of the wait queue's bias, which stays with the first user's worker
// until somebody else comes.
#include "task_tools.h"

#include <signal.h>
#include <sys/wait.h>

#include "in_child.h"
#include "task/wait_queue.h"

static weft_mutex mutex;
static weft_rwlock lock;

static __attribute__((noinline)) int unlock_mutex(void *unused) {
    (void)unused;
    weft_unlock(&mutex);
    return 1; // so that the call above is no jump
}

static __attribute__((noinline)) int unlock_lock(void *unused) {
    (void)unused;
    weft_rwlock_unlock(&lock);
    return 1;
}

static void run_as_task(int (*fn)(void *)) {
    weft_scope scope = {0};
    weft_task_options named = {.name = "careless"};
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_go_with(&scope, fn, NULL, &named), 0);
    (void)weft_join(&scope);
}

static void task_unlocks_what_is_free(void) {
    run_as_task(unlock_mutex);
}

static void task_unlocks_what_zero_holds(void) {
    expect(weft_lock(&mutex), 0);
    run_as_task(unlock_mutex);
}

static void task_unlocks_free_rwlock(void) {
    run_as_task(unlock_lock);
}

static void task_unlocks_what_zero_writes(void) {
    expect(weft_rwlock_write(&lock), 0);
    run_as_task(unlock_lock);
}

static void thread_unlocks_what_is_free(void) {
    (void)unlock_mutex(NULL);
}

static void ends_with(void (*fn)(void), const char *who, const char *what) {
    char text[2048];
    int status = status_of_child(fn, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, who));
    assert_non_null(strstr(text, what));
}

static void an_unlock_by_who_does_not_hold_it_is_reported(void **state) {
    (void)state;
    static const char of_mutex[] = "unlocks a weft_mutex that it does not hold";
    static const char of_lock[] = "unlocks a weft_rwlock that it does not hold";
    ends_with(task_unlocks_what_is_free, "task careless (unlock_mutex)", of_mutex);
    ends_with(task_unlocks_what_zero_holds, "task careless (unlock_mutex)", of_mutex);
    ends_with(task_unlocks_free_rwlock, "task careless (unlock_lock)", of_lock);
    ends_with(task_unlocks_what_zero_writes, "unlock_lock+0x", of_lock);
    ends_with(thread_unlocks_what_is_free, "a thread", of_mutex);
}

static const void *bias_of(const weft_mutex *of) {
    return weft__load(&((const struct weft__wait_queue *)of)->lock.owner, relaxed);
}

static void *lock_and_unlock(void *arg) {
    expect(weft_lock(arg), 0);
    weft_unlock(arg);
    return NULL;
}

static void the_first_users_worker_has_the_bias_until_another_comes(void **state) {
    (void)state;
    weft_mutex mine = {0};
    const void *here = weft__this_worker();
    (void)lock_and_unlock(&mine);
    assert_ptr_equal(bias_of(&mine), here);
    thread_join(thread_start(lock_and_unlock, &mine));
    assert_ptr_equal(bias_of(&mine), weft__bias_ended(here));
    (void)lock_and_unlock(&mine);
    assert_ptr_equal(bias_of(&mine), weft__bias_ended(here));
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(an_unlock_by_who_does_not_hold_it_is_reported),
        CASE_IN_TASK(the_first_users_worker_has_the_bias_until_another_comes),
    };
    return RUN(cases);
}

// SPDX-License-Identifier: MIT
// Unit tests of os/quit.c: SIGQUIT as a request.
#include "os/quit.h"

#include "await.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_int asked_count, before_count;

static void asked(void) {
    atomic_fetch_add(&asked_count, 1);
}

static void handler_before(int number) {
    (void)number;
    atomic_fetch_add(&before_count, 1);
}

static int set_up(void **state) {
    (void)state;
    atomic_store(&asked_count, 0);
    atomic_store(&before_count, 0);
    return 0;
}

static void await_count(atomic_int *count, int at_least) {
    for (struct await await = {0}; atomic_load(count) < at_least;)
        await_pause(&await, "the signal has come");
}

static void the_signal_asks_until_it_is_no_longer_watched(void **state) {
    (void)state;
    (void)signal(SIGQUIT, handler_before);
    assert_int_equal(weft__quit_watch(asked), 0);
    (void)raise(SIGQUIT);
    await_count(&asked_count, 1);
    await_count(&before_count, 1); // who handled it before is told, too
    weft__quit_unwatch();
    (void)raise(SIGQUIT);
    await_count(&before_count, 2);
    assert_int_equal(atomic_load(&asked_count), 1);
    (void)signal(SIGQUIT, SIG_DFL);
}

static void without_a_handler_before_the_process_goes_on(void **state) {
    (void)state;
    assert_int_equal(weft__quit_watch(asked), 0);
    (void)raise(SIGQUIT);
    await_count(&asked_count, 1);
    weft__quit_unwatch();
    struct sigaction now;
    assert_int_equal(sigaction(SIGQUIT, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
}

static void in_the_child_of_a_fork_the_signal_is_what_it_was(void **state) {
    (void)state;
    assert_int_equal(weft__quit_watch(asked), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sigaction now;
        _exit(sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_handler == SIG_DFL ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    weft__quit_unwatch();
}

static void *take_it(void *unused) {
    (void)unused;
    weft__quit_unblock();
    await_count(&asked_count, 1);
    return NULL;
}

static void one_thread_that_takes_it_is_enough(void **state) {
    (void)state;
    sigset_t quit, before;
    pthread_t thread;
    sigemptyset(&quit);
    sigaddset(&quit, SIGQUIT);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &quit, &before), 0);
    assert_int_equal(weft__quit_watch(asked), 0);
    assert_int_equal(pthread_create(&thread, NULL, take_it, NULL), 0);
    assert_int_equal(kill(getpid(), SIGQUIT), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    weft__quit_unwatch();
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_signal_asks_until_it_is_no_longer_watched, set_up),
        cmocka_unit_test_setup(without_a_handler_before_the_process_goes_on, set_up),
        cmocka_unit_test_setup(one_thread_that_takes_it_is_enough, set_up),
        cmocka_unit_test_setup(in_the_child_of_a_fork_the_signal_is_what_it_was, set_up),
    };
    return cmocka_run_group_tests_name("quit", tests, NULL, NULL);
}

// SPDX-License-Identifier: MIT
// Unit tests of os/futex.c: what ends a wait.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"

enum { HANG_S = 120 };

static void a_wait_for_another_value_returns_at_once(void **state) {
    (void)state;
    WEFT__ATOMIC(uint32_t) word = 7;
    weft__futex_wait(&word, 8, INT64_MAX);
}

static void a_wait_ends_at_its_deadline(void **state) {
    (void)state;
    WEFT__ATOMIC(uint32_t) word = 7;
    weft__futex_wait(&word, 7, 0);
    weft__futex_wait(&word, 7, -1);
    int64_t until = weft__clock_monotonic_ns() + 2000000;
    int waits = 0;
    for (; weft__clock_monotonic_ns() < until; waits++)
        weft__futex_wait(&word, 7, until);
    assert_true(waits >= 1 && waits < 20); // it slept
}

struct sleeper {
    WEFT__ATOMIC(uint32_t) * word;
    WEFT__ATOMIC(uint32_t) tid; // 0 until it is about to sleep
    struct weft__os_thread thread;
    bool is_done;
};

static void sleep_on_word(void *arg) {
    struct sleeper *sleeper = arg;
    weft__store(&sleeper->tid, (uint32_t)gettid(), release);
    while (weft__load(sleeper->word, acquire) == 0)
        weft__futex_wait(sleeper->word, 0, INT64_MAX);
    sleeper->is_done = true;
}

// Whether the kernel calls the thread asleep: proc(5), the letter behind the name.
static bool is_asleep(uint32_t tid) {
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/self/task/%u/stat", (unsigned)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *behind_name = strrchr(text, ')');
    return behind_name != NULL && behind_name[2] == 'S';
}

static void start_asleep(struct sleeper *sleeper, WEFT__ATOMIC(uint32_t) * word) {
    *sleeper = (struct sleeper){.word = word};
    assert_int_equal(weft__os_thread_create(&sleeper->thread, "sleeper", sleep_on_word, sleeper),
                     0);
    while (weft__load(&sleeper->tid, acquire) == 0 ||
           !is_asleep(weft__load(&sleeper->tid, acquire)))
        weft__os_yield();
}

// How many threads may be woken has to fit the kernel's signed number; a hang ends by alarm(2).
static void a_wake_of_all_ends_every_wait(void **state) {
    (void)state;
    static const uint32_t counts[] = {UINT32_MAX, (uint32_t)INT32_MAX + 1, INT32_MAX, 3};
    for (size_t round = 0; round < 4; round++) {
        WEFT__ATOMIC(uint32_t) word = 0;
        struct sleeper sleepers[3];
        for (int i = 0; i < 3; i++)
            start_asleep(&sleepers[i], &word);
        weft__store(&word, 1, release);
        weft__futex_wake(&word, counts[round]);
        for (int i = 0; i < 3; i++) {
            weft__os_thread_join(&sleepers[i].thread);
            assert_true(sleepers[i].is_done);
        }
    }
}

static void as_many_wakes_of_one_end_as_many_waits(void **state) {
    (void)state;
    WEFT__ATOMIC(uint32_t) word = 0;
    struct sleeper sleepers[3];
    for (int i = 0; i < 3; i++)
        start_asleep(&sleepers[i], &word);
    weft__store(&word, 1, release);
    for (int i = 0; i < 3; i++)
        weft__futex_wake(&word, 1);
    for (int i = 0; i < 3; i++)
        weft__os_thread_join(&sleepers[i].thread);
}

// Many rounds without looking whether anybody sleeps yet: no wake may be lost in between.
static void a_wake_that_races_the_wait_is_not_lost(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        WEFT__ATOMIC(uint32_t) word = 0;
        struct sleeper sleeper = {.word = &word};
        assert_int_equal(
            weft__os_thread_create(&sleeper.thread, "sleeper", sleep_on_word, &sleeper), 0);
        if (round % 2)
            weft__os_yield();
        weft__store(&word, 1, release);
        weft__futex_wake(&word, UINT32_MAX);
        weft__os_thread_join(&sleeper.thread);
        assert_true(sleeper.is_done);
    }
}

int main(void) {
    alarm(HANG_S);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_wait_for_another_value_returns_at_once),
        cmocka_unit_test(a_wait_ends_at_its_deadline),
        cmocka_unit_test(a_wake_of_all_ends_every_wait),
        cmocka_unit_test(as_many_wakes_of_one_end_as_many_waits),
        cmocka_unit_test(a_wake_that_races_the_wait_is_not_lost),
    };
    return cmocka_run_group_tests_name("futex", cases, NULL, NULL);
}

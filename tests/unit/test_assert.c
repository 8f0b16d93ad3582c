// SPDX-License-Identifier: MIT
// Unit tests of base/assert.c: a broken invariant ends the process by SIGABRT with one line on
// stderr. Each death happens in a child, whose stderr is a pipe.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"

static void be_the_child(void (*die)(void), const int *pipe_fds) {
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    dup2(pipe_fds[1], STDERR_FILENO);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    die();
    _exit(0);
}

// Runs die() in a child and returns what it wrote to stderr; the child must have aborted.
static void last_words_of(void (*die)(void), char *buf, size_t size) {
    int pipe_fds[2];
    int status;
    size_t length = 0;
    ssize_t n;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        be_the_child(die, pipe_fds);
    close(pipe_fds[1]);
    while ((n = read(pipe_fds[0], buf + length, size - 1 - length)) > 0)
        length += (size_t)n;
    buf[length] = '\0';
    close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static int two = 2;

static void die_of_arithmetic(void) {
    ASSERT(two % 2 == 1);
}

static void die_with_a_sentence(void) {
    PANIC("unknown op kind %d", 42);
}

static void die_with_too_many_words(void) {
    PANIC("%01000d", 7);
}

static void a_failed_assertion_names_place_and_condition(void **state) {
    (void)state;
    char words[2048];
    last_words_of(die_of_arithmetic, words, sizeof words);
    assert_ptr_equal(strstr(words, "weft: "), words);
    assert_non_null(strstr(words, "test_assert.c:"));
    assert_non_null(strstr(words, ": assertion failed: two % 2 == 1\n"));
    assert_ptr_equal(strchr(words, '\n'), words + strlen(words) - 1);
}

static void a_panic_says_its_sentence(void **state) {
    (void)state;
    char words[2048];
    last_words_of(die_with_a_sentence, words, sizeof words);
    assert_non_null(strstr(words, ": unknown op kind 42\n"));
}

static void a_line_too_long_is_cut_and_still_ends(void **state) {
    (void)state;
    char words[2048];
    last_words_of(die_with_too_many_words, words, sizeof words);
    assert_int_equal(strlen(words), 511);
    assert_ptr_equal(strchr(words, '\n'), words + 510);
}

static void a_true_assertion_is_evaluated_once(void **state) {
    (void)state;
    int count = 0;
    ASSERT(++count == 1);
    assert_int_equal(count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_assertion_names_place_and_condition),
        cmocka_unit_test(a_panic_says_its_sentence),
        cmocka_unit_test(a_line_too_long_is_cut_and_still_ends),
        cmocka_unit_test(a_true_assertion_is_evaluated_once),
    };
    return cmocka_run_group_tests_name("assert", tests, NULL, NULL);
}

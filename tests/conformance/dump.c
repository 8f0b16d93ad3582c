// SPDX-License-Identifier: MIT
// "weft_dump prints every task: in which scope, what it waits for and since when, and where it
// stands in the code."
#include "case.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 1 << 18 };

static char text[TEXT_SIZE];

static void dump(void) {
    FILE *file = tmpfile();
    assert_non_null(file);
    expect(weft_dump(fileno(file)), 0);
    ssize_t size = pread(fileno(file), text, sizeof text - 1, 0);
    expect_that(size > 0);
    text[size] = '\0';
    fclose(file);
}

static void expect_line(const char *begin, const char *rest) {
    const char *line = strstr(text, begin);
    if (!line || !strstr(line, rest))
        fail_msg("no \"%s\" ... \"%s\" in:\n%s", begin, rest, text);
}

static int read_byte(int handle) {
    char byte;
    ssize_t n = weft_read(handle, &byte, 1);
    return n < 0 ? (int)n : 0;
}

static int read_below(void *context) {
    weft_scope scope = {0};
    weft_task_options named = {.name = "below"};
    expect(weft_go_with(&scope, read_byte, *(int *)context, &named), 0);
    return weft_join(&scope);
}

CASE(a_dump_tells_what_each_task_waits_for) {
    struct tcp_pair pair = tcp_pair_open();
    weft_scope scope = {0};
    weft_task_options named = {.name = "above"};
    char waits[64];
    expect(weft_go_with(&scope, read_below, (void *)&pair.server, &named), 0);
    await_waiting(pair.server, WEFT_READ, 1);
    dump();
    (void)snprintf(waits, sizeof waits, "read on handle %d", pair.server);
    expect_line("task zero", "runs on worker 1");
    expect_line("\"above\"", ": join;");
    expect_line("its scope: 1 task, being joined", "\"below\"");
    expect_line("\"below\"", waits);
    weft_cancel(&scope);
    expect(weft_join(&scope), -ECANCELED);
    tcp_pair_close(&pair);
}
CASE_NEEDS_TASKS(a_dump_tells_what_each_task_waits_for)

CASE(without_a_runtime_there_is_nothing_to_dump, .is_bare = true) {
    expect(weft_dump(2), -ENOENT);
}

// Lines arrive on a thread of weft's.
static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t lines_length;

static void keep_line(int level, const char *line, void *context) {
    (void)level, (void)context;
    pthread_mutex_lock(&lines_lock);
    int n = snprintf(text + lines_length, sizeof text - lines_length, "%s\n", line);
    lines_length += (size_t)n < sizeof text - lines_length ? (size_t)n : 0;
    pthread_mutex_unlock(&lines_lock);
}

static bool is_kept(const char *wanted) {
    pthread_mutex_lock(&lines_lock);
    bool is_there = strstr(text, wanted) != NULL;
    pthread_mutex_unlock(&lines_lock);
    return is_there;
}

// "with weft_options.dump_on_sigquit the signal SIGQUIT asks for it from outside."
CASE(sigquit_asks_for_a_dump, .is_bare = true) {
    struct sigaction before, now;
    weft_options options = {.driver = world_driver(), .log = keep_line, .dump_on_sigquit = 1};
    sigaction(SIGQUIT, NULL, &before);
    expect(weft_start(&options), 0);
    expect(kill(getpid(), SIGQUIT), 0);
    for (struct await await = {0}; !is_kept("task zero ");)
        await_pause(&await, "the dump was printed");
    expect(weft_stop(WEFT_SECOND), 0);
    sigaction(SIGQUIT, NULL, &now);
    expect_that(now.sa_handler == before.sa_handler);
}
CASE_NEEDS_PUBLIC_DRIVER(sigquit_asks_for_a_dump)

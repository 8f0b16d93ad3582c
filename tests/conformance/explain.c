// SPDX-License-Identifier: MIT
// The record of the last failure: "weft_explain(buf, size) writes the sentence for the caller's
// last failed call: what, on which address, why, cure". Who writes it, and who leaves it as it is.
#include "case.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

CASE(explain_is_empty_when_nothing_has_failed) {
    char buf[8] = "before";
    struct tcp_pair pair = tcp_pair_open();
    expect(weft_explain(buf, sizeof buf), 0);
    assert_string_equal(buf, "");
    expect(weft_explain(NULL, 0), 0);
    expect(weft_timed_out(), 0);
    tcp_pair_close(&pair);
}

// "connect 127.0.0.1:7878: connection refused (is the server running?)".
CASE(explain_says_what_where_why_and_the_cure) {
    weft_addr addr = unused_address();
    char text[WEFT_ADDR_TEXT_SIZE], expected[128], buf[128];
    expect(weft_tcp_connect_with(&addr, NULL), -ECONNREFUSED);
    snprintf(expected, sizeof expected, "connect %s: connection refused (is the server running?)",
             weft_addr_text(&addr, text));
    expect(weft_explain(buf, sizeof buf), strlen(expected));
    assert_string_equal(buf, expected);
}

// "buf: always NUL-terminated if size > 0; cut if too small. Returns the sentence's whole length."
CASE(explain_cuts_the_sentence_to_the_buffer) {
    weft_addr addr = unused_address();
    char whole[128], buf[128];
    expect(weft_tcp_connect_with(&addr, NULL), -ECONNREFUSED);
    int length = weft_explain(whole, sizeof whole);
    for (size_t size = 1; size <= (size_t)length + 1; size++) {
        memset(buf, '#', sizeof buf);
        expect(weft_explain(buf, size), length);
        expect(strlen(buf), size - 1);
        assert_memory_equal(buf, whole, size - 1);
        expect(buf[size], '#');
    }
    expect(weft_explain(NULL, 0), length);
}

// "The sentence names the call where the error arose", not the one that passed it on.
CASE(explain_names_the_call_where_the_error_arose) {
    weft_addr addr = unused_address();
    char byte;
    expect(weft_read(weft_tcp_connect_with(&addr, NULL), &byte, 1), -ECONNREFUSED);
    expect_explained("connect ");
    expect(weft_write_all(weft_accept(weft_tcp_listen("nonsense")), "x", 1), -WEFT_EADDRESS);
    expect_explained("listen ");
    expect_explained("nonsense");
}

static int dial(void *context) {
    return weft_tcp_connect_with(context, NULL);
}

static int dial_in_a_scope_of_its_own(void *context) {
    weft_scope scope = {0};
    expect(weft_go_with(&scope, dial, context, &(weft_task_options){.name = "dialler"}), 0);
    return weft_join(&scope);
}

static int answer_what_was_not_recorded(void *context) {
    expect(dial(context), -ECONNREFUSED);
    return -EIO;
}

// However many joins have passed it on.
CASE(join_explains_what_its_task_had_recorded) {
    weft_addr addr = unused_address();
    weft_scope scope = {0};
    char text[WEFT_ADDR_TEXT_SIZE], expected[160], buf[160];
    expect(weft_go(&scope, dial_in_a_scope_of_its_own, (void *)&addr), 0);
    expect(weft_join(&scope), -ECONNREFUSED);
    snprintf(expected, sizeof expected,
             "join: task dialler: connect %s: connection refused (is the server running?)",
             weft_addr_text(&addr, text));
    weft_explain(buf, sizeof buf);
    assert_string_equal(buf, expected);
    expect(weft_go(&scope, answer_what_was_not_recorded, (void *)&addr), 0);
    expect(weft_join(&scope), -EIO);
    expect_explained("join: ");
    expect_explained("a task of the scope answered that");
}
CASE_NEEDS_TASKS(join_explains_what_its_task_had_recorded)

// "Any weft_close leaves the record ... as it is", also one that fails.
CASE(close_leaves_the_record_of_the_last_failure) {
    struct tcp_pair pair = tcp_pair_open();
    char buf[8], before[128], after[128];
    expect(weft_write(pair.client, "1234", 4), 4);
    {
        weft_within(10 * WEFT_MILLISECOND);
        expect(weft_read_exact(pair.server, buf, 8), -ETIMEDOUT);
    }
    expect_that(weft_explain(before, sizeof before) > 0);
    expect(weft_close(pair.client), 0);
    expect(weft_close(pair.server), 0);
    expect(weft_close(pair.server), -EBADF);
    expect(weft_abort(-5), -5);
    expect(weft_close(-5), -5);
    expect(weft_close(0), -EBADF);
    weft_explain(after, sizeof after);
    assert_string_equal(after, before);
    expect(weft_timed_out(), 1);
    expect(weft_moved(), 4);
}

CASE(a_call_that_succeeds_leaves_the_record) {
    struct tcp_pair pair = tcp_pair_open();
    weft_addr addr = unused_address();
    char byte;
    expect(weft_tcp_connect_with(&addr, NULL), -ECONNREFUSED);
    expect(weft_write(pair.client, "x", 1), 1);
    expect(weft_read(pair.server, &byte, 1), 1);
    expect_explained("connection refused");
    tcp_pair_close(&pair);
}

// Failures of every kind name their call and what they were about.
CASE(every_failure_names_its_call_and_its_subject) {
    weft_addr addr;
    char text[WEFT_ADDR_TEXT_SIZE];
    int listener = listen_anywhere(&addr), sock = udp_anywhere(&addr);
    expect(weft_local_addr(listener, &addr), 0);
    expect(weft_tcp_listen_with(&addr, NULL), -EADDRINUSE);
    expect_explained("listen ");
    expect_explained(weft_addr_text(&addr, text));
    expect_explained("in use");
    expect(weft_tcp_connect("127.0.0.1:99999"), -WEFT_EADDRESS);
    expect_explained("connect ");
    expect_explained("127.0.0.1:99999");
    expect(weft_write(sock, "x", 1), -EDESTADDRREQ);
    expect_explained("write");
    expect(weft_read(listener, text, 1), -ENOTSUP);
    expect_explained("read");
    expect(weft_peek(12345, text, 1), -EBADF);
    expect_explained("peek");
    expect(weft_close(sock), 0);
    expect(weft_close(listener), 0);
}

CASE(a_deadline_is_told_from_a_timeout_of_the_network) {
    struct tcp_pair pair = tcp_pair_open();
    char byte;
    weft_within(0);
    expect(weft_read(pair.server, &byte, 1), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    expect_explained("read");
    expect_explained("deadline");
    tcp_pair_close(&pair);
}

struct failing {
    weft_addr addr;
    char sentence[128];
    int began_with;
};

static void fail_alone(void *context) {
    struct failing *failing = context;
    failing->began_with = weft_explain(failing->sentence, sizeof failing->sentence);
    expect(weft_tcp_connect_with(&failing->addr, NULL), -ECONNREFUSED);
    expect(weft_yield(), 0);
    weft_explain(failing->sentence, sizeof failing->sentence);
}

// "Each task and each plain thread has one record."
CASE(every_party_has_its_own_record) {
    enum { PARTIES = 4 };
    struct failing failing[PARTIES];
    struct parties parties = {0};
    char text[WEFT_ADDR_TEXT_SIZE], mine[128];
    expect(weft_tcp_listen("nonsense"), -WEFT_EADDRESS);
    for (int i = 0; i < PARTIES; i++) {
        failing[i] = (struct failing){.addr = unused_address()};
        party_start(&parties, "fails", fail_alone, &failing[i]);
    }
    parties_join(&parties);
    for (int i = 0; i < PARTIES; i++) {
        expect(failing[i].began_with, 0);
        expect_that(strstr(failing[i].sentence, weft_addr_text(&failing[i].addr, text)) != NULL);
    }
    weft_explain(mine, sizeof mine);
    expect_that(strstr(mine, "nonsense") != NULL);
}

// weft_must: "prints file:line, cause, cure; exits 1". In a process of its own, before any runtime.
CASE(must_returns_results_and_ends_the_process_on_errors, .is_bare = true) {
    int out[2], status;
    char text[512] = {0};
    expect(weft_must(weft_addr_ipv4(1, 2, 3, 4, 5).words[0] != 0 ? 7 : 8) > 0, 1);
    expect(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        weft_must(weft_tcp_listen("nonsense"));
        _exit(0);
    }
    close(out[1]);
    for (ssize_t n, at = 0; (n = read(out[0], text + at, sizeof text - 1 - (size_t)at)) > 0;)
        at += n;
    close(out[0]);
    expect(waitpid(pid, &status, 0), pid);
    expect_that(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    expect_that(strstr(text, "explain.c:") != NULL);
    expect_that(strstr(text, "nonsense") != NULL);
}

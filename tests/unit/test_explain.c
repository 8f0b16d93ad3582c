// SPDX-License-Identifier: MIT
// Unit tests of net/explain.c: the whole sentence for each failure with a cure, subjects from
// outside, buffers that are too small, and weft_must.
#include <stdio.h>

#include "fake_driver.h"

#include "in_child.h"
#include "io/call.h"

static void expect_sentence(const char *expected) {
    char sentence[1024];
    int length = weft_explain(sentence, sizeof sentence);
    assert_string_equal(sentence, expected);
    assert_int_equal(length, strlen(expected));
}

// ---- Every cure -----------------------------------------------------------------------------

static void nothing_has_failed_is_nothing(void **state) {
    (void)state;
    weft__self()->failure->call = NULL;
    char buf[4] = "abc";
    expect(weft_explain(buf, sizeof buf), 0);
    assert_string_equal(buf, "");
    expect(weft_explain(NULL, 0), 0);
}

static void every_failure_names_its_cause_and_its_cure(void **state) {
    (void)state;
    static const struct {
        const char *call;
        int code;
        const char *cure; // NULL: none
    } rows[] = {
        {"connect", -ECONNREFUSED, "is the server running?"},
        {"read", -ECONNREFUSED, "nobody receives at that port"},
        {"connect", -ETIMEDOUT, "is the address right, and does a firewall drop the packets?"},
        {"read", -ETIMEDOUT, NULL},
        {"listen", -EADDRINUSE,
         "another program has that port, see ss -lntup; or one just ended still lets go: try "
         "again"},
        {"connect", -EADDRNOTAVAIL,
         "no local port is free, or the local address is not of this machine"},
        {"listen", -EADDRNOTAVAIL,
         "this machine has no such address: see ip addr, or use 0.0.0.0 or [::]"},
        {"listen", -EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose one above"},
        {"bind", -EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose one above"},
        {"send_to", -EACCES, "for broadcast set weft_udp_options.broadcast"},
        {"connect", -EACCES, NULL},
        {"connect", -ENETUNREACH, "no route leads there: see ip route"},
        {"send_to", -EHOSTUNREACH, "no route leads there: see ip route"},
        {"connect", -EAFNOSUPPORT, "this machine does not have that kind of address"},
        {"connect", -EMFILE, "raise the limit of descriptors with ulimit -n, or close some"},
        {"listen", -ENFILE, "the whole system is out of descriptors: raise sysctl fs.file-max"},
        {"go", -ENOMEM, "memory is short: see ulimit -v, the cgroup's limit, and vm.max_map_count"},
        {"read", -EBADF, "it was closed, or it was never a handle: a file descriptor is none"},
        {"read", -EFAULT, "is a buffer larger than the task's stack? then raise stack_size"},
        {"read", -ENOTSUP, "this call is not for that kind of handle"},
        {"write", -EPIPE, "the peer no longer reads, or we have shut down writing"},
        {"read", -ECONNRESET, "the peer broke the connection"},
        {"recv_from", -EMSGSIZE, "the datagram does not fit"},
        {"send_to", -EDESTADDRREQ, "give a peer, or connect the socket"},
        {"read_exact", -ENODATA, "the stream ended before all bytes had come"},
        {"read", -ECHILD, "after fork, call weft_start in the child first"},
        {"go", -EINVAL, "the scope or the function is NULL, or an option is out of range"},
        {"go", -EBUSY, "the scope is being joined, and the caller is none of its tasks"},
        {"join", -EFAULT,
         "a task answered that; is a buffer larger than its stack? then raise stack_size"},
        {"join", -EPERM, "only who used the scope first joins it"},
        {"stop", -EPERM,
         "only task zero, the thread that started the runtime, stops it; with own_threads, any "
         "plain one"},
        {"stop", -EBUSY, "another thread stops it already"},
        {"start", -EAGAIN, "no thread for a worker: raise ulimit -u, or ask for fewer workers"},
        {"start", -EALREADY, "call weft_stop first"},
        {"start", -EPERM, "the sysctl kernel.io_uring_disabled or a seccomp profile forbids it"},
        {"start", -ENOSYS, "this kernel has none: use WEFT_DRIVER=auto or epoll"},
        {"resolve", -WEFT_ENAME, "check the spelling"},
        {"resolve", -WEFT_ENAMEFAIL, "try again; does the resolver in /etc/resolv.conf answer?"},
        {"read", -EINVAL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char expected[512];
        const char *why = weft_strerror(rows[i].code), *cure = rows[i].cure;
        snprintf(expected, sizeof expected, "%s: %s%s%s%s", rows[i].call, why, cure ? " (" : "",
                 cure ? cure : "", cure ? ")" : "");
        (void)weft__failed(weft__self(), rows[i].call, 0, rows[i].code);
        expect_sentence(expected);
    }
    (void)weft__failed(weft__self(), "read", 0, -ECANCELED);
    expect_sentence("read: canceled");
    (void)weft__failed(weft__self(), "stop", 0, -ENOENT);
    expect_sentence("stop: no runtime runs");
}

static void a_deadline_is_told_from_the_networks_timeout(void **state) {
    (void)state;
    weft_within(0);
    expect(weft_sleep(1), -ETIMEDOUT);
    expect_sentence("sleep: the deadline passed");
}

static void a_detail_is_more_exact_than_any_cure(void **state) {
    (void)state;
    (void)weft__failed_text(weft__self(), "connect", "x:1", "because I say so", -ECONNREFUSED);
    expect_sentence("connect x:1: connection refused (because I say so)");
}

// ---- On what --------------------------------------------------------------------------------

static void the_subject_is_an_address_a_text_or_a_handle(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self();
    weft_addr addr = weft_addr_ipv4(192, 0, 2, 1, 443);
    (void)weft__failed_addr(self, "connect", &addr, -EINVAL);
    expect_sentence("connect 192.0.2.1:443: invalid argument");
    (void)weft__failed_text(self, "connect", "example.com:443", NULL, -EINVAL);
    expect_sentence("connect example.com:443: invalid argument");
    (void)weft__failed(self, "read", 1234567, -EINVAL);
    expect_sentence("read handle 1234567: invalid argument");
    (void)weft__failed(self, "read", 0, -EINVAL);
    expect_sentence("read: invalid argument");
    int h = fake_handle(WEFT__KIND_STREAM);
    weft__handle_name(h, &addr);
    (void)weft__failed(self, "read", h, -EINVAL);
    expect_sentence("read 192.0.2.1:443: invalid argument");
    expect(weft_close(h), 0);
    expect_sentence("read 192.0.2.1:443: invalid argument"); // also when it is closed
}

static void a_subject_from_outside_is_escaped(void **state) {
    (void)state;
    (void)weft__failed_text(weft__self(), "resolve", "a\nb\x1b[2J\"\\\x80", NULL, -EINVAL);
    expect_sentence("resolve a\\x0ab\\x1b[2J\\\"\\\\\\x80: invalid argument");
}

static void the_longest_subject_does_not_push_the_cure_out(void **state) {
    (void)state;
    char text[200], sentence[1024];
    memset(text, '\n', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)weft__failed_text(weft__self(), "connect", text, NULL, -EADDRNOTAVAIL);
    (void)weft_explain(sentence, sizeof sentence);
    assert_int_equal(strncmp(sentence, "connect \\x0a\\x0a", 16), 0);
    assert_non_null(strstr(sentence, "(no local port is free, or the local address is not of this "
                                     "machine)"));
}

static void a_buffer_that_is_too_small_gets_the_beginning(void **state) {
    (void)state;
    char whole[128];
    (void)weft__failed(weft__self(), "read", 0, -ECONNRESET);
    int length = weft_explain(whole, sizeof whole);
    expect(weft_explain(NULL, 0), length);
    for (size_t size = 1; size < sizeof whole - 1; size++) {
        char cut[128];
        memset(cut, '#', sizeof cut);
        expect(weft_explain(cut, size), length);
        size_t kept = size - 1 < (size_t)length ? size - 1 : (size_t)length;
        assert_memory_equal(cut, whole, kept);
        assert_int_equal(cut[kept], '\0');
        assert_int_equal(cut[kept + 1], '#');
    }
}

// ---- weft_must ------------------------------------------------------------------------------

static int stderr_of_must[2];

static void die_of_a_failed_call(void *arg) {
    (void)arg;
    dup2(stderr_of_must[1], STDERR_FILENO);
    weft_must(weft_tcp_listen("nonsense"));
}

static void die_of_a_code(void *arg) {
    (void)arg;
    dup2(stderr_of_must[1], STDERR_FILENO);
    weft_must(-EIO);
}

static void expect_last_words(void (*fn)(void *), const char *first, const char *second) {
    char words[512] = "";
    assert_int_equal(pipe(stderr_of_must), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fn(NULL);
        _exit(0);
    }
    int status = -1;
    close(stderr_of_must[1]);
    assert_true(read(stderr_of_must[0], words, sizeof words - 1) > 0);
    close(stderr_of_must[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_int_equal(strncmp(words, "weft: ", 6), 0);
    assert_non_null(strstr(words, "test_explain.c:"));
    assert_non_null(strstr(words, first));
    assert_non_null(strstr(words, second));
}

static void must_prints_place_and_sentence_and_exits(void **state) {
    (void)state;
    assert_int_equal(weft_must(5), 5);
    assert_int_equal(weft_must(0), 0);
    expect_last_words(die_of_a_failed_call, ": listen nonsense: ", "(");
    expect_last_words(die_of_a_code, ": -EIO: ", weft_strerror(-EIO));
}

static void the_version_is_said(void **state) {
    (void)state;
    assert_string_equal(weft_version(), "0.1.0");
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(nothing_has_failed_is_nothing),
        CASE(every_failure_names_its_cause_and_its_cure),
        CASE(a_deadline_is_told_from_the_networks_timeout),
        CASE(a_detail_is_more_exact_than_any_cure),
        CASE_ON_FAKE(the_subject_is_an_address_a_text_or_a_handle),
        CASE(a_subject_from_outside_is_escaped),
        CASE(the_longest_subject_does_not_push_the_cure_out),
        CASE(a_buffer_that_is_too_small_gets_the_beginning),
        CASE(must_prints_place_and_sentence_and_exits),
        CASE(the_version_is_said),
    };
    return RUN(cases);
}

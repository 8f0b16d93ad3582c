// SPDX-License-Identifier: MIT
// Unit tests of weft_options.dump_on_sigquit.
#include "dump_tools.h"

#include <signal.h>

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

struct hogs {
    weft_scope scope;
    atomic_int running;
    atomic_bool is_over;
};

static __attribute__((noinline)) int hog(void *arg) {
    struct hogs *hogs = arg;
    atomic_fetch_add(&hogs->running, 1);
    while (!atomic_load(&hogs->is_over))
        ;
    return 0;
}

// Without waiting inside weft, so that the worker of the caller stays busy. Again and again: on a
// machine that is busy, too, the answer of a thread may come too late.
static void ask_until_kept(const char *wanted) {
    int64_t until = weft__clock_monotonic_ns() + test_limit_ns();
    for (unsigned i = 0; !is_kept(wanted); i++) {
        if (i % 1000 == 0)
            expect(kill(getpid(), SIGQUIT), 0);
        weft__os_yield();
        if (weft__clock_monotonic_ns() > until)
            fail_msg("no \"%s\" in:\n%s", wanted, sink.text);
    }
}

static void expect_dump_while_all_are_busy(const char *driver, int workers) {
    struct hogs hogs = {.running = 0};
    weft_options options = {
        .driver = driver, .workers = workers, .log = keep_line, .dump_on_sigquit = 1};
    forget_lines();
    expect(weft_start(&options), 0);
    for (int i = 2; i <= workers; i++) {
        weft_task_options named = {.name = "hog", .worker = i};
        expect(weft_go_with(&hogs.scope, hog, &hogs, &named), 0);
    }
    while (atomic_load(&hogs.running) < workers - 1)
        weft__os_yield();
    go_named(&hogs.scope, do_nothing, NULL, "kept waiting");
    ask_until_kept("\"kept waiting\" (do_nothing) has not started");
    for (int i = 2; i <= workers; i++) {
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "\"hog\" (hog) runs on worker %d", i);
        ask_until_kept(wanted);
    }
    if (workers > 1 && !WEFT__UNDER_ASAN && test_slowness() == 1) // else nobody can be asked
        ask_until_kept("\n        hog+0x");
    atomic_store(&hogs.is_over, true);
    expect(weft_join(&hogs.scope), 0);
    expect(weft_stop(INT64_MAX), 0);
}

static void sigquit_asks_for_one_while_all_workers_are_busy(void **state) {
    (void)state;
    on_each(expect_dump_while_all_are_busy);
}

static void sigquit_is_the_programs_own_otherwise(void **state) {
    (void)state;
    struct sigaction found, now;
    expect(sigaction(SIGQUIT, NULL, &found), 0);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(sigaction(SIGQUIT, NULL, &now), 0);
    assert_true(now.sa_handler == found.sa_handler);
    expect(weft_stop(0), 0);
    expect(weft_start(&(weft_options){.driver = "epoll", .dump_on_sigquit = 1}), 0);
    expect(weft_stop(0), 0);
    expect(sigaction(SIGQUIT, NULL, &now), 0);
    assert_true(now.sa_handler == found.sa_handler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(sigquit_asks_for_one_while_all_workers_are_busy),
        CASE(sigquit_is_the_programs_own_otherwise),
    };
    return RUN(tests);
}

// SPDX-License-Identifier: MIT
// Unit tests of weft_dump: what it says of each task, and to whom.
#include "dump_tools.h"

#include <fcntl.h>
#include <sys/wait.h>

// ---- What tasks wait for --------------------------------------------------------------------

static int sleep_long(void *unused) {
    (void)unused;
    int result = weft_sleep(WEFT_HOUR);
    return result == -ECANCELED ? 0 : result;
}

static __attribute__((noinline)) int read_some(int handle) {
    char buf[8];
    ssize_t n = weft_read(handle, buf, sizeof buf);
    return n == -ECANCELED || n == 0 ? 0 : (int)n;
}

static int read_it(void *arg) {
    int result = read_some(*(int *)arg);
    return result < 0 ? result : 0;
}

static int accept_it(void *arg) {
    int result = weft_accept(*(int *)arg);
    return result == -ECANCELED ? 0 : result;
}

static int join_sleepers(void *unused) {
    (void)unused;
    weft_scope scope = {0};
    go_named(&scope, sleep_long, NULL, "grandchild");
    int result = weft_join(&scope);
    return result == -ECANCELED ? 0 : result;
}

// Everything that can be waited for, but for connections that do not come about.
struct waiters {
    weft_scope scope;
    struct tcp_pair pair;
    int listener;
    weft_addr addr;
};

static void waiters_start(struct waiters *w) {
    *w = (struct waiters){.pair = tcp_pair_open()};
    w->listener = listen_anywhere(&w->addr);
    go_named(&w->scope, sleep_long, NULL, "sleeper");
    go_named(&w->scope, read_it, &w->pair.server, "reader");
    await_that(weft__handle_waiting(w->pair.server, WEFT__SIDE_READ) == 1);
    go_named(&w->scope, read_it, &w->pair.server, "second reader");
    go_named(&w->scope, accept_it, &w->listener, "acceptor");
    go_named(&w->scope, join_sleepers, NULL, "joiner");
    await_parked(6);
}

static void waiters_end(struct waiters *w) {
    weft_cancel(&w->scope);
    expect(weft_join(&w->scope), 0);
    tcp_pair_close(&w->pair);
    expect(weft_close(w->listener), 0);
}

static void expect_waiters(const struct waiters *w, const char *text) {
    char wanted[128], addr[WEFT_ADDR_TEXT_SIZE];
    (void)find(task_line(text, "sleeper"), ": sleep;");
    (void)snprintf(wanted, sizeof wanted, ": read on handle %d (127.0.0.1:", w->pair.server);
    (void)find(task_line(text, "reader"), wanted);
    (void)snprintf(wanted, sizeof wanted, ": its turn to read on handle %d", w->pair.server);
    (void)find(task_line(text, "second reader"), wanted);
    (void)snprintf(wanted, sizeof wanted, ": accept on handle %d (%s)", w->listener,
                   weft_addr_text(&w->addr, addr));
    (void)find(task_line(text, "acceptor"), wanted);
    (void)find(task_line(text, "joiner"), ": join;");
    (void)find(task_line(text, "grandchild"), ": sleep;");
    expect_frame(text, "reader", "weft_read+0x");
    expect_frame(text, "reader", "read_some+0x");
    expect_frame(text, "joiner", "weft_join+0x");
    expect_frame(text, "joiner", "join_sleepers+0x");
    // What is below the public call, and below the task's function, is not shown.
    assert_null(strstr(text, "weft__"));
    // A scope stands below the task that uses it.
    const char *joiner = find(text, "\"joiner\"");
    const char *scope = find(joiner, "its scope: 1 task, being joined, first used in go_named+");
    (void)find(scope, "\"grandchild\"");
}

static void expect_all(const char *driver, int workers) {
    struct waiters w;
    expect(weft_start(&(weft_options){.driver = driver, .workers = workers}), 0);
    waiters_start(&w);
    const char *text = dump();
    expect_waiters(&w, text);
    (void)find(text, "weft: 7 tasks in 2 scopes on ");
    (void)find(text, driver);
    (void)find(text, "task zero runs on worker 1");
    expect_waiters(&w, dump()); // nobody was disturbed
    waiters_end(&w);
    expect(weft_stop(INT64_MAX), 0);
}

static void each_task_is_there_with_what_it_waits_for(void **state) {
    (void)state;
    on_each(expect_all);
}

static void the_simulators_tasks_are_there_too(void **state) {
    (void)state;
    struct waiters w;
    waiters_start(&w);
    (void)find(dump(), "sim");
    expect_waiters(&w, dump());
    waiters_end(&w);
}

static int connect_to(void *arg) {
    int conn = weft_tcp_connect(arg);
    return conn >= 0 ? weft_close(conn) : conn;
}

static void a_connect_says_where_it_goes(void **state) {
    (void)state;
    weft_scope scope = {0};
    char where[WEFT_ADDR_TEXT_SIZE], wanted[128];
    struct full_listener full;
    full_listener_open(&full);
    go_named(&scope, connect_to, (void *)weft_addr_text(&full.addr, where), "caller");
    await_parked(1);
    (void)snprintf(wanted, sizeof wanted, ": connect %s", where);
    (void)find(task_line(dump(), "caller"), wanted);
    weft_cancel(&scope);
    (void)weft_join(&scope);
    full_listener_close(&full);
}

// ---- Other states ---------------------------------------------------------------------------

static int dump_itself(void *arg) {
    const char **text = arg;
    *text = dump();
    return 0;
}

struct yielder {
    bool has_begun, is_over;
};

static int yield_until(void *arg) {
    struct yielder *yielder = arg;
    for (yielder->has_begun = true; !yielder->is_over;)
        expect(weft_yield(), 0);
    return 0;
}

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

static void one_that_runs_is_ready_or_has_not_started_says_so(void **state) {
    (void)state;
    weft_scope scope = {0};
    struct yielder yielder = {.has_begun = false};
    expect(weft_start(&(weft_options){.driver = "epoll", .workers = 1}), 0);
    go_named(&scope, yield_until, &yielder, "yielder");
    while (!yielder.has_begun)
        expect(weft_yield(), 0);
    go_named(&scope, do_nothing, NULL, "newcomer");
    const char *text = dump();
    (void)find(task_line(text, "yielder"), " is ready to run on worker 1");
    (void)find(task_line(text, "newcomer"), " (do_nothing) has not started");
    expect_frame(text, "newcomer", "has not started");
    yielder.is_over = true;
    expect(weft_join(&scope), 0);
    go_named(&scope, dump_itself, &text, "dumper");
    expect(weft_join(&scope), 0);
    (void)find(task_line(text, "dumper"), " runs on worker 1");
    expect_frame(text, "dumper", "weft_dump+0x");
    expect_frame(text, "dumper", "dump_itself+0x");
    (void)find(text, "task zero waits on worker 1 for ");
    (void)find(text, "worker 1 runs task ");
}

static void a_small_stack_is_enough(void **state) {
    (void)state;
    weft_scope scope = {0};
    const char *text = NULL;
    weft_task_options options = {.name = "small", .stack_size = 16 * 1024};
    expect(weft_go_with(&scope, dump_itself, &text, &options), 0);
    expect(weft_join(&scope), 0);
    (void)find(text, "\"small\"");
}

static void names_are_made_harmless(void **state) {
    (void)state;
    weft_scope scope = {0};
    go_named(&scope, sleep_long, NULL, "a\n\x1b[2Jb\"c");
    await_parked(1);
    (void)find(dump(), "\"a\\x0a\\x1b[2Jb\\\"c\"");
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
}

// ---- Who asks, and where to -----------------------------------------------------------------

static void *dump_in_a_thread(void *arg) {
    const char **text = arg;
    *text = dump();
    return NULL;
}

static void a_plain_thread_may_ask(void **state) {
    (void)state;
    const char *text = NULL;
    weft_scope scope = {0};
    weft_options options = {.driver = "epoll", .workers = 2, .own_threads = 1};
    expect(weft_start(&options), 0);
    go_named(&scope, sleep_long, NULL, "sleeper");
    await_parked(1);
    thread_join(thread_start(dump_in_a_thread, &text));
    assert_null(strstr(text, "task zero"));
    const char *of = find(text, "scope of a plain thread: 1 task, first used in go_named+");
    (void)find(of, "\"sleeper\"");
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
}

static void what_cannot_be_written_is_told(void **state) {
    (void)state;
    int ends[2];
    expect(weft_dump(STDERR_FILENO), -ENOENT); // there is no runtime
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_dump(1 << 20), -EBADF);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    expect(weft_dump(full), -ENOSPC);
    close(full);
    expect(pipe(ends), 0);
    close(ends[0]);
    expect(weft_dump(ends[1]), -EPIPE); // and no SIGPIPE
    close(ends[1]);
    pid_t child = fork();
    if (child == 0)
        _exit(weft_dump(STDERR_FILENO) == -ECHILD ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void it_goes_where_log_lines_go(void **state) {
    (void)state;
    forget_lines();
    expect(weft_start(&(weft_options){.driver = "epoll", .log = keep_line}), 0);
    expect(weft_dump(-1), 0);
    assert_true(is_kept("weft: 1 task in 0 scopes on "));
    assert_true(is_kept("\ntask zero runs on worker 1\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(each_task_is_there_with_what_it_waits_for),
        CASE_ON_SIM(the_simulators_tasks_are_there_too),
        CASE_IN_TASK(a_connect_says_where_it_goes),
        CASE(one_that_runs_is_ready_or_has_not_started_says_so),
        CASE_IN_TASK(a_small_stack_is_enough),
        CASE_IN_TASK(names_are_made_harmless),
        CASE(a_plain_thread_may_ask),
        CASE(what_cannot_be_written_is_told),
        CASE(it_goes_where_log_lines_go),
    };
    return RUN(tests);
}

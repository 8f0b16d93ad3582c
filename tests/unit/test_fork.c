// SPDX-License-Identifier: MIT
// Unit tests of task/fork.c: what works in the child of a fork, with a runtime and without, from
// task zero, from a task and from another thread; and that the parent does not notice.
#include "task/context.h"

// The allocator of gcc's AddressSanitizer knows nothing of fork(2): in the child it stays locked if
// another worker was just asking it for memory.
#define UNIT_WORKERS (WEFT__UNDER_ASAN ? "1" : "2")
#include "task_tools.h"

#include "in_child.h"

#include "base/compiler.h"

#include <stdio.h>

static struct tcp_pair pair;
static weft_addr where;
static int listener;

static int fork_begin(void **state) {
    case_begin(state);
    listener = listen_anywhere(&where);
    pair = tcp_pair_open();
    return 0;
}

static int fork_end(void **state) {
    tcp_pair_close(&pair);
    expect(weft_close(listener), 0);
    return case_end(state);
}

static int fork_begin_with_runtime(void **state) {
    fork_begin(state);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    return 0;
}

#define CASE_OF_FORK(fn) cmocka_unit_test_setup_teardown(fn, fork_begin, fork_end)
#define CASE_OF_FORK_IN_TASK(fn)                                                                   \
    cmocka_unit_test_setup_teardown(fn, fork_begin_with_runtime, fork_end)

// Runs `fn` in a child, which has to end well.
static void in_child(void (*fn)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(30 * (unsigned)test_slowness());
        fn();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// ---- What a child may do --------------------------------------------------------------------

static int echo_byte(int conn) {
    char byte;
    expect(weft_read(conn, &byte, 1), 1);
    return (int)weft_write(conn, &byte, 1) - 1;
}

static int no_error(void *arg) {
    (void)arg;
    return 0;
}

static weft_scope used_before;

// All of it: handles of the parent, new ones, tasks, scopes that the parent has in use.
static void live_as_usual(void) {
    char byte = 0;
    weft_scope scope = {0};
    expect(weft_go(&used_before, no_error, NULL), 0);
    expect(weft_join(&used_before), 0);
    int conn = opened(weft_tcp_connect_with(&where, NULL));
    int accepted = opened(weft_accept(listener));
    expect(weft_go(&scope, echo_byte, accepted), 0);
    expect(weft_write(conn, "x", 1), 1);
    expect(weft_read(conn, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    expect(weft_join(&scope), 0);
    expect(weft_close(accepted), 0);
    expect(weft_close(conn), 0);
    expect(weft_stop(INT64_MAX), 0);
}

static void read_and_write_what_is_shared(void) {
    char byte = 0;
    expect(weft_check(), 0);
    expect(weft_write(pair.client, "c", 1), 1);
    expect(weft_read(pair.server, &byte, 1), 1);
    assert_int_equal(byte, 'c');
    expect_waits(weft_read(pair.server, &byte, 1));
    expect(weft_sleep(1), 0);
    live_as_usual();
}

static void without_a_runtime_all_works_on(void **state) {
    (void)state;
    in_child(read_and_write_what_is_shared);
    expect_waits(weft_read(pair.server, &(char){0}, 1));
    in_child(live_as_usual);
}

// ---- With a runtime -------------------------------------------------------------------------

static void expect_orphan(void) {
    char byte;
    weft_addr addr;
    weft_scope scope = {0};
    expect(weft_check(), -ECHILD);
    expect_explained("weft_start");
    expect(weft_yield(), -ECHILD);
    expect(weft_sleep(1), -ECHILD);
    expect(weft_sleep(0), -ECHILD);
    expect(weft_stop(0), -ECHILD);
    expect(weft_go(&scope, no_error, NULL), -ECHILD);
    expect(weft_join(&scope), -ECHILD);
    expect(weft_read(pair.client, &byte, 1), -ECHILD);
    expect(weft_read_exact(pair.client, &byte, 1), -ECHILD);
    expect(weft_peek(pair.client, &byte, 1), -ECHILD);
    expect(weft_write(pair.client, &byte, 1), -ECHILD);
    expect(weft_write_all(pair.client, &byte, 1), -ECHILD);
    expect(weft_printf(pair.client, "x"), -ECHILD);
    expect(weft_ready(pair.client, WEFT_READ), -ECHILD);
    expect(weft_shutdown(pair.client, WEFT_WRITE), -ECHILD);
    expect(weft_local_addr(pair.client, &addr), -ECHILD);
    expect(weft_peer_addr(pair.client, &addr), -ECHILD);
    expect(weft_tcp_nodelay(pair.client, 1), -ECHILD);
    expect(weft_tcp_keepalive(pair.client, 1, 1, 1), -ECHILD);
    expect(weft_accept(listener), -ECHILD);
    expect(weft_tcp_connect("127.0.0.1:1"), -ECHILD);
    expect(weft_tcp_connect_with(&where, NULL), -ECHILD);
    expect(weft_tcp_listen("127.0.0.1:0"), -ECHILD);
    expect(weft_tcp_listen_with(&where, NULL), -ECHILD);
    expect(weft_udp_bind("127.0.0.1:0"), -ECHILD);
    expect(weft_udp_bind_with(&where, NULL), -ECHILD);
    expect(weft_udp_connect("127.0.0.1:1"), -ECHILD);
    expect(weft_resolve("127.0.0.1:1", &addr, 1), -ECHILD);
    weft_cancel(&scope);
    expect(weft_read(-EPIPE, &byte, 1), -EPIPE); // negative in, negative out, as ever
}

static void close_and_begin_afresh(void) {
    expect_orphan();
    expect(weft_close(pair.client), 0); // as the only one
    expect(weft_close(pair.client), -EBADF);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_check(), 0);
    live_as_usual();
    expect(weft_check(), 0); // a plain thread of a process without a runtime
    expect(weft_stop(0), -ENOENT);
}

static void with_a_runtime_every_call_but_close_is_refused_until_it_starts(void **state) {
    (void)state;
    in_child(close_and_begin_afresh);
    expect(weft_write(pair.client, "p", 1), 1); // ours is open
    expect(echo_byte(pair.server), 0);
    expect(echo_byte(pair.client), 0);
}

static int fork_in_task(void *arg) {
    char byte = 0;
    weft_autojoin weft_scope scope = {0};
    (void)arg;
    expect(weft_go(&scope, no_error, NULL), 0);
    {
        weft_within(WEFT_HOUR);
        in_child(close_and_begin_afresh);
        expect(weft_check(), 0);
    }
    expect(weft_write(pair.client, "t", 1), 1);
    expect(weft_read(pair.server, &byte, 1), 1);
    assert_int_equal(byte, 't');
    return 0;
}

static void a_task_of_any_worker_may_fork_too(void **state) {
    (void)state;
    for (int worker = 1; worker <= weft_worker_count(); worker++) {
        weft_task_options there = {.worker = worker};
        expect(weft_go_with(&used_before, fork_in_task, NULL, &there), 0);
        expect(weft_join(&used_before), 0);
    }
}

static int sleep_shortly(void *arg) {
    (void)arg;
    return weft_sleep(20 * WEFT_MILLISECOND);
}

static void the_tasks_of_the_parent_live_on_and_only_there(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        expect(weft_go(&used_before, sleep_shortly, NULL), 0);
    in_child(close_and_begin_afresh);
    expect(weft_join(&used_before), 0);
}

static void *fork_in_thread(void *arg) {
    (void)arg;
    (void)weft_now();
    in_child(close_and_begin_afresh);
    return NULL;
}

static void another_thread_may_fork_too(void **state) {
    (void)state;
    thread_join(thread_start(fork_in_thread, NULL));
}

static void *be_an_orphan(void *arg) {
    (void)arg;
    expect(weft_check(), -ECHILD);
    expect(weft_go(&(weft_scope){{0}}, no_error, NULL), -ECHILD);
    return NULL;
}

static void start_threads(void) {
    thread_join(thread_start(be_an_orphan, NULL));
    in_child(expect_orphan); // its child is no better off
    close_and_begin_afresh();
}

static void threads_and_children_of_the_child_are_refused_as_well(void **state) {
    (void)state;
    if (test_slowness() > 1)
        skip(); // TSan forbids threads in the child of a process that had several
    in_child(start_threads);
}

static void forks_before_any_handle(void *arg) {
    weft_scope scope = {0};
    (void)arg;
    expect(weft_go(&scope, sleep_shortly, NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        expect(weft_check(), -ECHILD);
        _exit(0);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0)
        abort();
}

static int first_of_all; // what the program did before anything else

static void it_is_noticed_also_when_no_handle_was_ever_opened(void **state) {
    (void)state;
    assert_int_equal(first_of_all, 0);
}

// ---- What the child must not run ------------------------------------------------------------

static int return_in_child(void *arg) {
    pid_t *child = arg;
    *child = fork();
    if (*child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = 0, .rlim_max = 0});
        (void)signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
    }
    return 0;
}

static void expect_aborted(pid_t child) {
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

// There is no scheduler in the child that the task could return to; that of the parent would run
// the parent's tasks a second time.
static void a_task_that_returns_in_the_child_ends_the_process(void **state) {
    (void)state;
    for (int worker = 1; worker <= weft_worker_count(); worker++) {
        weft_task_options there = {.worker = worker};
        pid_t child = -1;
        expect(weft_go(&used_before, sleep_shortly, NULL), 0);
        expect(weft_go_with(&used_before, return_in_child, &child, &there), 0);
        expect(weft_join(&used_before), 0);
        expect_aborted(child);
    }
}

static void a_blocking_call_that_returns_in_the_child_ends_the_process(void **state) {
    (void)state;
    pid_t child = -1;
    expect(weft_blocking(return_in_child, &child), 0);
    expect_aborted(child);
}

// ---- Other threads in the middle of something -----------------------------------------------

static atomic_bool is_over;

static void *use_all_the_time(void *arg) {
    weft_addr addr;
    (void)arg;
    while (!atomic_load(&is_over)) {
        int sock = udp_anywhere(&addr);
        expect(weft_close(sock), 0);
        expect(weft_peer_addr(pair.client, &addr), 0);
        weft_within(50 * WEFT_MICROSECOND);
        expect(weft_read(pair.client, &(char){0}, 1), -ETIMEDOUT);
    }
    return NULL;
}

// The list of free slots is whole: every handle is another one, and counted.
static void open_and_close_many(void) {
    static int handles[6000];
    size_t open = weft__handles_open();
    for (int i = 0; i < 6000; i++) {
        handles[i] = opened(weft__handle_open(-1, WEFT__KIND_STREAM, weft__handle_serial()));
        assert_int_equal(weft__handles_open(), open + (size_t)i + 1);
    }
    for (int i = 0; i < 6000; i++) {
        struct weft__handle *handle;
        assert_int_equal(weft__handle_close(weft__self(), handles[i], &handle), 0);
        weft__handle_free(handle);
    }
    assert_int_equal(weft__handles_open(), open);
}

static void use_what_they_used(void) {
    char byte;
    weft_addr addr;
    open_and_close_many();
    expect(weft_peer_addr(pair.client, &addr), 0);
    expect_waits(weft_read(pair.client, &byte, 1));
    for (int i = 0; i < 10; i++)
        expect(weft_close(udp_anywhere(&addr)), 0);
    expect(weft_close(pair.client), 0);
}

static void what_other_threads_were_doing_is_forgotten(void **state) {
    (void)state;
    pthread_t threads[2];
    atomic_store(&is_over, false);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(use_all_the_time, NULL);
    for (size_t i = 0; i < times(50); i++)
        in_child(use_what_they_used);
    atomic_store(&is_over, true);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
}

// ---- In the middle of a call of our own -----------------------------------------------------

static atomic_int handler_status;

static void fork_in_handler(int number) {
    (void)number;
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    (void)waitpid(child, &status, 0);
    atomic_store(&handler_status, status);
}

static void *interrupt_the_reader(void *arg) {
    await_that(weft__handle_waiting(pair.client, WEFT__SIDE_READ) == 1);
    assert_int_equal(pthread_kill(*(pthread_t *)arg, SIGUSR1), 0);
    await_that(atomic_load(&handler_status) != -1);
    expect(weft_write(pair.server, "s", 1), 1);
    return NULL;
}

// A reporter of crashes, for one, forks and then runs another program.
static void a_signal_handler_may_fork_while_its_thread_waits(void **state) {
    (void)state;
    char byte = 0;
    pthread_t self = pthread_self();
    atomic_store(&handler_status, -1);
    (void)signal(SIGUSR1, fork_in_handler);
    pthread_t thread = thread_start(interrupt_the_reader, &self);
    expect(weft_read(pair.client, &byte, 1), 1);
    assert_int_equal(byte, 's');
    thread_join(thread);
    assert_int_equal(atomic_load(&handler_status), 0);
    (void)signal(SIGUSR1, SIG_DFL);
}

int main(void) {
    if (test_under_valgrind()) { // in a child the C library's memory for the other threads looks
                                 // lost
        puts("fork: 0 tests under Valgrind: it takes the parent's threads for leaks of the child");
        return 77;
    }
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    first_of_all = signal_that_ends_child(forks_before_any_handle, NULL);
    const struct CMUnitTest cases[] = {
        CASE_OF_FORK(it_is_noticed_also_when_no_handle_was_ever_opened),
        CASE_OF_FORK(without_a_runtime_all_works_on),
        CASE_OF_FORK_IN_TASK(with_a_runtime_every_call_but_close_is_refused_until_it_starts),
        CASE_OF_FORK_IN_TASK(a_task_of_any_worker_may_fork_too),
        CASE_OF_FORK_IN_TASK(the_tasks_of_the_parent_live_on_and_only_there),
        CASE_OF_FORK_IN_TASK(another_thread_may_fork_too),
        CASE_OF_FORK_IN_TASK(threads_and_children_of_the_child_are_refused_as_well),
        CASE_OF_FORK_IN_TASK(a_task_that_returns_in_the_child_ends_the_process),
        CASE_OF_FORK_IN_TASK(a_blocking_call_that_returns_in_the_child_ends_the_process),
        CASE_OF_FORK(what_other_threads_were_doing_is_forgotten),
        CASE_OF_FORK(a_signal_handler_may_fork_while_its_thread_waits),
    };
    return RUN(cases);
}

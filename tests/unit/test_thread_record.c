// SPDX-License-Identifier: MIT
// Unit tests of task/thread.c: who is calling, the record of each thread, and what a thread must
// not leave behind when it ends. (test_thread.c is about the thread driver.)
#define UNIT_WORKERS "2"
#include "task_tools.h"

#include "in_child.h"
#include "task/thread.h"

static void *note_self(void *arg) {
    *(struct weft__waiter **)arg = weft__self();
    assert_ptr_equal(weft__self(), *(struct weft__waiter **)arg);
    assert_null(weft__this_worker());
    return NULL;
}

static void each_thread_has_a_record_and_the_next_one_takes_it_over(void **state) {
    (void)state;
    struct weft__waiter *first, *second;
    thread_join(thread_start(note_self, &first));
    assert_ptr_not_equal(first, weft__self());
    size_t living = weft__alloc_living();
    for (int i = 0; i < 100; i++) {
        thread_join(thread_start(note_self, &second));
        assert_ptr_equal(second, first);
    }
    assert_int_equal(weft__alloc_living(), living);
}

static void *fail_at_something(void *arg) {
    (void)arg;
    expect(weft_explain(NULL, 0), 0); // nothing of who had the record before
    expect(weft_moved(), 0);
    expect(weft_timed_out(), 0);
    assert_int_equal(weft__self()->deadline, INT64_MAX);
    weft_within(0);
    expect(weft_sleep(1), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    return NULL;
}

static void a_record_taken_over_remembers_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        thread_join(thread_start(fail_at_something, NULL));
}

static int note_task(void *arg) {
    struct weft__waiter *self = weft__self();
    assert_false(self->is_thread);
    assert_ptr_equal(weft__this_worker(), self->worker);
    expect(weft_yield(), 0);
    assert_ptr_equal(weft__self(), self);
    *(struct weft__waiter **)arg = self;
    return 0;
}

static void a_task_is_itself_and_task_zero_is_its_thread(void **state) {
    (void)state;
    struct weft__waiter *self = weft__self(), *task = NULL;
    weft_scope scope = {0};
    assert_true(self->is_thread);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    assert_ptr_equal(weft__self(), self);
    assert_non_null(self->worker);
    assert_ptr_equal(weft__this_worker(), self->worker);
    expect(weft_go(&scope, note_task, &task), 0);
    expect(weft_join(&scope), 0);
    assert_non_null(task);
    assert_ptr_not_equal(task, self);
    expect(weft_stop(0), 0);
    assert_ptr_equal(weft__self(), self);
    assert_null(self->worker);
    assert_null(weft__this_worker());
}

// ---- Want of memory -------------------------------------------------------------------------

static void *call_everything_without_memory(void *arg) {
    char byte;
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 1);
    weft_scope scope = {0};
    (void)arg;
    fault_every("alloc", 1, -ENOMEM);
    expect(weft_read(1 << 20, &byte, 1), -ENOMEM);
    expect(weft_write(1 << 20, &byte, 1), -ENOMEM);
    expect(weft_ready(1 << 20, WEFT_READ), -ENOMEM);
    expect(weft_read_exact(1 << 20, &byte, 1), -ENOMEM);
    expect(weft_write_all(1 << 20, &byte, 0), -ENOMEM);
    expect(weft_printf(1 << 20, "x"), -ENOMEM);
    expect(weft_close(1 << 20), -ENOMEM);
    expect(weft_abort(1 << 20), -ENOMEM);
    expect(weft_shutdown(1 << 20, WEFT_READ), -ENOMEM);
    expect(weft_accept(1 << 20), -ENOMEM);
    expect(weft_local_addr(1 << 20, &addr), -ENOMEM);
    expect(weft_tcp_nodelay(1 << 20, 1), -ENOMEM);
    expect(weft_tcp_connect("127.0.0.1:1"), -ENOMEM);
    expect(weft_tcp_connect_with(&addr, NULL), -ENOMEM);
    expect(weft_tcp_listen("127.0.0.1:1"), -ENOMEM);
    expect(weft_tcp_listen_with(&addr, NULL), -ENOMEM);
    expect(weft_udp_bind_with(&addr, NULL), -ENOMEM);
    expect(weft_resolve("127.0.0.1:1", &addr, 1), -ENOMEM);
    expect(weft_send_to(1 << 20, &byte, 1, &addr), -ENOMEM);
    expect(weft_recv_from(1 << 20, &byte, 1, &addr), -ENOMEM);
    expect(weft_sleep(1), -ENOMEM);
    expect(weft_yield(), -ENOMEM);
    expect(weft_check(), -ENOMEM);
    expect(weft_start(NULL), -ENOMEM);
    expect(weft_stop(0), -ENOMEM);
    expect(weft_go(&scope, note_task, NULL), -ENOMEM);
    expect(weft_join(&scope), -ENOMEM);
    expect(weft_read(-EPIPE, &byte, 1), -EPIPE);
    weft_cancel(&scope);
    assert_string_equal(weft_driver_name(), "thread");
    assert_true(weft_now() > 0);
    {
        weft_within(0);
        weft_shield(1);
        expect(weft_sleep(1), -ENOMEM);
    }
    expect(weft_explain(NULL, 0), 0);
    expect(weft_moved() + (size_t)weft_timed_out(), 0);
    fault_none();
    expect(weft_sleep(1), 0); // and now there is one
    return NULL;
}

static void a_thread_without_memory_for_a_record_is_told_so_by_every_call(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) // with a new record, then with one taken over
        thread_join(thread_start(call_everything_without_memory, NULL));
}

// ---- Ends -----------------------------------------------------------------------------------

static int no_error(void *arg) {
    (void)arg;
    return 0;
}

static int wait_for_ever(void *arg) {
    (void)arg;
    return weft_sleep(INT64_MAX);
}

static weft_scope left_open;

static void *leave_a_scope(void *arg) {
    (void)arg;
    expect(weft_go(&left_open, no_error, NULL), 0);
    return NULL;
}

static void leave_a_scope_in_a_thread(void *arg) {
    (void)arg;
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    pthread_t thread = thread_start(leave_a_scope, NULL);
    for (;;)
        (void)weft_sleep(WEFT_MILLISECOND);
    thread_join(thread);
}

static void *leave_tasks_alive(void *arg) {
    static weft_scope scope;
    (void)arg;
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_go(&scope, wait_for_ever, NULL), 0);
    return NULL;
}

static void leave_tasks_alive_in_a_thread(void *arg) {
    (void)arg;
    thread_join(thread_start(leave_tasks_alive, NULL));
}

static void a_thread_that_ends_with_an_open_scope_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(leave_a_scope_in_a_thread, NULL), SIGABRT);
}

static void a_thread_that_ends_as_task_zero_of_living_tasks_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(leave_tasks_alive_in_a_thread, NULL), SIGABRT);
}

static void *start_and_end(void *arg) {
    weft_scope scope = {0};
    (void)arg;
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_go(&scope, no_error, NULL), 0);
    expect(weft_join(&scope), 0);
    return NULL;
}

static void a_thread_that_ends_as_task_zero_of_none_stops_the_runtime(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        thread_join(thread_start(start_and_end, NULL));
        expect(weft_stop(0), -ENOENT);
    }
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(a_thread_without_memory_for_a_record_is_told_so_by_every_call),
        CASE(each_thread_has_a_record_and_the_next_one_takes_it_over),
        CASE(a_record_taken_over_remembers_nothing),
        CASE(a_task_is_itself_and_task_zero_is_its_thread),
        CASE(a_thread_that_ends_with_an_open_scope_ends_the_process),
        CASE(a_thread_that_ends_as_task_zero_of_living_tasks_ends_the_process),
        CASE(a_thread_that_ends_as_task_zero_of_none_stops_the_runtime),
    };
    return RUN(cases);
}

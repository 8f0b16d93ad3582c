// SPDX-License-Identifier: MIT
// Unit tests of os/look.c: what a thread can learn about another one, waiting or running, and when
// it asks nothing.
#include "task_tools.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/text.h"
#include "in_child.h"
#include "os/fault.h"
#include "os/look.h"

struct subject {
    WEFT__ATOMIC(uint32_t) id;
    WEFT__ATOMIC(int) is_over;
    bool has_stack, blocks_signal;
    pthread_t thread;
    uintptr_t top;
};

static volatile unsigned sink;

static __attribute__((noinline)) void spin_until_over(struct subject *subject) {
    weft__store(&subject->id, weft__os_thread_id(), release);
    while (!weft__load(&subject->is_over, relaxed))
        sink++;
    sink++;
}

static __attribute__((noinline)) void doze_until_over(struct subject *subject) {
    weft__store(&subject->id, weft__os_thread_id(), release);
    while (!weft__load(&subject->is_over, relaxed))
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    sink++;
}

static void *run_subject(void *arg, void (*fn)(struct subject *)) {
    struct subject *subject = arg;
    void *stack = NULL;
    sigset_t bus;
    sigemptyset(&bus);
    sigaddset(&bus, SIGBUS);
    if (subject->blocks_signal)
        pthread_sigmask(SIG_BLOCK, &bus, NULL);
    if (subject->has_stack)
        assert_int_equal(weft__fault_stack_give(&stack), 0);
    subject->top = (uintptr_t)__builtin_frame_address(0);
    fn(subject);
    weft__fault_stack_take(stack);
    return NULL;
}

static void *run_spinning(void *arg) {
    return run_subject(arg, spin_until_over);
}

static void *run_dozing(void *arg) {
    return run_subject(arg, doze_until_over);
}

static void begin(struct subject *subject, void *(*fn)(void *)) {
    subject->thread = thread_start(fn, subject);
    await_that(weft__load(&subject->id, acquire) != 0);
}

static void end(struct subject *subject) {
    weft__store(&subject->is_over, 1, relaxed);
    thread_join(subject->thread);
}

static const char *text_of(const uintptr_t *calls, size_t count) {
    static char buf[1024];
    struct weft__text text;
    weft__text_init(&text, buf, sizeof buf);
    weft__look_put_calls(&text, calls, count);
    return buf;
}

static bool describe_nothing(const void *addr, char *buf, size_t size) {
    (void)addr, (void)buf, (void)size;
    return false;
}

// ---- A thread that waits ----

static void a_waiting_thread_is_seen_where_it_waits(void **state) {
    (void)state;
    struct subject subject = {.has_stack = false};
    struct weft__look look;
    uintptr_t calls[16];
    if (test_under_valgrind())
        skip(); // it waits in Valgrind's own code
    begin(&subject, run_dozing);
    await_that((weft__look(weft__load(&subject.id, relaxed), &look), look.is_waiting));
    size_t count = weft__look_calls(look.pc, look.sp, subject.top, calls, 16);
    assert_in_range(count, 1, 16);
    assert_non_null(strstr(text_of(calls, 1), "nanosleep"));
#if defined(__x86_64__) || defined(__aarch64__)
    assert_non_null(strstr(text_of(calls, count), "doze_until_over+"));
#endif
    assert_int_equal(weft__look_calls(look.pc, look.sp, subject.top, calls, 1), 1);
    end(&subject);
}

static void a_stack_that_is_not_there_harms_nobody(void **state) {
    (void)state;
    uintptr_t calls[4];
    assert_int_equal(weft__look_calls((uintptr_t)begin, 4096, 8192, calls, 4), 1);
    assert_int_equal(calls[0], (uintptr_t)begin);
    assert_int_equal(weft__look_calls((uintptr_t)begin, 8192, 4096, calls, 4), 1);
}

static void a_running_thread_uses_processor_time(void **state) {
    (void)state;
    struct subject subject = {.has_stack = false};
    struct weft__look first, later;
    begin(&subject, run_spinning);
    weft__look(weft__load(&subject.id, relaxed), &first);
    if (first.ran_ns >= 0)
        await_that((weft__look(weft__load(&subject.id, relaxed), &later),
                    !later.is_waiting && later.ran_ns > first.ran_ns + 1000000));
    end(&subject);
}

static void of_no_thread_nothing_is_known(void **state) {
    (void)state;
    struct weft__look look;
    weft__look(UINT32_MAX, &look);
    assert_false(look.is_waiting);
    assert_int_equal(look.ran_ns, -1);
}

// ---- A thread that runs ----

static size_t ask(struct subject *subject, uintptr_t *calls, size_t capacity) {
    return weft__look_calls_running(weft__load(&subject->id, relaxed), calls, capacity);
}

static void a_running_thread_is_asked(void **state) {
    (void)state;
    struct subject subject = {.has_stack = true};
    uintptr_t calls[16];
    if (WEFT__UNDER_ASAN || test_slowness() > 1)
        skip();
    weft__fault_watch(describe_nothing);
    begin(&subject, run_spinning);
    for (int i = 0; i < 20; i++) {
        size_t count;
        await_that((count = ask(&subject, calls, 16)) > 0); // on a busy machine it may take long
        assert_non_null(strstr(text_of(calls, 1), "spin_until_over+"));
        assert_non_null(strstr(text_of(calls, count), "run_subject"));
        assert_int_equal(ask(&subject, calls, 1) <= 1, 1);
    }
    end(&subject);
    weft__fault_unwatch();
}

static void nobody_is_asked_unless_the_handler_is_ours(void **state) {
    (void)state;
    struct subject subject = {.has_stack = true};
    uintptr_t calls[16];
    begin(&subject, run_spinning);
    assert_int_equal(ask(&subject, calls, 16), 0);
    end(&subject);
}

static void one_that_blocks_the_signal_is_not_asked(void **state) {
    (void)state;
    struct subject subject = {.has_stack = true, .blocks_signal = true};
    uintptr_t calls[16];
    weft__fault_watch(describe_nothing);
    begin(&subject, run_spinning);
    assert_int_equal(ask(&subject, calls, 16), 0);
    end(&subject);
    weft__fault_unwatch();
}

static void without_a_stack_for_handlers_the_answer_is_empty(void **state) {
    (void)state;
    struct subject subject = {.has_stack = false};
    uintptr_t calls[16];
    if (WEFT__UNDER_ASAN)
        skip(); // it gives every thread one
    weft__fault_watch(describe_nothing);
    begin(&subject, run_spinning);
    assert_int_equal(ask(&subject, calls, 16), 0);
    end(&subject);
    weft__fault_unwatch();
}

static void bus_error_from_elsewhere(void *arg) {
    (void)arg;
    (void)signal(SIGBUS, SIG_DFL);
    weft__fault_watch(describe_nothing);
    (void)kill(getpid(), SIGBUS);
}

static void a_signal_that_is_no_question_still_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(signal_that_ends_child(bus_error_from_elsewhere, NULL), SIGBUS);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(a_waiting_thread_is_seen_where_it_waits),
        CASE(a_stack_that_is_not_there_harms_nobody),
        CASE(a_running_thread_uses_processor_time),
        CASE(of_no_thread_nothing_is_known),
        CASE(a_running_thread_is_asked),
        CASE(nobody_is_asked_unless_the_handler_is_ours),
        CASE(one_that_blocks_the_signal_is_not_asked),
        CASE(without_a_stack_for_handlers_the_answer_is_empty),
        CASE(a_signal_that_is_no_question_still_ends_the_process),
    };
    return RUN(cases);
}

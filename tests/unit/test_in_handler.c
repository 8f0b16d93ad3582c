// SPDX-License-Identifier: MIT
// Calls in signal handlers, where none may be made: where that could do harm, the process ends and
// says why.
#include "task_tools.h"

#include <signal.h>
#include <sys/wait.h>

#include "in_child.h"

static void sleep_in_handler(int number) {
    (void)number;
    (void)weft_sleep(WEFT_MILLISECOND);
}

static void handle(int flags) {
    struct sigaction action = {.sa_handler = sleep_in_handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    expect(sigaction(SIGUSR1, &action, NULL), 0);
}

static void expect_end(void (*fn)(void), const char *said) {
    char text[1024];
    int status = status_of_child(fn, text, sizeof text);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !strstr(text, said))
        fail_msg("status %#x, and: %s", (unsigned)status, text);
}

// ---- On an alternate stack, from where a task cannot be left --------------------------------

static int raise_it(void *unused) {
    (void)unused;
    (void)raise(SIGUSR1);
    return 0;
}

static void wait_on_another_stack(void) {
    static char memory[64 * 1024];
    weft_scope scope = {0};
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    expect(sigaltstack(&stack, NULL), 0);
    handle(SA_ONSTACK);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_go(&scope, raise_it, NULL), 0);
    (void)weft_join(&scope);
}

static void waiting_on_a_stack_that_is_not_the_tasks(void **state) {
    (void)state;
    expect_end(wait_on_another_stack, "on a stack that is not the task's");
}

// ---- While the worker has no task -----------------------------------------------------------

static int sleep_long(void *unused) {
    (void)unused;
    return weft_sleep(WEFT_HOUR);
}

static pthread_t disturbed;

static void *disturb_worker(void *arg) {
    const struct weft__worker *worker = arg;
    await_that(weft__load(&worker->sleeping, acquire) == WEFT__ASLEEP);
    (void)pthread_kill(disturbed, SIGUSR1);
    return NULL;
}

static void call_between_tasks(void) {
    weft_scope scope = {0};
    disturbed = pthread_self();
    handle(0);
    expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    expect(weft_go(&scope, sleep_long, NULL), 0);
    (void)thread_start(disturb_worker, weft__runtime_now()->workers[0]);
    (void)weft_join(&scope);
}

static void calling_while_the_worker_has_no_task(void **state) {
    (void)state;
    expect_end(call_between_tasks, "in a signal handler");
}

// ---- In a plain thread that waits -----------------------------------------------------------

static void *disturb_thread(void *arg) {
    await_that(weft__is_parked(arg));
    (void)pthread_kill(disturbed, SIGUSR1);
    return NULL;
}

static void call_while_waiting(void) {
    disturbed = pthread_self();
    handle(0);
    (void)thread_start(disturb_thread, weft__self());
    (void)weft_sleep(WEFT_HOUR);
}

static void waiting_while_the_thread_waits(void **state) {
    (void)state;
    expect_end(call_while_waiting, "in a signal handler, while another one waits");
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(waiting_on_a_stack_that_is_not_the_tasks),
        CASE(calling_while_the_worker_has_no_task),
        CASE(waiting_while_the_thread_waits),
    };
    return RUN(cases);
}

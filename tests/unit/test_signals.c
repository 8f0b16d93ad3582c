// SPDX-License-Identifier: MIT
// Unit tests of os/signals.c, task/signals.c and io/signal.c: who gets a signal, what becomes of
// one that nobody waits for, and to whom the dispositions belong when.
#define UNIT_WORKERS "2"
#include "task_tools.h"

#include <signal.h>
#include <sys/wait.h>

#include "os/signals.h"

static const int usr1[] = {SIGUSR1}, usr2[] = {SIGUSR2}, both[] = {SIGUSR1, SIGUSR2};

static void send(int number) {
    expect(kill(getpid(), number), 0);
}

static bool is_held(int number) {
    struct sigaction now;
    expect(sigaction(number, NULL, &now), 0);
    return now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN;
}

struct waiter {
    const int *signals;
    int count;
    struct flag over;
    int result;
};

static int wait_in_task(void *arg) {
    struct waiter *waiter = arg;
    waiter->result = weft_signal_wait(waiter->signals, waiter->count);
    flag_raise(&waiter->over);
    return 0;
}

static void *wait_in_thread(void *arg) {
    wait_in_task(arg);
    return NULL;
}

// Valgrind 3.19 goes on using an alternate stack for handlers that weft_stop has taken away.
#define needs_sigaltstack()                                                                        \
    do {                                                                                           \
        if (test_under_valgrind())                                                                 \
            skip();                                                                                \
    } while (0)

// ---- Who gets it ----

static void a_task_gets_the_signal_it_waits_for(void **state) {
    (void)state;
    struct waiter waiter = {.signals = both, .count = 2};
    weft_scope scope = {0};
    expect(weft_go(&scope, wait_in_task, &waiter), 0);
    await_parked_tasks(1);
    send(SIGUSR2);
    expect(weft_join(&scope), 0);
    expect(waiter.result, SIGUSR2);
}

static void task_zero_and_a_plain_thread_get_it_too(void **state) {
    (void)state;
    struct waiter waiter = {.signals = usr1, .count = 1};
    expect(weft_signal_hold(usr1, 1), 0);
    send(SIGUSR1);
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
    pthread_t thread = thread_start(wait_in_thread, &waiter);
    while (flag_value(&waiter.over) == 0) {
        send(SIGUSR1);
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    }
    thread_join(thread);
    expect(waiter.result, SIGUSR1);
}

static void without_a_runtime_it_works_as_well(void **state) {
    (void)state;
    needs_sigaltstack();
    expect(weft_signal_hold(usr1, 1), 0);
    send(SIGUSR1);
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
    weft_within(check_patience_ns());
    expect(weft_signal_wait(usr1, 1), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
}

static void all_who_wait_for_it_get_it(void **state) {
    (void)state;
    enum { WAITERS = 5 };
    struct waiter waiters[WAITERS], other = {.signals = usr2, .count = 1};
    weft_scope scope = {0};
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){.signals = i % 2 ? usr1 : both, .count = i % 2 ? 1 : 2};
        expect(weft_go(&scope, wait_in_task, &waiters[i]), 0);
    }
    expect(weft_go(&scope, wait_in_task, &other), 0);
    await_parked_tasks(WAITERS + 1);
    send(SIGUSR1);
    for (int i = 0; i < WAITERS; i++) {
        await_flag(&waiters[i].over, 1);
        expect(waiters[i].result, SIGUSR1);
    }
    expect(flag_value(&other.over), 0);
    send(SIGUSR2);
    expect(weft_join(&scope), 0);
    expect(other.result, SIGUSR2);
}

static void what_comes_between_two_waits_is_kept_once(void **state) {
    (void)state;
    expect(weft_signal_hold(both, 2), 0);
    for (int i = 0; i < 3; i++)
        send(SIGUSR1);
    send(SIGUSR2);
    expect(weft_signal_wait(usr2, 1), SIGUSR2);
    expect(weft_signal_wait(both, 2), SIGUSR1);
    expect_waits(weft_signal_wait(both, 2));
}

static void it_is_seen_whoever_blocks_it(void **state) {
    (void)state;
    struct waiter waiter = {.signals = usr1, .count = 1};
    sigset_t blocked;
    weft_scope scope = {0};
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    expect(pthread_sigmask(SIG_BLOCK, &blocked, NULL), 0); // and weft's threads do anyway
    send(SIGUSR1);                                         // before anybody waits
    expect(weft_go(&scope, wait_in_task, &waiter), 0);
    expect(weft_join(&scope), 0);
    expect(waiter.result, SIGUSR1);
    send(SIGUSR1);
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
    expect(weft_stop(0), 0);
    expect(pthread_sigmask(SIG_UNBLOCK, &blocked, NULL), 0);
}

// ---- Who does not ----

static void a_cancelled_one_leaves_the_signal_to_others(void **state) {
    (void)state;
    struct waiter waiter = {.signals = usr1, .count = 1};
    weft_scope scope = {0};
    expect(weft_go(&scope, wait_in_task, &waiter), 0);
    await_parked_tasks(1);
    weft_cancel(&scope);
    expect(weft_join(&scope), 0);
    expect(waiter.result, -ECANCELED);
    send(SIGUSR1);
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
}

static void on_entry_a_deadline_goes_before_a_signal(void **state) {
    (void)state;
    expect(weft_signal_hold(usr1, 1), 0);
    send(SIGUSR1);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    {
        weft_within(0);
        expect(weft_signal_wait(usr1, 1), -ETIMEDOUT);
    }
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
}

static void what_is_no_signal_is_einval(void **state) {
    (void)state;
    static const int wrong[] = {0,      -1,     65,      SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,
                                SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS,  32,      33};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const int set[] = {SIGUSR1, wrong[i]};
        expect(weft_signal_wait(set, 2), -EINVAL);
        expect_explained("signal_wait: invalid argument (no signal");
        expect(weft_signal_hold(set, 2), -EINVAL);
    }
    expect(weft_signal_wait(NULL, 1), -EINVAL);
    expect(weft_signal_wait(usr1, 0), -EINVAL);
    expect(weft_signal_wait(usr1, -1), -EINVAL);
    expect_that(!is_held(SIGUSR1));
}

static void the_simulator_has_none(void **state) {
    (void)state;
    expect(weft_signal_wait(usr1, 1), -ENOTSUP);
    expect(weft_signal_hold(usr1, 1), -ENOTSUP);
    expect_that(!is_held(SIGUSR1));
}

static void without_a_thread_it_is_eagain(void **state) {
    (void)state;
    fault_nth("thread", 1, -EAGAIN);
    expect(weft_signal_wait(usr1, 1), -EAGAIN);
    expect_explained("ulimit -u");
    fault_none();
    expect_that(!is_held(SIGUSR1));
}

// ---- Dispositions ----

static struct flag handled;

static void handler_of_the_program(int number) {
    (void)number;
    flag_raise(&handled);
}

static void a_stop_gives_the_handlers_back(void **state) {
    (void)state;
    expect(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler_of_the_program}, NULL), 0);
    atomic_store(&handled.value, 0);
    expect(weft_signal_hold(both, 2), 0);
    send(SIGUSR1);
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
    expect(flag_value(&handled), 0);
    expect(weft_stop(0), 0);
    send(SIGUSR1);
    await_flag(&handled, 1);
    expect_that(!is_held(SIGUSR2));
    expect(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = SIG_DFL}, NULL), 0);
}

struct stubborn {
    struct flag begun, end;
};

static int hear_nothing(void *arg) {
    struct stubborn *stubborn = arg;
    weft_shield(WEFT_HOUR);
    flag_raise(&stubborn->begun);
    await_flag(&stubborn->end, 1);
    return 0;
}

// Else a second Ctrl-C could not end a program whose stop hangs.
static void a_stop_that_fails_has_given_them_back(void **state) {
    (void)state;
    struct stubborn stubborn = {.begun = {0}};
    struct waiter waiter = {.signals = usr2, .count = 1};
    weft_scope scope = {0};
    expect(weft_go(&scope, hear_nothing, &stubborn), 0);
    expect(weft_go(&scope, wait_in_task, &waiter), 0);
    expect(weft_signal_hold(usr1, 1), 0);
    await_flag(&stubborn.begun, 1);
    await_parked_tasks(2);
    expect(weft_stop(20 * WEFT_MILLISECOND), -ETIMEDOUT);
    await_flag(&waiter.over, 1);
    expect(waiter.result, -ECANCELED);
    expect_that(!is_held(SIGUSR1));
    expect_that(!is_held(SIGUSR2));
    flag_raise(&stubborn.end);
    expect(weft_stop(INT64_MAX), 0);
}

static void what_a_plain_thread_waits_for_survives_a_stop(void **state) {
    (void)state;
    struct waiter waiter = {.signals = usr1, .count = 1};
    needs_sigaltstack();
    expect(weft_signal_hold(usr2, 1), 0);
    pthread_t thread = thread_start(wait_in_thread, &waiter);
    await_that(is_held(SIGUSR1));
    expect(weft_stop(0), 0);
    expect_that(!is_held(SIGUSR2));
    expect_that(is_held(SIGUSR1));
    send(SIGUSR1);
    thread_join(thread);
    expect(waiter.result, SIGUSR1);
}

static void a_program_may_take_one_back(void **state) {
    (void)state;
    expect(weft_signal_hold(usr1, 1), 0);
    expect(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler_of_the_program}, NULL), 0);
    atomic_store(&handled.value, 0);
    send(SIGUSR1);
    await_flag(&handled, 1);
    expect(weft_signal_hold(usr1, 1), 0); // and we, ours
    send(SIGUSR1);
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
    await_flag(&handled, 1);
    expect(weft_stop(0), 0);
    send(SIGUSR1);
    await_flag(&handled, 2);
    expect(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = SIG_DFL}, NULL), 0);
}

// ---- Forks ----

static int status_of(pid_t child) {
    int status = -1;
    expect(waitpid(child, &status, 0), child);
    return status;
}

static void a_child_has_its_dispositions_and_its_own_waits(void **state) {
    (void)state;
    needs_sigaltstack();
    expect(weft_signal_hold(usr1, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        if (is_held(SIGUSR1) || weft_signal_hold(usr2, 1) != 0)
            _exit(1);
        send(SIGUSR2);
        if (weft_signal_wait(usr2, 1) != SIGUSR2)
            _exit(2);
        send(SIGUSR1); // nobody holds it here: it ends the process
        pause();
    }
    expect(WTERMSIG(status_of(child)), SIGUSR1);
    send(SIGUSR1);
    expect(weft_signal_wait(usr1, 1), SIGUSR1);
}

static void a_child_of_a_runtime_waits_for_nothing(void **state) {
    (void)state;
    expect(weft_yield(), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(weft_signal_wait(usr1, 1) == -ECHILD && weft_signal_hold(usr1, 1) == -ECHILD ? 0 : 1);
    expect(status_of(child), 0);
}

// ---- All at once ----

static int wait_under_deadlines(void *arg) {
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < 30; i++) {
        seed = seed * 1664525 + 1013904223;
        weft_within((seed >> 16) % 500 * WEFT_MICROSECOND);
        int result = weft_signal_wait(both, 1 + (int)(seed >> 8 & 1));
        if (result != SIGUSR1 && result != SIGUSR2 && result != -ETIMEDOUT)
            fail_msg("weft_signal_wait: %d", result);
    }
    return 0;
}

static void a_storm_of_signals_leaves_nothing(void **state) {
    (void)state;
    (void)signal(SIGUSR1, SIG_IGN); // where a tool holds one back, it may come after the stop
    (void)signal(SIGUSR2, SIG_IGN);
    for (size_t round = 0; round < times(10); round++) {
        weft_scope scope = {0};
        expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
        expect(weft_signal_hold(both, 2), 0);
        for (uintptr_t i = 1; i <= 10; i++)
            expect(weft_go(&scope, wait_under_deadlines, (void *)(i + 100 * round)), 0);
        for (int i = 0; i < 200; i++) {
            send(i % 3 ? SIGUSR1 : SIGUSR2);
            expect(weft_yield(), 0);
        }
        expect(weft_join(&scope), 0);
        expect(weft_stop(INT64_MAX), 0);
        expect_that(!is_held(SIGUSR1) && !is_held(SIGUSR2));
    }
}

// A case without a runtime gives back what it has held through the next one.
static int case_end_with_signals(void **state) {
    if (!weft__runtime_now())
        expect(weft_start(&(weft_options){.driver = "epoll"}), 0);
    return case_end(state);
}

#define CASE_PLAIN(fn) cmocka_unit_test_setup_teardown(fn, case_begin, case_end_with_signals)

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_IN_TASK(a_task_gets_the_signal_it_waits_for),
        CASE_IN_TASK(task_zero_and_a_plain_thread_get_it_too),
        CASE_PLAIN(without_a_runtime_it_works_as_well),
        CASE_IN_TASK(all_who_wait_for_it_get_it),
        CASE_IN_TASK(what_comes_between_two_waits_is_kept_once),
        CASE_IN_TASK(it_is_seen_whoever_blocks_it),
        CASE_IN_TASK(a_cancelled_one_leaves_the_signal_to_others),
        CASE_IN_TASK(on_entry_a_deadline_goes_before_a_signal),
        CASE_PLAIN(what_is_no_signal_is_einval),
        CASE_ON_SIM(the_simulator_has_none),
        CASE_IN_TASK(without_a_thread_it_is_eagain),
        CASE_IN_TASK(a_stop_gives_the_handlers_back),
        CASE_IN_TASK(a_stop_that_fails_has_given_them_back),
        CASE_IN_TASK(what_a_plain_thread_waits_for_survives_a_stop),
        CASE_IN_TASK(a_program_may_take_one_back),
        CASE_PLAIN(a_child_has_its_dispositions_and_its_own_waits),
        CASE_IN_TASK(a_child_of_a_runtime_waits_for_nothing),
        CASE(a_storm_of_signals_leaves_nothing),
    };
    return RUN(cases);
}

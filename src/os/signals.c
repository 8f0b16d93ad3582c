// SPDX-License-Identifier: MIT
//
// The handler and the dispositions. The handler does what a handler may: it writes two atomic words
// and makes a system call.
#include "os/signals.h"

#include "base/compiler.h"
#include "os/os.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { SIGNALS_MAX = 64, RESERVED_FIRST = 32, RESERVED_LAST = 33 }; // reserved: the C library's own

static const int64_t TSAN_LOOK_NS = 100000000;

static struct sigaction before[SIGNALS_MAX + 1];
static WEFT__ATOMIC(uint64_t) caught;
static WEFT__ATOMIC(uint32_t) word; // a futex: changes with each signal and each poke

bool weft__signal_is_awaitable(int number) {
    static const int others[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                                 SIGILL,  SIGTRAP, SIGABRT, SIGSYS};
    if (number < 1 || number > SIGNALS_MAX || (number >= RESERVED_FIRST && number <= RESERVED_LAST))
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (number == others[i])
            return false;
    return true;
}

static void on_signal(int number) {
    int saved_errno = errno;
    weft__fetch_or(&caught, weft__signal_bit(number), relaxed);
    weft__signals_poke();
    errno = saved_errno;
}

static bool is_ours(const struct sigaction *action) {
    return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == on_signal;
}

// ThreadSanitizer notes a signal in the context that it meets, and runs the handler when that one
// next makes a call that it knows. A task that ends first takes the signal along, and a futex that
// the kernel goes on with is no such call. So there a thread that holds signals leaves them to our
// own, until it gives them back, and ours looks up now and then.
static WEFT__THREAD_LOCAL uint64_t left;

static void fill(sigset_t *ret_signals, uint64_t set) {
    sigemptyset(ret_signals);
    for (int number = 1; number <= SIGNALS_MAX; number++)
        if (set & weft__signal_bit(number))
            sigaddset(ret_signals, number);
}

static void leave_to_our_thread(uint64_t set) {
    sigset_t closed, before_us;
    fill(&closed, set);
    (void)pthread_sigmask(SIG_BLOCK, &closed, &before_us);
    for (int number = 1; number <= SIGNALS_MAX; number++)
        if (set & weft__signal_bit(number) && !sigismember(&before_us, number))
            left |= weft__signal_bit(number);
}

static void leave_no_longer(uint64_t set) {
    sigset_t open;
    fill(&open, left & set);
    left &= ~set;
    (void)pthread_sigmask(SIG_UNBLOCK, &open, NULL);
}

// What was sent to this thread alone, by raise(3), nobody else can take.
static uint64_t take_left(void) {
    uint64_t set = 0;
    sigset_t closed;
    int number;
    fill(&closed, left);
    while (left && (number = sigtimedwait(&closed, NULL, &(struct timespec){0})) > 0)
        set |= weft__signal_bit(number);
    return set;
}

// Neither call fails for a signal that can be waited for. What was there is remembered first, for a
// fork(2) that comes in between.
void weft__signals_hold(uint64_t set) {
    struct sigaction found, ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&ours.sa_mask);
    for (int number = 1; number <= SIGNALS_MAX; number++) {
        if (!(set & weft__signal_bit(number)) || sigaction(number, NULL, &found) != 0 ||
            is_ours(&found))
            continue;
        before[number] = found;
        (void)sigaction(number, &ours, NULL);
    }
    if (WEFT__UNDER_TSAN)
        leave_to_our_thread(set);
}

void weft__signals_release(uint64_t set) {
    struct sigaction now;
    for (int number = 1; number <= SIGNALS_MAX; number++)
        if (set & weft__signal_bit(number) && sigaction(number, NULL, &now) == 0 && is_ours(&now))
            (void)sigaction(number, &before[number], NULL);
    if (WEFT__UNDER_TSAN)
        leave_no_longer(set);
}

uint64_t weft__signals_take(void) {
    uint64_t raised = WEFT__UNDER_TSAN ? take_left() : 0;
    return weft__exchange(&caught, 0, acquire) | raised;
}

uint32_t weft__signals_mark(void) {
    return weft__load(&word, acquire);
}

void weft__signals_sleep(uint32_t mark) {
    weft__futex_wait(&word, mark,
                     WEFT__UNDER_TSAN ? weft__clock_monotonic_ns() + TSAN_LOOK_NS : INT64_MAX);
}

void weft__signals_poke(void) {
    weft__fetch_add(&word, 1, release);
    weft__futex_wake(&word, 1);
}

void weft__signals_unblock(uint64_t set) {
    sigset_t open, closed;
    fill(&open, set);
    sigemptyset(&closed);
    for (int number = 1; number <= SIGNALS_MAX; number++)
        if (weft__signal_is_awaitable(number) && !(set & weft__signal_bit(number)))
            sigaddset(&closed, number);
    (void)pthread_sigmask(SIG_BLOCK, &closed, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &open, NULL);
}

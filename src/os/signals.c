// SPDX-License-Identifier: MIT
//
// The handler and the dispositions. The handler does what a handler may: it writes two atomic words
// and makes a system call.
#include "os/signals.h"

#include "os/os.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { SIGNALS_MAX = 64, RESERVED_FIRST = 32, RESERVED_LAST = 33 }; // reserved: the C library's own

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
}

void weft__signals_release(uint64_t set) {
    struct sigaction now;
    for (int number = 1; number <= SIGNALS_MAX; number++)
        if (set & weft__signal_bit(number) && sigaction(number, NULL, &now) == 0 && is_ours(&now))
            (void)sigaction(number, &before[number], NULL);
}

uint64_t weft__signals_take(void) {
    return weft__exchange(&caught, 0, acquire);
}

uint32_t weft__signals_mark(void) {
    return weft__load(&word, acquire);
}

void weft__signals_sleep(uint32_t mark) {
    weft__futex_wait(&word, mark, INT64_MAX);
}

void weft__signals_poke(void) {
    weft__fetch_add(&word, 1, release);
    weft__futex_wake(&word, 1);
}

void weft__signals_unblock(uint64_t set) {
    sigset_t open, closed;
    sigemptyset(&open);
    sigemptyset(&closed);
    for (int number = 1; number <= SIGNALS_MAX; number++)
        if (weft__signal_is_awaitable(number))
            sigaddset(set & weft__signal_bit(number) ? &open : &closed, number);
    (void)pthread_sigmask(SIG_BLOCK, &closed, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &open, NULL);
}

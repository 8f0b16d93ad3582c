// SPDX-License-Identifier: MIT
//
// The handler of SIGSEGV and SIGBUS. It is chained: what it does not know goes to the handler that
// was there before, or, if there was none, to the default action, by restoring that and letting the
// instruction fault again. A signal that somebody sent (kill(2), raise(3)) has no instruction that
// would, nor an address: nobody is asked about it, and it is sent once more. Unless we have sent
// it: os/look.c.
#include "os/fault.h"

#include "os/look.h"
#include "os/pages.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024, TEXT_SIZE = 512, SIGNAL_COUNT = 2 };

static const int signals[SIGNAL_COUNT] = {SIGSEGV, SIGBUS};

// Of the process: there is one runtime at a time, and it is the only one to watch.
static struct {
    weft__fault_describe *describe; // NULL: not watching
    struct sigaction before[SIGNAL_COUNT];
    bool is_below[SIGNAL_COUNT]; // a handler stood above ours at the last unwatch
} watch;

static const struct sigaction *before(int number) {
    return &watch.before[number == signals[0] ? 0 : 1];
}

static bool is_sent(const siginfo_t *info) {
    return info->si_code <= 0; // sigaction(2): what the kernel finds itself is above
}

bool weft__signal_is_handled(const struct sigaction *action) {
    return action->sa_flags & SA_SIGINFO ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

bool weft__signal_pass_on(const struct sigaction *next, int number, siginfo_t *info,
                          void *context) {
    if (!weft__signal_is_handled(next))
        return false;
    if (next->sa_flags & SA_SIGINFO)
        next->sa_sigaction(number, info, context);
    else
        next->sa_handler(number);
    return true;
}

static void pass_on(int number, siginfo_t *info, void *context) {
    const struct sigaction *next = before(number);
    if (weft__signal_pass_on(next, number, info, context))
        return;
    (void)sigaction(number, next, NULL); // returning faults again, with that action
    if (is_sent(info))
        (void)raise(number); // blocked until the handler returns
}

static void on_fault(int number, siginfo_t *info, void *context) {
    char text[TEXT_SIZE];
    int saved_errno = errno;
    if (is_sent(info) && weft__look_answer(info, context)) {
        errno = saved_errno;
        return;
    }
    if (!is_sent(info) && watch.describe(info->si_addr, text, sizeof text)) {
        ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
        (void)ignored; // there is nobody left to tell
    }
    errno = saved_errno;
    pass_on(number, info, context);
}

int weft__fault_stack_give(void **ret_stack) {
    stack_t now, stack;
    *ret_stack = NULL;
    if (sigaltstack(NULL, &now) < 0)
        return -errno;
    if (!(now.ss_flags & SS_DISABLE))
        return 0;
    int error = weft__pages_reserve(STACK_SIZE, ret_stack);
    if (error < 0)
        return error;
    stack = (stack_t){.ss_sp = *ret_stack, .ss_size = STACK_SIZE};
    if (sigaltstack(&stack, NULL) == 0)
        return 0;
    error = -errno;
    weft__pages_release(*ret_stack, STACK_SIZE);
    *ret_stack = NULL;
    return error;
}

// The program may have given the thread another one meanwhile.
void weft__fault_stack_take(void *stack) {
    stack_t now, none = {.ss_flags = SS_DISABLE};
    if (!stack)
        return;
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == stack)
        (void)sigaltstack(&none, NULL);
    weft__pages_release(stack, STACK_SIZE);
}

// Neither call of sigaction fails for these. In the child of a fork ours is there already, and must
// not be chained to itself. Nor to one that stands above ours since an earlier watch, and probably
// calls it.
void weft__fault_watch(weft__fault_describe *describe) {
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    watch.describe = describe;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        struct sigaction found;
        (void)sigaction(signals[i], NULL, &found);
        if (found.sa_sigaction == on_fault ||
            (watch.is_below[i] && weft__signal_is_handled(&found)))
            continue;
        watch.before[i] = found;
        (void)sigaction(signals[i], &action, NULL);
    }
}

bool weft__fault_is_watched(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_sigaction == on_fault;
}

void weft__fault_unwatch(void) {
    struct sigaction now;
    if (!watch.describe)
        return;
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        (void)sigaction(signals[i], NULL, &now);
        watch.is_below[i] = now.sa_sigaction != on_fault;
        if (!watch.is_below[i])
            (void)sigaction(signals[i], &watch.before[i], NULL);
    }
}

// SPDX-License-Identifier: MIT
//
// The handler of SIGQUIT.
#include "os/quit.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "os/fault.h"
#include "os/os.h"

#include <errno.h>
#include <signal.h>

static struct {
    WEFT__ATOMIC(uint32_t) is_on;
    void (*asked)(void);
    struct sigaction before;
    bool is_below; // a handler stood above ours at the last unwatch (os/fault.c)
} watch;

static void on_quit(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    if (weft__load(&watch.is_on, relaxed))
        watch.asked();
    errno = saved_errno;
    (void)weft__signal_pass_on(&watch.before, number, info, context);
}

// Unless somebody has replaced it since.
static void put_back(void) {
    struct sigaction now;
    (void)sigaction(SIGQUIT, NULL, &now); // cannot fail for this one
    watch.is_below = now.sa_sigaction != on_quit;
    if (!watch.is_below)
        (void)sigaction(SIGQUIT, &watch.before, NULL);
}

// Who would do something about it is not there in the child, so there the signal is what it was.
static void forked(void) {
    if (weft__exchange(&watch.is_on, 0, relaxed))
        put_back();
}

int weft__quit_watch(void (*asked)(void)) {
    struct sigaction found,
        action = {.sa_sigaction = on_quit, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    int error = weft__os_at_fork_child(forked);
    if (error < 0)
        return error;
    watch.asked = asked;
    (void)sigaction(SIGQUIT, NULL, &found);
    if (!watch.is_below || !weft__signal_is_handled(&found)) {
        watch.before = found;
        (void)sigaction(SIGQUIT, &action, NULL);
    }
    weft__store(&watch.is_on, 1, release);
    return 0;
}

void weft__quit_unwatch(void) {
    weft__store(&watch.is_on, 0, relaxed);
    put_back();
}

void weft__quit_unblock(void) {
    sigset_t quit;
    sigemptyset(&quit);
    sigaddset(&quit, SIGQUIT);
    ASSERT(pthread_sigmask(SIG_UNBLOCK, &quit, NULL) == 0);
}

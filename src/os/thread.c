// SPDX-License-Identifier: MIT
//
// Operating-system threads: made with all asynchronous signals blocked, so that the program's own
// threads receive its signals. Not for tasks, and no locks or waits (os/lock.h, the futex).
#include "os/os.h"

#include "base/assert.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct launch { // from create to the first line of the thread, which frees it
    void (*fn)(void *);
    void *arg;
    char name[16]; // prctl(2): 15 bytes and a NUL
};

_Static_assert(sizeof(pthread_t) <= sizeof(uint64_t), "a thread is named by one word");

static void *run(void *arg) {
    struct launch launch = *(struct launch *)arg;
    weft__free(arg);
    (void)prctl(PR_SET_NAME, launch.name); // a name is decoration: a refusal changes nothing
    launch.fn(launch.arg);
    return NULL;
}

// Every signal but those that a thread raises by its own deed: blocked, these would kill the
// process without its handlers (sigprocmask(2)), and the overflow report needs SIGSEGV.
static void asynchronous_signals(sigset_t *ret_set) {
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigfillset(ret_set);
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++)
        sigdelset(ret_set, synchronous[i]);
}

// The mask is inherited, so it is set around the creation: the thread has it from its first
// instruction.
static int create_masked(pthread_t *ret_thread, struct launch *launch) {
    sigset_t blocked, before;
    asynchronous_signals(&blocked);
    ASSERT(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
    int error = pthread_create(ret_thread, NULL, run, launch);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return -error;
}

int weft__os_thread_create(struct weft__os_thread *ret_thread, const char *name, void (*fn)(void *),
                           void *arg) {
    int error = weft__fail(WEFT__FAIL_THREAD);
    if (error != 0)
        return error;
    struct launch *launch = weft__alloc_lasting(sizeof *launch);
    if (launch == NULL)
        return -ENOMEM;
    *launch = (struct launch){.fn = fn, .arg = arg};
    strncpy(launch->name, name, sizeof launch->name - 1);
    pthread_t thread;
    error = create_masked(&thread, launch);
    if (error != 0) {
        weft__free(launch);
        return error;
    }
    *ret_thread = (struct weft__os_thread){.words = {(uint64_t)thread, 1}};
    return 0;
}

void weft__os_thread_join(struct weft__os_thread *thread) {
    ASSERT(thread->words[1] == 1);
    ASSERT(pthread_join((pthread_t)thread->words[0], NULL) == 0);
    *thread = (struct weft__os_thread){0};
}

void weft__os_thread_detach(struct weft__os_thread *thread) {
    ASSERT(pthread_detach((pthread_t)thread->words[0]) == 0);
}

uint32_t weft__os_thread_id(void) {
    return (uint32_t)gettid();
}

void weft__os_yield(void) {
    (void)sched_yield(); // cannot fail on Linux
}

// SPDX-License-Identifier: MIT
//
// The three moments at which weft must be told: a thread ends, the process has forked, the process
// exits. What is done then is the business of whoever registers.
#include "os/os.h"

#include "base/assert.h"
#include "os/lock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

// ---- A thread ends --------------------------------------------------------------------------

static pthread_key_t exit_key; // its value, when not NULL, makes the thread call run_thread_exit
static pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;
static int exit_key_error; // written once, under pthread_once

static _Thread_local struct {
    void (*fn)(void *);
    void *arg;
} at_thread_exit;

static void run_thread_exit(void *value) {
    (void)value;
    void (*fn)(void *) = at_thread_exit.fn;
    at_thread_exit.fn = NULL;
    if (fn != NULL)
        fn(at_thread_exit.arg);
}

static void make_exit_key(void) {
    exit_key_error = pthread_key_create(&exit_key, run_thread_exit);
}

int weft__os_at_thread_exit(void (*fn)(void *), void *arg) {
    ASSERT(pthread_once(&exit_key_once, make_exit_key) == 0);
    if (exit_key_error != 0)
        return -exit_key_error;
    int error = pthread_setspecific(exit_key, &at_thread_exit);
    if (error != 0)
        return -error;
    at_thread_exit.fn = fn;
    at_thread_exit.arg = arg;
    return 0;
}

// ---- The process has forked -----------------------------------------------------------------

// Both lists are written under the lock and only ever appended to. That of forks is read without it
// in the child, where the lock may be held by a thread that is no more: an entry counts once
// `fork_count` was released behind it.
enum { CAPACITY = 8 };
static void (*fork_fns[CAPACITY])(void), (*exit_fns[CAPACITY])(void);
static WEFT__ATOMIC(uint32_t) fork_count;
static uint32_t exit_count;
static struct weft__lock lock;

static void run_fork_child(void) {
    weft__store(&lock.word, 0, relaxed);
    uint32_t count = weft__load(&fork_count, acquire);
    for (uint32_t i = 0; i < count; i++)
        fork_fns[i]();
}

static bool is_registered(void (*fn)(void), void (*const fns[])(void), uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (fns[i] == fn)
            return true;
    return false;
}

int weft__os_at_fork_child(void (*fn)(void)) {
    int error = 0;
    weft__lock(&lock);
    uint32_t count = weft__load(&fork_count, relaxed);
    if (!is_registered(fn, fork_fns, count)) {
        ASSERT(count < CAPACITY);
        error = count == 0 ? -pthread_atfork(NULL, NULL, run_fork_child) : 0;
        if (error == 0) {
            fork_fns[count] = fn;
            weft__store(&fork_count, count + 1, release);
        }
    }
    weft__unlock(&lock);
    return error;
}

// ---- The process exits ----------------------------------------------------------------------

int weft__os_at_exit(void (*fn)(void)) {
    int error = 0;
    weft__lock(&lock);
    if (!is_registered(fn, exit_fns, exit_count)) {
        ASSERT(exit_count < CAPACITY);
        error = atexit(fn) == 0 ? 0 : -ENOMEM; // it fails for want of memory alone
        if (error == 0)
            exit_fns[exit_count++] = fn;
    }
    weft__unlock(&lock);
    return error;
}

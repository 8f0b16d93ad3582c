// SPDX-License-Identifier: MIT
//
// The functions that lock and unlock a pthread mutex, each of which calls the C library's and takes
// a note of the calling thread's. A mutex that pthread_cond_wait(3) gives up and takes again stays
// noted: its thread cannot do anything meanwhile.
#include "os/mutex_watch.h"

#include "base/assert.h"
#include "base/atomic.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

enum { NOTES_MAX = 16 }; // what is locked beyond that is not noted

static _Thread_local struct {
    size_t count;
    struct {
        const pthread_mutex_t *mutex;
        uintptr_t caller;
    } note[NOTES_MAX];
} held;

size_t weft__mutexes_held(uintptr_t *ret_caller) {
    if (held.count > 0)
        *ret_caller = held.note[held.count - 1].caller;
    return held.count;
}

void weft__mutexes_forget(void) {
    held.count = 0;
}

static int note(const pthread_mutex_t *mutex, void *caller, int result) {
    if ((result == 0 || result == EOWNERDEAD) && held.count < NOTES_MAX) {
        held.note[held.count].mutex = mutex;
        held.note[held.count++].caller = (uintptr_t)caller;
    }
    return result;
}

static void forget(const pthread_mutex_t *mutex) {
    for (size_t i = held.count; i-- > 0;) {
        if (held.note[i].mutex != mutex)
            continue;
        for (held.count--; i < held.count; i++)
            held.note[i] = held.note[i + 1];
        return;
    }
}

// The C library's function behind ours. Threads that race here find the same.
static void *find(WEFT__ATOMIC(void *) * known, const char *name) {
    void *function = weft__load(known, relaxed);
    if (!function) {
        function = dlsym(RTLD_NEXT, name);
        ASSERT(function);
        weft__store(known, function, relaxed);
    }
    return function;
}

#define REAL(name, ...)                                                                            \
    static WEFT__ATOMIC(void *) known;                                                             \
    int (*real)(__VA_ARGS__) = (int (*)(__VA_ARGS__))find(&known, name)
#define EXPORTED __attribute__((visibility("default")))

EXPORTED int pthread_mutex_lock(pthread_mutex_t *mutex) {
    REAL("pthread_mutex_lock", pthread_mutex_t *);
    return note(mutex, __builtin_return_address(0), real(mutex));
}

EXPORTED int pthread_mutex_trylock(pthread_mutex_t *mutex) {
    REAL("pthread_mutex_trylock", pthread_mutex_t *);
    return note(mutex, __builtin_return_address(0), real(mutex));
}

EXPORTED int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    REAL("pthread_mutex_timedlock", pthread_mutex_t *, const struct timespec *);
    return note(mutex, __builtin_return_address(0), real(mutex, until));
}

EXPORTED int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                     const struct timespec *until) {
    REAL("pthread_mutex_clocklock", pthread_mutex_t *, clockid_t, const struct timespec *);
    return note(mutex, __builtin_return_address(0), real(mutex, clock, until));
}

EXPORTED int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    REAL("pthread_mutex_unlock", pthread_mutex_t *);
    forget(mutex);
    return real(mutex);
}

// SPDX-License-Identifier: MIT
//
// What weft needs of the operating system besides descriptors (those are the drivers') and pages
// (os/pages.h): clocks, memory, threads, futexes, the environment, log lines. The contract as a
// list; each function is a few lines over one system call. Not here: anything that knows a task or
// a handle.
#ifndef WEFT__OS_H
#define WEFT__OS_H

#include "base/atomic.h"

#include <stddef.h>
#include <stdint.h>

// Clocks, in nanoseconds: CLOCK_MONOTONIC and CLOCK_REALTIME.
int64_t weft__clock_monotonic_ns(void);
int64_t weft__clock_wall_ns(void);

// Memory. Zeroed, aligned to 16 bytes, NULL when there is none (or a test says so). Each block
// remembers the allocator that made it, so weft__free is right after weft__alloc_use, too.
struct weft__allocator {
    void *(*alloc)(size_t size, void *context);
    void (*free)(void *block, size_t size, void *context);
    void *context;
};
void *weft__alloc(size_t size);
void *
weft__alloc_lasting(size_t size); // with malloc(3): what may outlive the runtime and its options
void weft__free(void *block);     // NULL is nothing
void weft__alloc_use(const struct weft__allocator *allocator); // NULL: malloc; copied
size_t weft__alloc_living(void);                               // blocks not yet freed

// Failure injection: the n-th call of a kind (1: the next one) fails, and, with `every`, each one
// from then on. In a test `weft__fail_arm(kind, n, every, -ENOMEM)`; in the wrappers `int e =
// weft__fail(kind)`.
enum weft__fail_kind {
    WEFT__FAIL_ALLOC,
    WEFT__FAIL_PAGES,
    WEFT__FAIL_STACK,
    WEFT__FAIL_THREAD,
    WEFT__FAIL_READ, // the operations of driver.h, in their order
    WEFT__FAIL_WRITE,
    WEFT__FAIL_RECVMSG,
    WEFT__FAIL_SENDMSG,
    WEFT__FAIL_ACCEPT,
    WEFT__FAIL_CONNECT,
    WEFT__FAIL_READY,
    WEFT__FAIL_RESOLVE,
    WEFT__FAIL_CTL,    // any weft__ctl but close
    WEFT__FAIL_CANCEL, // not a failure: the scope of a simulated task that waits is cancelled
    WEFT__FAIL_KINDS
};
void weft__fail_arm(enum weft__fail_kind kind, uint64_t n, int every, int error);
void weft__fail_disarm(void);
int weft__fail_find(const char *name); // the kind that is called "alloc", "read"; or -EINVAL
bool weft__fail_is_met(enum weft__fail_kind kind); // the call that was armed has come
int weft__fail(enum weft__fail_kind kind);         // 0, or the error to answer

// Futex, private to the process. wait returns when woken, when *word != expected, at `until_ns`
// on the monotonic clock (INT64_MAX: never), or for no reason.
void weft__futex_wait(WEFT__ATOMIC(uint32_t) * word, uint32_t expected, int64_t until_ns);
void weft__futex_wake(WEFT__ATOMIC(uint32_t) * word, uint32_t count);

// Threads. All asynchronous signals are blocked in them. `name` at most 15 bytes.
struct weft__os_thread {
    uint64_t words[2];
};
int weft__os_thread_create(struct weft__os_thread *ret_thread, const char *name, void (*fn)(void *),
                           void *arg);
void weft__os_thread_join(struct weft__os_thread *thread);
void weft__os_thread_detach(struct weft__os_thread *thread); // nobody will join it
void weft__os_yield(void);
uint32_t weft__os_thread_id(void); // gettid(2)

// A thread with a table of descriptors of its own (apart.c). It must not use those of others, nor
// call what might: a driver's wake, a function of the program's. `begin` leaves the calling thread
// as it was where it cannot make one; the other two stand around what writes to stderr, which is
// the process's meanwhile, and do nothing on other threads.
void weft__os_apart_begin(void);
void weft__os_apart_open_stderr(void);
void weft__os_apart_close_stderr(void);

// How many processors the process may keep busy (cpu.c), at least 1.
uint32_t weft__os_cpu_count(void);
// The part of it that control groups say, 0: nothing. From files that tests can write: one like
// /proc/self/cgroup, and the folder where groups are mounted.
uint32_t weft__os_cpu_quota(const char *groups, const char *fs);

// Calls `fn(arg)` when the calling thread ends; one registration a thread, the last one counts. The
// main thread ends in this sense by pthread_exit(3) only, not by exit(3).
int weft__os_at_thread_exit(void (*fn)(void *), void *arg);
// Calls `fn` in the child of every fork(2) from now on, in order of registration, before fork
// returns there. Registering the same function again changes nothing.
int weft__os_at_fork_child(void (*fn)(void));
// Calls `fn` at exit(3), once, however often it was registered.
int weft__os_at_exit(void (*fn)(void));

// The environment, NULL when unset, empty, or when the process runs under AT_SECURE.
const char *weft__env(const char *name);
int weft__os_is_secure(void);

// The soft limit of descriptors (RLIMIT_NOFILE); UINT64_MAX when there is none.
uint64_t weft__os_descriptor_limit(void);

// Log lines: to `sink` when set, of every level; else to stderr as "weft: TEXT\n" in one write(2),
// up to the level that WEFT_LOG says (off, warn, info; warn by default, and for a word that is none
// of them, after one line of complaint), read once.
enum weft__log_level { WEFT__LOG_OFF, WEFT__LOG_WARN, WEFT__LOG_INFO };
typedef void weft__log_sink(int level, const char *text, void *context);
void weft__log_to(weft__log_sink *sink, void *context);
void weft__log(enum weft__log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// One line, without its end, to the sink; false: there is none.
bool weft__log_line(const char *line);

// Writes all of it to a descriptor, blocking the thread. No SIGPIPE arises. 0 or a negative errno.
int weft__os_write(int fd, const char *data, size_t size);

#endif

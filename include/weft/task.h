// SPDX-License-Identifier: MIT
//
// The runtime, tasks, scopes, deadlines and cancellation. Conventions: weft.h.
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <stddef.h>
#include <stdint.h>

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_NANOSECOND  ((int64_t)1)
#define WEFT_MICROSECOND ((int64_t)1000)
#define WEFT_MILLISECOND ((int64_t)1000000)
#define WEFT_SECOND      ((int64_t)1000000000)
#define WEFT_MINUTE      (60 * WEFT_SECOND)
#define WEFT_HOUR        (60 * WEFT_MINUTE)

// ---- The runtime ----------------------------------------------------------------------------

/// How the runtime is set up. Zero is the default everywhere; the struct may grow at its end.
typedef struct weft_options {
    /// "auto", "uring" or "epoll"; NULL: the environment's WEFT_DRIVER, else auto. Only auto falls
    /// back to another.
    const char *driver;
    /// Bytes of a task's stack, rounded up to pages; 0: 64 KiB.
    size_t stack_size;
    /// Receives log lines instead of stderr, whatever WEFT_LOG says; level 1 warns, 2 informs.
    /// Called from any thread, and like `alloc` and `free` it must not call weft.
    void (*log)(int level, const char *text, void *context);
    void *log_context;
    /// Where memory comes from; both or neither, and from any thread, as `log`. `alloc` answers
    /// 16-byte aligned memory or NULL.
    void *(*alloc)(size_t size, void *context);
    void (*free)(void *block, size_t size, void *context);
    void *alloc_context;
    /// 1: leave SIGSEGV and SIGBUS alone (no report of a task's stack overflow).
    int no_overflow_report;
    /// How many workers, 1 to 1024: threads that run tasks, each on its own driver. 0: the
    /// environment's WEFT_WORKERS, else one for each processor that the affinity mask and the
    /// control groups' CPU quota leave. Of a number that was asked for, all start or none.
    int workers;
    /// 1: the calling thread stays a plain one and every worker has a thread of its own. For user
    /// interfaces, plugins, and libraries that do not own the program's main thread.
    int own_threads;
    /// How many threads weft_blocking may use at a time; 0: 64.
    int blocking_threads;
    /// Nanoseconds: a task that keeps its worker for longer, so that the others there cannot run,
    /// is named in the log, with the calls it is in; likewise the thread that started the runtime,
    /// when it is busy outside weft and tasks wait for it. 0: 100 ms; -1: nobody is. The calls of a
    /// task that computes are not told with no_overflow_report, because they are asked for by
    /// SIGBUS.
    int64_t watchdog_ns;
    /// 1: on SIGQUIT (Ctrl-\, kill -QUIT) a thread of weft's prints all tasks, as weft_dump(-1)
    /// does, and the program goes on; until weft_stop. It works also when every worker is stuck. A
    /// handler that was there before is called as well.
    int dump_on_sigquit;
} weft_options;

/// Starts the runtime. The calling thread becomes worker 1 and its caller task zero; tasks run
/// there while task zero waits inside weft. The other workers have threads of their own. The first
/// weft_go does this with defaults.
///   options  borrowed; NULL: defaults.
/// Returns 0, or
///   -EALREADY  it runs already
///   -EINVAL    an unknown driver; a number of workers or of blocking threads out of range; one
///              of alloc and free without the other
///   -ENOMEM    no memory
///   -EAGAIN    no thread for a worker (ulimit -u)
///   or why the driver named did not start; weft_explain() has the sentence.
/// Does not suspend. Blocks of weft_within that are open in the thread stay in force.
/// Unless own_threads is set, worker 1 belongs to this thread: its tasks do not run while the
/// caller is busy or blocked outside weft (in pthread_join, say), though other workers take what
/// has not started; and the thread must not end before weft_stop while tasks are alive. A program
/// with threads of its own therefore starts the runtime in main.
#define weft_start(...) weft_priv_start((__VA_ARGS__), sizeof(weft_options))
int weft_priv_start(const weft_options *options, size_t size);

/// Stops the runtime: cancels every scope, waits until all tasks have ended, at most `grace_ns`.
///   grace_ns  nanoseconds, >= 0; INT64_MAX: as long as it takes. To let tasks finish first, join
///             their scope inside a weft_within, then stop.
/// Returns 0: the caller is a plain thread again and open handles stay open; or
///   -ETIMEDOUT  tasks were still alive after the grace (a log line names some), or a call of
///               another thread goes on, such as a weft_dump into a full pipe; the runtime goes on
///               and the tasks stay cancelled: call again
///   -EPERM      not called by task zero; with own_threads, called by a task
///   -ENOENT     no runtime runs
///   -EBUSY      another thread stops it already (own_threads)
///   -EINVAL     grace_ns is negative
/// A weft_go that another thread calls afterwards starts a new runtime, with the defaults: end such
/// threads first. Suspends task zero. Neither cancelled nor cut short by a deadline.
int weft_stop(int64_t grace_ns);

/// The driver that the calling task or thread waits on: "uring" or "epoll" in a task and in task
/// zero, "thread" in a plain thread; "sim" in a simulation. Static. Does not suspend.
const char *weft_driver_name(void);

/// The library's version, "0.1.0". Static.
const char *weft_version(void);

// ---- Tasks and scopes -----------------------------------------------------------------------

/// What tasks live in. `weft_scope s = {0};` is an empty scope; a scope must not move or go away
/// before it was joined. A task that returns without having joined a scope it used is a bug that
/// ends the process with a report. In a plain function outside tasks, main included, the same bug
/// goes unnoticed: the scope's memory is used by others while its tasks still count on it, and
/// what follows is a hang or worse. weft_autojoin joins by itself.
typedef struct weft_scope {
    uint64_t words[16];
} weft_scope;

typedef struct weft_task_options {
    const char *name;  ///< shown in reports; at most 31 bytes are kept. Copied.
    size_t stack_size; ///< bytes; 0: the runtime's
    /// Where it runs: n is the n-th worker, from 1 to weft_worker_count(); 0: weft chooses, and
    /// until the task has started it may go from one worker to another; WEFT_WORKER_HERE: the
    /// worker of the calling task. A task never changes its worker once it has started.
    int worker;
} weft_task_options;

enum { WEFT_WORKER_HERE = -1 };

/// How many workers run; 0: no runtime. Does not suspend.
int weft_worker_count(void);

/// What a worker has done since it started. The struct may grow at its end.
typedef struct weft_worker_stats {
    uint64_t tasks;         ///< started here
    uint64_t switches;      ///< times that a task was given the processor
    uint64_t turns;         ///< rounds of the scheduler: up to 64 switches, timers, the driver
    uint64_t yields;        ///< switches away from a task that could have gone on
    uint64_t budget_yields; ///< those of them because about 64 operations were enough for once
    uint64_t parks;         ///< times that the worker slept, or looked at its driver to do so
    uint64_t wakes;         ///< tasks of this worker that other threads have woken
    uint64_t searches;      ///< times that it looked for other workers' unstarted tasks
    uint64_t steals;        ///< tasks that it took from others
    uint64_t operations;    ///< attempts at a read, write, accept ... on its driver
    uint64_t waits;         ///< operations that had to wait
} weft_worker_stats;

/// Reads the counters of a worker, from 1 to weft_worker_count(). They go on while they are read,
/// each by itself. Returns 0, or -ENOENT: there is no such worker. Does not suspend.
#define weft_worker_stats_get(worker, ret_stats)                                                   \
    weft_priv_worker_stats((worker), (ret_stats), sizeof(weft_worker_stats))
int weft_priv_worker_stats(int worker, weft_worker_stats *ret_stats, size_t size);

/// Starts `fn(arg)` as a task in a scope, and the runtime if none runs.
///   scope  borrowed until joined. Its parent is the scope of the task that first uses it.
///   fn     int fn(int handle) or int fn(void *arg). A result < 0 is the task's error.
///   arg    a handle: *taken*, even on failure; a negative one starts nothing and is returned.
///          Numbers that are no handles go by pointer. A pointer: borrowed by the task.
/// The task inherits the deadline in force here, so a weft_within that is to bound an accept alone
/// ends before this call. It is cancelled by the scope, and by nothing else: a task that fails does
/// not cancel the others. When it starts and in what order is not specified. A task cancelled
/// before it started still runs. Returns 0, or
///   -ENOMEM  no memory
///   -EBUSY   the scope is being joined and the caller is none of its tasks
///   -EINVAL  scope or fn is NULL; the stack's size is beyond 4 GiB; there is no such worker
///   or what weft_start() answers when it had to start the runtime.
/// Does not suspend. Never refused by a cancellation or a deadline.
#ifndef __cplusplus
#define weft_go(scope, fn, ...)                                                                    \
    _Generic((fn), int (*)(int)                                                                    \
             : weft_priv_go_handle, int (*)(void *)                                                \
             : weft_priv_go, default                                                               \
             : weft_go_wants_int_fn_of_int_or_int_fn_of_void_pointer)((scope), (fn),               \
                                                                      (__VA_ARGS__), NULL, 0)
/// weft_go with options: borrowed, NULL is none.
#define weft_go_with(scope, fn, arg, ...)                                                          \
    _Generic((fn), int (*)(int)                                                                    \
             : weft_priv_go_handle, int (*)(void *)                                                \
             : weft_priv_go, default                                                               \
             : weft_go_wants_int_fn_of_int_or_int_fn_of_void_pointer)(                             \
        (scope), (fn), (arg), (__VA_ARGS__), sizeof(weft_task_options))
// Takes no arguments, so that a compiler that comes here stops and shows this name.
static inline int weft_go_wants_int_fn_of_int_or_int_fn_of_void_pointer(void) {
    return -1;
}
#endif
int weft_priv_go(weft_scope *scope, int (*fn)(void *), void *arg, const weft_task_options *options,
                 size_t size);
int weft_priv_go_handle(weft_scope *scope, int (*fn)(int), int handle,
                        const weft_task_options *options, size_t size);

/// Waits until the last task of the scope has ended, however long that takes. If the joiner is
/// cancelled or its deadline passes, cancels the scope, goes on waiting, then returns that code.
/// The scope is then empty and may be used again.
/// Returns the first error in order of completion (weft_explain() then has the sentence of the task
/// that answered it, if it is the error of its own last failed call), else 0 (-ECANCELED may so be
/// what a task answered after a weft_cancel of this scope); or -ECANCELED, -ETIMEDOUT as above,
/// which weft_check() then answers too; or
///   -EPERM   another thread or task used the scope first
///   -EINVAL  NULL
/// A scope never used: 0. Suspends; not refused by a cancellation or a deadline.
int weft_join(weft_scope *scope);

/// Cancels the scope's tasks, those it will get until it is joined, and the scopes below it. Every
/// call in them that may wait answers -ECANCELED. Idempotent. NULL: nothing. From any thread, any
/// task. Does not suspend.
void weft_cancel(weft_scope *scope);

/// `weft_autojoin weft_scope s = {0};`: at the end of the block, if it was not joined, cancels and
/// joins it. Not run by longjmp and exit.
#define weft_autojoin __attribute__((cleanup(weft_priv_autojoin)))
void weft_priv_autojoin(weft_scope *scope);

/// Lets other tasks run. Returns 0, -ECANCELED or -ETIMEDOUT. Suspends.
int weft_yield(void);

// ---- Calls that block -----------------------------------------------------------------------

/// Calls `fn(arg)`, which may block or compute for long, on a thread beside the workers, and waits
/// for its result; the other tasks run meanwhile. For files, databases, compression, and libraries
/// that know nothing of weft. Outside a task, and on the simulator, it calls fn directly.
///   fn   runs to its end whatever happens, and so may use the caller's memory. It is on another
///        thread: thread-local objects, and mutexes that the task holds, are not its own. It must
///        not throw, nor call weft_stop. weft's calls in it are those of a plain thread with the
///        caller's deadline; weft_explain() in the task then has the sentence for what failed
///        there.
///   arg  borrowed until it returns.
/// The threads (weft_options.blocking_threads, 64 at most by default) are made when they are needed
/// and end after 10 s without work. With all of them busy the call waits for one, in order: calls
/// that wait for each other need as many threads as there are calls.
/// Returns what fn returned; or, and then fn was not and will not be called:
///   -ECANCELED, -ETIMEDOUT  before a thread had begun with it
///   -EAGAIN   no thread is to be had (ulimit -u). With some already there it waits for those
///   -EINVAL   fn is NULL
/// Which of the two a negative result is, fn may note in `arg`. Suspends; once fn has begun, it is
/// not cut short by a cancellation or a deadline.
int weft_blocking(int (*fn)(void *), void *arg);

// ---- Signals --------------------------------------------------------------------------------

/// Waits for a signal, such as SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGUSR1.
///   signals  numbers of <signal.h>; borrowed.      count  how many, at least 1.
/// From the first call that names a signal it is held: neither its default action nor a handler of
/// the program's runs, and it is seen whichever threads block it. One that comes ends the waits of
/// all who wait for it at that moment; if nobody does, the next call that names it returns at once
/// (signals of one number count once). So a loop over this call misses none.
/// What is held is given back when weft_stop begins, so that Ctrl-C ends a program whose stop
/// hangs; and in the child of a fork. sigaction(2) takes one back earlier: signal(SIGINT, SIG_DFL).
/// timeout(1) and other wrappers send it twice: to survive that, call signal(SIGINT, SIG_IGN)
/// before the first hold, and it is ignored again when it is given back. A signal that was ignored
/// (nohup, a shell's background job) is held like any other. Returns the number of the signal that
/// came, or
///   -EINVAL   not a signal; or SIGKILL, SIGSTOP, or one that a thread raises by its own fault:
///             SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS
///   -EAGAIN   no thread is to be had, which the first call needs (ulimit -u)
///   -ENOTSUP  on the simulator
/// Suspends. Any number of tasks and threads may wait.
int weft_signal_wait(const int *signals, int count);

/// Holds signals from now on, as weft_signal_wait does; for before a program says that it is ready.
/// Returns 0, or -EINVAL, -EAGAIN, -ENOTSUP as there. Does not suspend.
int weft_signal_hold(const int *signals, int count);

// ---- Time -----------------------------------------------------------------------------------

/// Sleeps. ns  nanoseconds; <= 0: only looks at cancellation and deadline. Never too short; too
/// long by the timer slack of the thread, 50 us unless prctl(2) PR_SET_TIMERSLACK says otherwise.
/// Returns 0 when its own time has passed; -ETIMEDOUT when the ambient deadline did first;
/// -ECANCELED. Suspends.
int weft_sleep(int64_t ns);

/// The monotonic clock, in nanoseconds. Does not suspend.
int64_t weft_now(void);

/// The wall clock (CLOCK_REALTIME), in nanoseconds since 1970-01-01 00:00 UTC. It may be set, and
/// so jump, in either direction: for dates, never for how long something took. In a simulation that
/// of the host. Does not suspend.
int64_t weft_wall_now(void);

/// Random bytes: the system's (getrandom(2)), fit for keys; in a simulation (weft/sim.h) those of
/// its seed, so that a run can be repeated.
///   buf   borrowed.        size  in bytes.
/// Returns 0. Does not suspend; early after boot it may block the thread.
int weft_random(void *buf, size_t size);

/// 0, or what the next call that may wait would answer: -ECANCELED, -ETIMEDOUT, -ECHILD. For long
/// computations. Does not suspend.
int weft_check(void);

/// `weft_within(5 * WEFT_SECOND);` is a declaration: it bounds the rest of the enclosing block,
/// whatever is called there, however it is left. ns <= 0: expired at once; a sum beyond INT64_MAX:
/// never. Nested ones: the earliest counts; weft_check() after the inner block tells whether the
/// outer one has passed too. Tasks started inside inherit it. In C++, as the sole body of an `if`
/// it bounds nothing (its block ends with it). Neither longjmp across it nor a goto or switch that
/// jumps over it is supported (as over any variable with a cleanup; gcc's -Wjump-misses-init finds
/// those).
/// In a task the deadline is looked at when the task waits or when its worker's clock has moved,
/// which the budget of about 64 calls bounds.
///
/// A deadline from outside stays expired: a loop that gives each of its rounds a time and goes on
/// after -ETIMEDOUT would rush through all that is left. It therefore asks whether there is any
/// point in another round:
///
///     while ((result = weft_check()) == 0 && (job = next_job()) != NULL) {
///         weft_within(WEFT_SECOND);
///         if (work_on(job) == -ETIMEDOUT)
///             give_back(job); // its own second is over, or all time is: weft_check() tells
///     }
///
/// `weft_shield(WEFT_SECOND);` likewise, for last words: cancellations and deadlines from outside
/// the block are held back for ns from the later of its entry and their arrival. Until one has
/// arrived it limits nothing. A weft_within inside still counts; nested shields do not add up.
#ifndef __cplusplus
#define weft_within(ns)                WEFT_PRIV_BLOCK(weft_priv_within, ns, __COUNTER__)
#define weft_shield(ns)                WEFT_PRIV_BLOCK(weft_priv_shield, ns, __COUNTER__)
#define WEFT_PRIV_BLOCK(begin, ns, id) WEFT_PRIV_BLOCK_(begin, ns, id)
#define WEFT_PRIV_BLOCK_(begin, ns, id)                                                            \
    weft_block *weft_priv_block_##id __attribute__((cleanup(weft_priv_block_end), unused)) =       \
        begin(&(weft_block){{0}}, (ns))
#else
#define weft_within(ns)                 WEFT_PRIV_BLOCK(weft_priv_within, ns, __COUNTER__)
#define weft_shield(ns)                 WEFT_PRIV_BLOCK(weft_priv_shield, ns, __COUNTER__)
#define WEFT_PRIV_BLOCK(begin, ns, id)  WEFT_PRIV_BLOCK_(begin, ns, id)
#define WEFT_PRIV_BLOCK_(begin, ns, id) weft_priv_guard weft_priv_block_##id(begin, (ns))
#endif
typedef struct weft_block {
    uint64_t words[8];
} weft_block;
weft_block *weft_priv_within(weft_block *block, int64_t ns);
weft_block *weft_priv_shield(weft_block *block, int64_t ns);
void weft_priv_block_end(weft_block **block);

#ifdef __cplusplus
} // extern "C"

class weft_priv_guard {
  public:
    weft_priv_guard(weft_block *(*begin)(weft_block *, int64_t), int64_t ns) : block_() {
        begin(&block_, ns);
    }
    ~weft_priv_guard() {
        weft_block *block = &block_;
        weft_priv_block_end(&block);
    }
    weft_priv_guard(const weft_priv_guard &) = delete;
    weft_priv_guard &operator=(const weft_priv_guard &) = delete;

  private:
    weft_block block_;
};

static inline int weft_go(weft_scope *scope, int (*fn)(void *), void *arg) {
    return weft_priv_go(scope, fn, arg, nullptr, 0);
}
static inline int weft_go(weft_scope *scope, int (*fn)(int), int handle) {
    return weft_priv_go_handle(scope, fn, handle, nullptr, 0);
}
static inline int weft_go_with(weft_scope *scope, int (*fn)(void *), void *arg,
                               const weft_task_options *options) {
    return weft_priv_go(scope, fn, arg, options, sizeof(weft_task_options));
}
static inline int weft_go_with(weft_scope *scope, int (*fn)(int), int handle,
                               const weft_task_options *options) {
    return weft_priv_go_handle(scope, fn, handle, options, sizeof(weft_task_options));
}
#endif

#pragma GCC visibility pop

#endif

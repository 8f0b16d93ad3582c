// SPDX-License-Identifier: MIT
//
// 1. An idle process is not woken. When all workers were quiet for LINGER looks the monitor sleeps
//    until somebody rouses it: a worker whose sleep ends, or task zero that comes back from outside
//    weft, reads one word to see whether it must. Nobody pays a fence for that. A worker that read
//    the word before the monitor had changed it says by `sleeping` that it runs, and that is seen a
//    whole tick later, when the monitor looks once more before it really sleeps.
// 2. It reads nothing but what is anybody's to read, and ends before the workers do.
// 3. Beside a single worker it uses no descriptor of the process's, and has none (os/apart.c). It
//    has nobody to wake there, and what it logs goes to stderr, unless to a function of the
//    program's, which may use descriptors: then it is a thread like others.
#include "task/monitor.h"

#include "os/os.h"
#include "task/runtime.h"
#include "task/watchdog.h"

enum { LINGER = 2 };
static const int64_t TICK_NS = 10000000;

struct seen { // of a worker, by the last look
    struct weft__watched watched;
    struct weft__overdue overdue;
    uint64_t parks;
};

struct weft__monitor {
    struct weft__runtime *runtime;
    int64_t patience_ns;
    bool is_apart;
    WEFT__ATOMIC(uint32_t) has_begun; // a futex
    struct weft__os_thread thread;
    struct seen seen[]; // one for each worker
};

// ---- One look -------------------------------------------------------------------------------

// True: it was quiet since the last look, and cannot become anything else without rousing us.
static bool look_at(struct weft__monitor *monitor, struct weft__worker *worker, struct seen *seen,
                    int64_t passed_ns) {
    uint64_t parks = weft__load(&worker->stats.parks, relaxed);
    bool is_quiet = parks == seen->parks;
    seen->parks = parks;
    is_quiet &= weft__watchdog_look(worker, &seen->watched, monitor->patience_ns, passed_ns);
    is_quiet &= !weft__balance_look(worker, &seen->overdue);
    return is_quiet && (weft__load(&worker->sleeping, relaxed) == WEFT__ASLEEP ||
                        weft__watchdog_is_done(worker, &seen->watched));
}

static bool look_at_all(struct weft__monitor *monitor, int64_t passed_ns) {
    struct weft__runtime *runtime = monitor->runtime;
    bool is_quiet = true;
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        is_quiet &= look_at(monitor, runtime->workers[i], &monitor->seen[i], passed_ns);
    return is_quiet;
}

// ---- The thread -----------------------------------------------------------------------------

// Until something happens that is worth a look. Rule 1.
static void sleep_deeply(struct weft__monitor *monitor) {
    WEFT__ATOMIC(uint32_t) *word = &monitor->runtime->monitor_word;
    uint32_t ticks = WEFT__MONITOR_TICKS, sleeps = WEFT__MONITOR_SLEEPS;
    if (!weft__cas(word, &ticks, WEFT__MONITOR_SLEEPS, seq_cst))
        return;
    weft__futex_wait(word, WEFT__MONITOR_SLEEPS, weft__clock_monotonic_ns() + TICK_NS);
    if (look_at_all(monitor, 0))
        while (weft__load(word, acquire) == WEFT__MONITOR_SLEEPS)
            weft__futex_wait(word, WEFT__MONITOR_SLEEPS, INT64_MAX);
    (void)weft__cas(word, &sleeps, WEFT__MONITOR_TICKS, seq_cst);
}

static void run_monitor(void *arg) {
    struct weft__monitor *monitor = arg;
    WEFT__ATOMIC(uint32_t) *word = &monitor->runtime->monitor_word;
    if (monitor->is_apart)
        weft__os_apart_begin();
    weft__store(&monitor->has_begun, 1, release);
    weft__futex_wake(&monitor->has_begun, 1);
    int64_t last = weft__clock_monotonic_ns();
    for (int quiet = 0; weft__load(word, acquire) != WEFT__MONITOR_ENDS;) {
        weft__futex_wait(word, WEFT__MONITOR_TICKS, last + TICK_NS);
        int64_t now = weft__clock_monotonic_ns(), passed = now - last;
        if (passed < TICK_NS)
            continue; // for no reason, or to end
        last = now;
        quiet = look_at_all(monitor, passed < 2 * TICK_NS ? passed : TICK_NS) ? quiet + 1 : 0;
        if (quiet < LINGER)
            continue;
        sleep_deeply(monitor);
        quiet = 0;
        last = weft__clock_monotonic_ns();
    }
}

void weft__monitor_rouse(struct weft__runtime *runtime) {
    uint32_t sleeps = WEFT__MONITOR_SLEEPS;
    if (weft__cas(&runtime->monitor_word, &sleeps, WEFT__MONITOR_TICKS, acq_rel))
        weft__futex_wake(&runtime->monitor_word, 1);
}

static struct weft__monitor *make(struct weft__runtime *runtime, int64_t patience_ns,
                                  bool is_apart) {
    struct weft__monitor *monitor =
        weft__alloc(sizeof *monitor + runtime->worker_count * sizeof *monitor->seen);
    if (!monitor)
        return NULL;
    monitor->runtime = runtime;
    monitor->patience_ns = patience_ns;
    monitor->is_apart = is_apart;
    if (weft__os_thread_create(&monitor->thread, "weft-monitor", run_monitor, monitor) < 0) {
        weft__free(monitor);
        return NULL;
    }
    while (!weft__load(&monitor->has_begun, acquire)) // as all threads when weft_start returns
        weft__futex_wait(&monitor->has_begun, 0, INT64_MAX);
    return monitor;
}

void weft__monitor_start(struct weft__runtime *runtime, int64_t patience_ns, bool has_sink) {
    if (patience_ns == INT64_MAX && runtime->worker_count == 1)
        return;
    runtime->monitor =
        make(runtime, patience_ns, runtime->worker_count == 1 && !has_sink); // rule 3
    if (!runtime->monitor)
        weft__log(WEFT__LOG_WARN, "no monitor: tasks that keep their workers will not be reported "
                                  "(raise ulimit -u or the memory limit)");
}

void weft__monitor_end(struct weft__runtime *runtime) {
    if (!runtime->monitor)
        return;
    weft__store(&runtime->monitor_word, WEFT__MONITOR_ENDS, seq_cst);
    weft__futex_wake(&runtime->monitor_word, 1);
    weft__os_thread_join(&runtime->monitor->thread);
    weft__free(runtime->monitor);
    runtime->monitor = NULL;
}

// SPDX-License-Identifier: MIT
//
// What is said of a run: the line that replays one that has failed, and a line for `weft sim run`.
#include "sim/world.h"

#include "base/text.h"
#include "os/crash.h"
#include "os/os.h"
#include "task/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 2048, COMMAND_SIZE = 1024, STDERR = 2 };

static char command[COMMAND_SIZE],
    limits[LINE_SIZE / 2]; // WEFT_SIM_FAULTS=..., with a space, or ""
static int report_fd;      // of WEFT_SIM_REPORT_FD; -1: none
static bool has_failed;

static int64_t elapsed_ns(void) {
    return weft__sim_elapsed(weft__world.driver);
}

// ---- For `weft sim run` ---------------------------------------------------------------------

static void put_hash(struct weft__text *text, uint64_t hash) {
    for (int shift = 60; shift >= 0; shift -= 4) {
        char digit[2] = {"0123456789abcdef"[hash >> shift & 15], '\0'};
        weft__text_put(text, digit);
    }
}

static void put_result(struct weft__text *text, int result) {
    if (has_failed) {
        weft__text_put(text, "failed");
        return;
    }
    weft__text_put(text, result < 0 ? "-" : "");
    weft__text_put_u64(text, result < 0 ? -(uint64_t)result : (uint64_t)result);
}

// Also in a signal handler. Whoever reads it may be gone.
static void write_report(int result) {
    char line[LINE_SIZE];
    struct weft__text text;
    if (report_fd < 0)
        return;
    weft__text_init(&text, line, sizeof line);
    weft__text_put(&text, "seed=");
    weft__text_put_u64(&text, weft__world.seed);
    weft__text_put(&text, " result=");
    put_result(&text, result);
    weft__text_put(&text, " steps=");
    weft__text_put_u64(&text, weft__sim_steps(weft__world.driver));
    weft__text_put(&text, " time_ns=");
    weft__text_put_u64(&text, (uint64_t)elapsed_ns());
    weft__text_put(&text, " hash=");
    put_hash(&text, weft__sim_trace_hash(weft__world.driver));
    weft__faults_put(&text, weft__world.driver);
    weft__text_put(&text, "\n");
    (void)weft__os_write(report_fd, text.data, text.length);
}

// ---- A failure ------------------------------------------------------------------------------

// NULL: not on one, or between tasks.
static const char *host_here(void) {
    struct weft__worker *worker = weft__this_worker();
    struct weft__task *task = worker ? weft__load(&worker->current, relaxed) : NULL;
    const struct weft__world_host *host = task ? weft__world_at(task->waiter.host) : NULL;
    return host ? host->name : NULL;
}

static void put_seconds(struct weft__text *text, int64_t ns) {
    uint64_t us = (uint64_t)ns / 1000;
    weft__text_put_u64(text, us / 1000000);
    weft__text_put(text, ".");
    for (uint64_t unit = 100000; unit > 0; unit /= 10)
        weft__text_put_u64(text, us / unit % 10);
    weft__text_put(text, " s");
}

// Safe in a signal handler.
static void say(const char *what) {
    char line[LINE_SIZE];
    struct weft__text text;
    const char *host = host_here();
    has_failed = true;
    weft__text_init(&text, line, sizeof line - 1);
    weft__text_put(&text, "weft sim: ");
    weft__text_put(&text, what);
    if (host) {
        weft__text_put(&text, " on host ");
        weft__text_put(&text, host);
    }
    weft__text_put(&text, " at ");
    put_seconds(&text, elapsed_ns());
    weft__text_put(&text, ", step ");
    weft__text_put_u64(&text, weft__sim_steps(weft__world.driver));
    weft__text_put(&text, "; replay: WEFT_SIM_SEED=");
    weft__text_put_u64(&text, weft__world.seed);
    weft__text_put(&text, " ");
    weft__text_put(&text, limits);
    weft__text_put(&text, command);
    line[text.length++] = '\n';
    (void)weft__os_write(STDERR, line, text.length);
    write_report(0);
    weft__sim_watch_flush(weft__world.driver);
}

// An abort of our own has been explained.
static void say_signal(const char *signal) {
    if (!has_failed)
        say(signal);
}

// Else a program that gives up by exit(3) would look as if it had run no simulation.
static void at_exit(void) {
    if (weft__world.sim && !has_failed && !weft__is_orphan())
        say("the program called exit()");
}

_Noreturn void weft__report_failure(const char *what) {
    say(what);
    abort();
}

_Noreturn void weft_priv_sim_check(const char *condition, const char *file, int line) {
    char what[512];
    struct weft__text text;
    weft__text_init(&text, what, sizeof what);
    weft__text_put(&text, "check failed: ");
    weft__text_put(&text, condition);
    weft__text_put(&text, " (");
    weft__text_put(&text, file);
    weft__text_put(&text, ":");
    weft__text_put_u64(&text, (uint64_t)line);
    weft__text_put(&text, ")");
    if (weft__world.sim)
        weft__report_failure(what);
    (void)weft__os_write(STDERR, what, text.length);
    (void)weft__os_write(STDERR, "\n", 1);
    abort();
}

// ---- A run that is refused ------------------------------------------------------------------

int weft__sim_refused(const char *option, const char *why) {
    return (int)weft__failed_text(weft__self(), "sim_run", option, why, -EINVAL);
}

int weft__sim_refused_environment(const char *variable, const char *why) {
    weft__log(WEFT__LOG_WARN, "sim_run: %s=%s: %s", variable, weft__env(variable), why);
    return weft__sim_refused(variable, why);
}

// ---- Around a run ---------------------------------------------------------------------------

int weft__report_seed(uint64_t given, uint64_t *ret_seed) {
    const char *text = weft__env("WEFT_SIM_SEED");
    *ret_seed = given;
    if (text && weft__parse_u64(text, strlen(text), UINT64_MAX, ret_seed) < 0)
        return weft__sim_refused_environment("WEFT_SIM_SEED", "a number is wanted");
    if (*ret_seed == 0)
        *ret_seed = 1;
    return 0;
}

int weft__report_watch(struct weft__driver *driver) {
    const char *trace = weft__env("WEFT_SIM_TRACE"), *log = weft__env("WEFT_SIM_LOG");
    int error = weft__os_at_exit(at_exit);
    if (error == 0 && trace && (error = weft__sim_capture_open(driver, trace)) < 0)
        (void)weft__sim_refused_environment("WEFT_SIM_TRACE", "the file cannot be written");
    if (error == 0 && log && (error = weft__sim_log_open(driver, log)) < 0)
        (void)weft__sim_refused_environment("WEFT_SIM_LOG", "the file cannot be written");
    return error;
}

void weft__report_begin(void) {
    const char *fd = weft__env("WEFT_SIM_REPORT_FD");
    uint64_t number;
    bool is_there = fd && weft__parse_u64(fd, strlen(fd), INT32_MAX, &number) == 0;
    report_fd = is_there ? (int)number : -1;
    has_failed = false;
    const char *faults = weft__env("WEFT_SIM_FAULTS");
    struct weft__text text;
    weft__text_init(&text, limits, sizeof limits);
    if (faults)
        weft__text_putf(&text, "WEFT_SIM_FAULTS=%s ", faults);
    weft__os_command_line(command, sizeof command);
    weft__crash_watch(say_signal);
}

void weft__report_end(int result) {
    write_report(result);
    weft__crash_unwatch();
}

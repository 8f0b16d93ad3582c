// SPDX-License-Identifier: MIT
//
// The watchdog: finds and reports a task that keeps its worker for too long, by looking at the
// worker now and then from outside. When it looks is the monitor's affair (monitor.c).
#ifndef WEFT__WATCHDOG_H
#define WEFT__WATCHDOG_H

#include "os/look.h"
#include "task/worker.h"

struct weft__watched { // what the last look at a worker has found; zeroed before the first
    struct weft__task *task;
    uint64_t switches;
    bool is_reported;        // this task, since it was given the processor
    int64_t kept_ns;         // by it
    struct weft__look began; // when that was 0
};

// Looks once more, `passed_ns` after the last time; reports a task that has run without a pause for
// `patience_ns`, once. Returns whether nothing has run since but what ran then.
bool weft__watchdog_look(struct weft__worker *worker, struct weft__watched *watched,
                         int64_t patience_ns, int64_t passed_ns);

// Whether the worker's thread is outside weft with task zero, and there is nothing more to say of
// that until it comes back.
bool weft__watchdog_is_done(struct weft__worker *worker, const struct weft__watched *watched);

#endif

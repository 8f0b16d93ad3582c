// SPDX-License-Identifier: MIT
//
// The workers of a runtime among themselves: where a new task goes, who is called when one has more
// than it can start, and what one without work takes from the others. Policy only: nothing here
// keeps a task, and a wrong guess costs time, never a task (worker.c, "Sleep").
#ifndef WEFT__BALANCE_H
#define WEFT__BALANCE_H

#include "task/worker.h"

// Part of the runtime.
struct weft__balance {
    WEFT__ATOMIC(uint32_t) asleep;    // workers that sleep or are about to
    WEFT__ATOMIC(uint32_t) searching; // workers that look for tasks, or were called to
    WEFT__ATOMIC(uint32_t) watching;  // workers that sleep for a short time, and then search
    WEFT__ATOMIC(int64_t) pause_ns;   // that time: grows while searches are in vain
    WEFT__ATOMIC(uint32_t) next;      // where the next look for the least busy one begins
};

// The worker with the fewest living tasks, for one from elsewhere. None whose thread is outside
// weft, unless there is no other.
struct weft__worker *weft__balance_place(struct weft__runtime *runtime);

// Task zero of the worker runs, and what it does outside weft is not known: nobody places a task
// there then. Or it waits inside weft again.
void weft__balance_leave(struct weft__worker *worker, bool is_away);

// How many tasks no other worker can run: those that have started there; all, if it is the only
// one.
uint64_t weft__balance_bound(struct weft__worker *worker);

// The worker may have tasks that others could start: wakes one of them, if one sleeps and nobody is
// looking or soon will.
void weft__balance_call(struct weft__worker *worker);

// By the monitor, now and then: wakes somebody for tasks that others could start and that nobody
// has touched since its last look. True: there are some.
struct weft__overdue { // what that has found; zeroed before the first
    uint64_t stamp;
    bool has_some;
};
bool weft__balance_look(struct weft__worker *worker, struct weft__overdue *overdue);

// The worker has nothing to do: takes tasks that others have not started. Only those that nobody
// has got round to while it was looking, because a busy worker is quicker than a thief. True: it
// has some.
bool weft__balance_search(struct weft__worker *worker);

// Around its sleep. `until_ns` is cut short while others have or may soon have what it could take,
// or when the last task has ended and somebody waits for that.
void weft__balance_fall_asleep(struct weft__runtime *runtime);
int64_t weft__balance_sleep_until(struct weft__worker *worker, int64_t until_ns);
void weft__balance_rise(struct weft__worker *worker, bool is_called);

#endif

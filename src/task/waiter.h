// SPDX-License-Identifier: MIT
//
// A waiter: whoever can wait, a task or a plain thread. What both have in common stands here, and
// `weft__self`, the one way to learn who is calling. How a waiter waits is park.h.
#ifndef WEFT__WAITER_H
#define WEFT__WAITER_H

#include "base/atomic.h"
#include "base/list.h"

#include <stddef.h>
#include <stdint.h>
#include <weft/addr.h>

struct weft__driver;
struct weft__worker;
struct weft__scope;
struct weft__block;

enum {
    WEFT__SUBJECT_SIZE = 112, // text of `where`, cut with its beginning kept
    WEFT__NAME_SIZE = 32,     // of a task
};

// What a waiter waits for, or did last. For reports: read by those who hold it (park.c, rule 6).
struct weft__wait {
    const char *what;  // static; NULL: nothing yet
    int handle;        // or 0
    const char *where; // lives as long as the wait; or NULL
    int64_t since;     // on the worker's clock
};

// The record behind weft_explain, weft_timed_out and weft_moved: call, code, subject and count. The
// sentence is made of it on demand.
struct weft__failure {
    const char *call; // static: "read"; NULL: nothing has failed
    int code;         // negative
    bool is_deadline;
    bool has_addr;
    size_t moved;
    const char *detail;            // static: a cause more exact than the code, or NULL
    int handle;                    // subject, if > 0
    weft_addr addr;                // subject, if has_addr
    char text[WEFT__SUBJECT_SIZE]; // subject, if not empty
    bool is_joined;                // what a task had recorded whose error a join answered,
    char task[WEFT__NAME_SIZE];    // and its name, or ""
};

// What is seldom looked at. A task keeps it at the top of its stack, a thread in its record.
struct weft__notes {
    struct weft__failure failure; // first
    struct weft__wait wait;
    const void *place;   // in the code: where the weft_go returned to that started the task
    uint64_t refused_at; // refusals.c's
    uint32_t refused;
};

// Waiters live in type-stable memory: a record is reused for another waiter, but never freed while
// somebody may still hold its address. A late wake is therefore harmless: it is a spurious one.
struct weft__waiter {
    // What every call and every switch looks at, together (worker.h).
    WEFT__ATOMIC(uint32_t) word;       // park.c
    WEFT__ATOMIC(uint32_t) cancelled;  // set by scope.c, any thread
    int64_t deadline;                  // the one in force; INT64_MAX: none
    int32_t budget;                    // operations left until it yields
    bool is_thread;                    // a thread's record (a plain thread, or task zero): for ever
    bool may_not_wait;                 // runs on the reserve stack: there is no other to wait on
    WEFT__ATOMIC(uint16_t) started_on; // a task: its worker's number; 0: not started
    uint32_t seen;                     // of the word, when it last returned from a park

    WEFT__ATOMIC(uint32_t) wakers;   // a thread's record: wakes under way, see park.c
    WEFT__ATOMIC(int64_t) cancel_at; // when it was cancelled, on the monotonic clock

    // All below, as deadline and budget, is touched by the waiter itself, or by the thread of its
    // worker.
    struct weft__worker *worker; // NULL: a plain thread
    struct weft__driver *driver; // the worker's, or the thread's own
    struct weft__scope *scope;   // the scope it lives in; NULL: task zero, a plain thread
    struct weft__list scopes;    // those it used first and has not joined
    union {
        struct weft__failure *failure; // in its notes
        const void *place;             // before it has started: weft__notes.place
    };
    struct weft__block *blocks; // innermost weft_within or weft_shield, or NULL
    int64_t inherited;          // what it was started with
    uint32_t shields;           // how many of the blocks are shields
    uint32_t host;              // 0: this machine; else one of the simulator's, inherited
};

static inline struct weft__notes *weft__notes_of(const struct weft__waiter *waiter) {
    return (struct weft__notes *)waiter->failure;
}

// Whether this process is the child that a process with a runtime forked, and has not started one
// itself: then every call but weft_close answers -ECHILD. Set and cleared in fork.c and runtime.c.
extern WEFT__ATOMIC(uint32_t) weft__orphaned;
static inline bool weft__is_orphan(void) {
    return weft__load(&weft__orphaned, relaxed) != 0;
}

// Whether a simulation runs (src/sim): the calls of other threads would not be repeatable, so they
// are refused, and the log says so once. 0 or -ENOTSUP. In thread.c.
extern WEFT__ATOMIC(uint32_t) weft__threads_barred;
int weft__thread_refused(void);
static inline int weft__barred(const struct weft__waiter *self) {
    bool is_free = self->worker || weft__load(&weft__threads_barred, relaxed) == 0;
    return is_free ? 0 : weft__thread_refused();
}

// In refusals.c: the task was told of its cancellation once more. One that ignores that for ever,
// and lets nobody else run, ends the process. Returns -ECANCELED. Debug builds count so.
int weft__count_refusal(struct weft__waiter *self);

// The calling task or thread. NULL only when a thread's first call finds no memory for its record.
struct weft__waiter *weft__self(void);

// Records a failure of `call` and returns `code`. The subject is a handle, or 0.
int64_t weft__failed(struct weft__waiter *self, const char *call, int handle, int64_t code);
// What was recorded came from a weft_within, if the code is -ETIMEDOUT.
void weft__failed_by_deadline(struct weft__waiter *self, int64_t code);
// The same for a call that has no handle yet: the subject is an address or the text that was given.
int64_t weft__failed_addr(struct weft__waiter *self, const char *call, const weft_addr *addr,
                          int64_t code);
int64_t weft__failed_text(struct weft__waiter *self, const char *call, const char *text,
                          const char *detail, int64_t code);

#endif

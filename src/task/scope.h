// SPDX-License-Identifier: MIT
//
// Scopes: what tasks live in, and the tree along which cancellation runs downward. The public
// weft_scope is the memory of this struct; a zeroed one is an empty scope that nobody has used.
#ifndef WEFT__SCOPE_H
#define WEFT__SCOPE_H

#include "os/lock.h"
#include "task/waiter.h"

struct weft__task;

struct weft__scope {
    // Guards all below but `sibling` (the parent's lock) and `owned` (the owner). Biased to the
    // worker of who used the scope first.
    struct weft__biased_lock lock;
    uint32_t flags;  // WEFT__SCOPE_*
    uint32_t living; // tasks that have not ended
    int32_t first_error;
    // While it is used, 1 + weft__fork_epoch: scopes of a parent process are gone. Read by anybody.
    WEFT__ATOMIC(uint32_t) epoch;
    struct weft__list tasks;    // by `member`
    struct weft__list children; // by `sibling`
    struct weft__list sibling;
    struct weft__list owned; // in the list of its owner
    struct weft__scope *parent;
    struct weft__waiter *owner; // who used it first and will join it
    union {
        int64_t cancel_at; // if cancelled: when
        const void *place; // if not: where in the code its first weft_go returned to
    };
    struct weft__failure *cause; // what the task of `first_error` had recorded, or NULL; ours
};

enum {
    WEFT__SCOPE_USED = 1,
    WEFT__SCOPE_CANCELLED = 2,
    WEFT__SCOPE_JOINING = 4,
};

void weft__scope_init_root(struct weft__scope *root);
// The runtime goes: scopes that were below its root are roots of nothing.
void weft__scope_orphan_children(struct weft__scope *root, struct weft__waiter *self);
// All tasks have ended: the owner may, but need not join its scopes any more.
void weft__scope_disown_all(struct weft__waiter *owner);

// Adds a task on behalf of `self`; `root` is the runtime's. Returns 0 or -EBUSY.
int weft__scope_add(struct weft__scope *scope, struct weft__waiter *self, struct weft__task *task,
                    struct weft__scope *root);
// A task of the scope has ended with `result`. The scope may be gone when this returns.
void weft__scope_remove(struct weft__scope *scope, struct weft__task *task, int result);
void weft__scope_cancel(struct weft__scope *scope, struct weft__waiter *self);
// The tasks of the scope and of all below will never run again (freeze.h): it is as if it had none,
// and was not cancelled; those below are empty ones that nobody uses.
void weft__scope_abandon(struct weft__scope *scope);
// Visits `top` and all below it, each before those below it and with its lock held, so that its
// tasks stay while it is visited. `worker` is the calling thread's, or NULL.
void weft__scope_walk(struct weft__scope *top, const struct weft__worker *worker,
                      void (*visit)(struct weft__scope *scope, void *arg), void *arg);

// Of a waiter that has gone without joining a scope: where the first such scope was first used, if
// that is still to be read; NULL: it is not. To be called before what frames held is overwritten.
static inline const void *weft__scope_forgotten_place(const struct weft__waiter *waiter) {
    struct weft__scope *scope =
        WEFT__CONTAINER(weft__list_first(&waiter->scopes), struct weft__scope, owned);
    return scope->flags & WEFT__SCOPE_CANCELLED ? NULL : scope->place;
}
// In forgotten.c: ends the process. `who` is a sentence's beginning: "a thread ended".
_Noreturn void weft__scope_forgotten(const char *who, const void *place);

extern uint32_t weft__fork_epoch; // how many forks away from the first process; set in fork.c

#endif

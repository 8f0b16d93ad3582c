// SPDX-License-Identifier: MIT
//
// Scopes: add, remove, cancel, join.
//
// 1. Locks. Each scope has one; where two are held, the parent's was taken first, or without
//    waiting. A child is linked and unlinked under its parent's lock, so whoever holds that may
//    walk the children.
// 2. A scope is linked below its parent from its first use until it was joined. Parent: the scope
//    of the task that uses it first; for task zero, plain threads, and a scope that outlived its
//    runtime and is used again, the runtime's root.
// 3. Cancelling marks the scope, each of its tasks and each scope below, and wakes the tasks. What
//    comes later (a task, a child scope) copies the mark under the same lock, so none is missed.
// 4. Join ends when it finds no living task under the lock. The task that ends last takes the lock,
//    counts itself out, unlocks, and then touches the scope no more: it may be gone. The joiner
//    that it wakes is a waiter, whose record stays (park.c).
// 5. A join unlinks the scope and makes it an unused one in one step, under both locks, so that
//    whoever uses it next, from whatever thread, finds it either busy or empty. The root may go
//    away with its runtime meanwhile: it lets its children go under their locks first, and who
//    follows `parent` to a root does so in a foreign section (park.c, rule 5).
#include "task/scope.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/park.h"
#include "task/task.h"

#include <errno.h>
#include <string.h>
#include <weft/task.h>

_Static_assert(sizeof(struct weft__scope) <= sizeof(weft_scope), "weft_scope is too small");

uint32_t weft__fork_epoch;

static void enter(struct weft__scope *scope, const struct weft__waiter *self) {
    weft__biased_lock(&scope->lock, self->worker);
}

void weft__scope_init_root(struct weft__scope *root) {
    weft__list_init(&root->tasks);
    weft__list_init(&root->children);
    root->flags = WEFT__SCOPE_USED;
    weft__store(&root->epoch, weft__fork_epoch + 1, relaxed);
}

void weft__scope_orphan_children(struct weft__scope *root, struct weft__waiter *self) {
    struct weft__list *node;
    enter(root, self);
    while ((node = weft__list_pop_front(&root->children))) {
        struct weft__scope *child = WEFT__CONTAINER(node, struct weft__scope, sibling);
        enter(child, self);
        child->parent = NULL;
        weft__free(child->cause); // it may never be joined
        child->cause = NULL;
        weft__biased_unlock(&child->lock);
    }
    weft__biased_unlock(&root->lock);
}

void weft__scope_disown_all(struct weft__waiter *owner) {
    while (weft__list_pop_front(&owner->scopes))
        ;
}

// A scope that was in use when the process forked is gone in the child: it is an empty one again.
// Its lock may be held by a thread that is no more, so this looks before it is taken.
static void forget_before_fork(struct weft__scope *scope) {
    uint32_t epoch = weft__load(&scope->epoch, relaxed);
    if (epoch != 0 && epoch != weft__fork_epoch + 1)
        memset(scope, 0, sizeof *scope);
}

static bool is_used(const struct weft__scope *scope) {
    return (scope->flags & WEFT__SCOPE_USED) != 0;
}

static void begin_use(struct weft__scope *scope, struct weft__waiter *self, const void *place) {
    if (!(scope->flags & WEFT__SCOPE_CANCELLED))
        scope->place = place;
    scope->flags |= WEFT__SCOPE_USED;
    weft__store(&scope->epoch, weft__fork_epoch + 1, relaxed);
    scope->owner = self;
    weft__bias_to(&scope->lock, self->worker);
    weft__list_init(&scope->tasks);
    weft__list_init(&scope->children);
    weft__list_push_back(&self->scopes, &scope->owned);
}

static void link_below(struct weft__scope *parent, struct weft__scope *scope) {
    scope->parent = parent;
    weft__list_push_back(&parent->children, &scope->sibling);
    if (parent->flags & WEFT__SCOPE_CANCELLED) {
        scope->flags |= WEFT__SCOPE_CANCELLED;
        scope->cancel_at = parent->cancel_at;
    }
}

// Takes the parent's lock as well (rule 1). False: the scope's was let go meanwhile, and what the
// caller knew of it may be true no more.
static bool enter_parent(struct weft__scope *parent, struct weft__scope *scope,
                         struct weft__waiter *self) {
    if (weft__biased_try(&parent->lock, self->worker))
        return true;
    weft__biased_unlock(&scope->lock);
    enter(parent, self);
    enter(scope, self);
    return false;
}

// Links a scope that has no parent below one, and on first use makes `self` its owner; called and
// returns with its lock held. Somebody else may have used or joined it meanwhile.
static void open_scope(struct weft__scope *scope, struct weft__waiter *self,
                       struct weft__scope *root, const void *place) {
    bool was_used = is_used(scope);
    // One from before this runtime has an owner, who may well join it after this task's scope has
    // gone.
    struct weft__scope *parent = self->scope && !was_used ? self->scope : root;
    if (enter_parent(parent, scope, self) || (!scope->parent && is_used(scope) == was_used)) {
        if (!was_used)
            begin_use(scope, self, place);
        link_below(parent, scope);
    }
    weft__biased_unlock(&parent->lock);
}

static void mark(struct weft__waiter *waiter, int64_t cancel_at) {
    weft__store(&waiter->cancel_at, cancel_at, relaxed);
    weft__store(&waiter->cancelled, 1, release);
}

int weft__scope_add(struct weft__scope *scope, struct weft__waiter *self, struct weft__task *task,
                    struct weft__scope *root) {
    forget_before_fork(scope);
    enter(scope, self);
    while (!scope->parent) // unused, or from before the runtime was started anew
        open_scope(scope, self, root, task->waiter.place);
    bool is_refused = scope->flags & WEFT__SCOPE_JOINING && self->scope != scope;
    if (!is_refused) {
        scope->living++;
        task->waiter.scope = scope;
        weft__list_push_back(&scope->tasks, &task->member);
        if (scope->flags & WEFT__SCOPE_CANCELLED)
            mark(&task->waiter, scope->cancel_at);
    }
    weft__biased_unlock(&scope->lock);
    return is_refused ? -EBUSY : 0;
}

// What the task has recorded about the error it answers, to be told by who joins. NULL: nothing, or
// no memory.
static WEFT__NOINLINE struct weft__failure *copy_cause(const struct weft__task *task, int result) {
    const struct weft__failure *record = task->waiter.failure;
    if (!record->call || record->code != result)
        return NULL;
    struct weft__failure *cause = weft__alloc(sizeof *cause);
    if (!cause)
        return NULL;
    *cause = *record;
    if (!cause->is_joined) {
        cause->task[0] = '\0';
        if (task->name)
            memcpy(cause->task, task->name, WEFT__NAME_SIZE);
    }
    cause->is_joined = true;
    return cause;
}

void weft__scope_remove(struct weft__scope *scope, struct weft__task *task, int result) {
    struct weft__failure *cause = result < 0 ? copy_cause(task, result) : NULL;
    enter(scope, &task->waiter);
    weft__list_remove(&task->member);
    if (result < 0 && scope->first_error == 0) {
        scope->first_error = result;
        if (scope->parent) { // else its runtime has ended, and it may never be joined
            scope->cause = cause;
            cause = NULL;
        }
    }
    bool is_last = --scope->living == 0 && scope->flags & WEFT__SCOPE_JOINING;
    struct weft__waiter *joiner = is_last ? scope->owner : NULL;
    weft__biased_unlock(&scope->lock);
    if (joiner)
        weft__unpark(joiner);
    if (cause)
        weft__free(cause);
}

// ---- Cancelling -----------------------------------------------------------------------------

// Marks one locked scope; false if it was marked before, and with it all below.
static bool cancel_one(struct weft__scope *scope, int64_t now) {
    if (scope->flags & WEFT__SCOPE_CANCELLED)
        return false;
    scope->flags |= WEFT__SCOPE_CANCELLED;
    scope->cancel_at = now;
    if (!(scope->flags & WEFT__SCOPE_USED))
        return false;
    struct weft__list *node = weft__list_first(&scope->tasks);
    for (; node; node = weft__list_next(&scope->tasks, node)) {
        struct weft__task *task = WEFT__CONTAINER(node, struct weft__task, member);
        mark(&task->waiter, now);
        weft__unpark(&task->waiter);
    }
    return true;
}

// The scope after `scope` in depth-first order inside `top`, locked; it and all it passes are
// unlocked.
static struct weft__scope *next_scope(struct weft__scope *top, struct weft__scope *scope,
                                      bool goes_down, const struct weft__worker *worker) {
    struct weft__list *node = goes_down ? weft__list_first(&scope->children) : NULL;
    while (!node && scope != top) {
        struct weft__scope *parent = scope->parent;
        node = weft__list_next(&parent->children, &scope->sibling);
        weft__biased_unlock(&scope->lock);
        scope = parent;
    }
    if (!node) {
        weft__biased_unlock(&top->lock);
        return NULL;
    }
    struct weft__scope *next = WEFT__CONTAINER(node, struct weft__scope, sibling);
    weft__biased_lock(&next->lock, worker);
    return next;
}

// Without recursion: the tree may be as deep as memory is large, and this runs on a task's stack.
// The locks on the way from `scope` to the place of the walk are held.
void weft__scope_cancel(struct weft__scope *scope, struct weft__waiter *self) {
    int64_t now = weft__fresh_now(self);
    weft__foreign_enter();
    enter(scope, self);
    for (struct weft__scope *at = scope; at;)
        at = next_scope(scope, at, cancel_one(at, now), self->worker);
    weft__foreign_leave();
}

void weft__scope_strike(struct weft__task *task) {
    bool is_lost = !task->waiter.scope;
    if (!is_lost && weft__driver_choose(task->waiter.driver, WEFT__PICK_CANCEL, 2) == 1)
        weft__scope_cancel(task->waiter.scope, &task->waiter);
}

static void empty(struct weft__scope *scope) {
    while (weft__list_pop_front(&scope->tasks))
        ;
    weft__free(scope->cause);
    scope->cause = NULL;
    scope->living = 0;
    scope->first_error = 0;
}

// Nobody else runs meanwhile: the locks are not needed.
void weft__scope_abandon(struct weft__scope *top) {
    for (struct weft__scope *at = top;;) {
        struct weft__list *node = weft__list_first(&at->children);
        if (node) {
            at = WEFT__CONTAINER(node, struct weft__scope, sibling);
            continue;
        }
        empty(at);
        if (at == top)
            break;
        struct weft__scope *parent = at->parent;
        weft__list_remove(&at->sibling);
        weft__list_remove(&at->owned);
        memset(at, 0, sizeof *at);
        at = parent;
    }
    if (top->flags & WEFT__SCOPE_CANCELLED)
        top->place = NULL;
    top->flags &= ~(uint32_t)WEFT__SCOPE_CANCELLED;
    if (top->flags & WEFT__SCOPE_JOINING)
        weft__unpark(top->owner);
}

void weft__scope_walk(struct weft__scope *top, const struct weft__worker *worker,
                      void (*visit)(struct weft__scope *scope, void *arg), void *arg) {
    weft__biased_lock(&top->lock, worker);
    for (struct weft__scope *at = top; at; at = next_scope(top, at, true, worker))
        visit(at, arg);
}

void weft_cancel(weft_scope *public) {
    struct weft__scope *scope = (struct weft__scope *)public;
    struct weft__waiter *self = weft__self();
    if (!scope || !self || weft__is_orphan())
        return;
    forget_before_fork(scope);
    weft__scope_cancel(scope, self);
}

// ---- Joining --------------------------------------------------------------------------------

static void park(struct weft__waiter *self, int64_t until_ns) {
    weft__waits(self, "join", 0, NULL);
    weft__park(self, until_ns);
}

// Waits for the last task; called and returns with the lock held. Returns the interruption, or 0.
// One that comes while the last tasks end counts, whoever of them runs first.
static int wait_for_last(struct weft__scope *scope, struct weft__waiter *self) {
    bool is_passed_on = false;
    while (scope->living > 0) {
        weft__biased_unlock(&scope->lock);
        bool is_interrupted = weft__interrupted(self) < 0;
        if (is_interrupted && !is_passed_on)
            weft__scope_cancel(scope, self);
        else
            park(self, is_passed_on ? INT64_MAX : weft__interrupt_at(self));
        is_passed_on = is_interrupted;
        enter(scope, self);
    }
    return weft__interrupted(self);
}

// Rule 5. Called with the scope's lock held, returns without.
static void close_scope(struct weft__scope *scope, struct weft__waiter *self) {
    weft__foreign_enter();
    struct weft__scope *parent;
    while ((parent = scope->parent) && !enter_parent(parent, scope, self) &&
           scope->parent != parent)
        weft__biased_unlock(&parent->lock); // the runtime has ended meanwhile, and with it the root
    weft__list_remove(&scope->sibling);
    weft__list_remove(&scope->owned);
    scope->parent = NULL;
    scope->owner = NULL;
    scope->first_error = 0;
    scope->flags = 0;
    weft__store(&scope->epoch, 0, relaxed);
    weft__biased_unlock(&scope->lock);
    if (parent)
        weft__biased_unlock(&parent->lock);
    weft__foreign_leave();
}

static WEFT__NOINLINE void record(struct weft__waiter *self, int error, int interruption,
                                  const struct weft__failure *cause) {
    if (interruption == 0 && cause) {
        *self->failure = *cause;
        return;
    }
    (void)weft__failed(self, "join", 0, error);
    weft__failed_by_deadline(self, interruption);
}

int weft_join(weft_scope *public) {
    struct weft__scope *scope = (struct weft__scope *)public;
    struct weft__waiter *self = weft__self();
    if (!self)
        return -ENOMEM;
    if (!scope)
        return (int)weft__failed(self, "join", 0, -EINVAL);
    if (weft__is_orphan())
        return (int)weft__failed(self, "join", 0, -ECHILD);
    forget_before_fork(scope);
    enter(scope, self);
    if (!(scope->flags & WEFT__SCOPE_USED)) {
        scope->flags = 0;
        weft__biased_unlock(&scope->lock);
        return 0;
    }
    if (scope->owner != self) {
        weft__biased_unlock(&scope->lock);
        return (int)weft__failed(self, "join", 0, -EPERM);
    }
    scope->flags |= WEFT__SCOPE_JOINING;
    int interruption = wait_for_last(scope, self);
    int error = interruption < 0 ? interruption : scope->first_error;
    struct weft__failure *cause = scope->cause;
    scope->cause = NULL; // the end of the root frees what it finds, and may come in between
    close_scope(scope, self);
    if (error < 0)
        record(self, error, interruption, cause);
    weft__free(cause);
    return error;
}

static bool is_anothers(struct weft__scope *scope) {
    struct weft__waiter *self = weft__self();
    enter(scope, self);
    bool is_anothers = is_used(scope) && scope->owner != self;
    weft__biased_unlock(&scope->lock);
    return is_anothers;
}

void weft_priv_autojoin(weft_scope *public) {
    struct weft__scope *scope = (struct weft__scope *)public;
    if (weft__load(&scope->epoch, relaxed) != weft__fork_epoch + 1)
        return;             // never used, joined already, or of the process that forked
    if (is_anothers(scope)) // its memory goes now, and its tasks would go on in it
        PANIC("a weft_autojoin scope ends here that another task or thread used first, so that "
              "only that one can join it");
    weft_cancel(public);
    (void)weft_join(public); // whoever wants the error joins
}

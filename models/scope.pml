// SPDX-License-Identifier: MIT
//
// Scopes: add, remove, cancel and join, and the end of the root.
//
// Models src/task/scope.c, rules 1 to 5: open_scope, link_below, weft__scope_add,
// weft__scope_remove, cancel_one, next_scope, weft__scope_cancel, wait_for_last, enter_parent,
// close_scope, weft_join, weft__scope_orphan_children; and what weft__runtime_end in
// src/task/runtime.c does between the last task and the end of the root.
//
// A plain thread uses a scope below the root, starts a task in it, and joins; its join may have a
// deadline. The task starts a sibling, maybe while the join waits. Both end by themselves or wait
// to be cancelled. With -DTREE the task uses a scope of its own, starts a child there and joins
// that. At any moment another thread begins to stop the runtime: it cancels the root, waits until
// no task is alive, lets the scopes below the root go and frees it. A scope is in its user's frame,
// gone when its join returns. Each scope has one child at most, so that the step from sibling to
// sibling is not here. All is under locks or in seq_cst counts, so the memory is plain, and a
// section that takes no second lock is one step; park takes a token that unpark gives (park.pml).
//
// Shown: nobody touches a scope that is gone, nor the root; no lock is waited for for ever; each
// join ends, and not before the last task of its scope; every task and scope below a cancelled one
// is cancelled, whenever it came.
//
// holds: -DTREE

#define ROOT  0 // scopes
#define OUTER 1
#define INNER 2

#define THREAD  0 // waiters: who joins OUTER,
#define FIRST   1 // the task in OUTER that joins INNER,
#define SIBLING 2
#define CHILD   3

#define NOBODY 9

bit is_there[3] = {1, 0, 0};
bit is_locked[3];
bit is_cancelled[3];
bit is_joining[3];
byte living[3];
byte parent[3] = {NOBODY, NOBODY, NOBODY};
byte child[3] = {NOBODY, NOBODY, NOBODY};
byte owner[3] = {NOBODY, THREAD, FIRST};

byte member[4] = {NOBODY, NOBODY, NOBODY, NOBODY}; // of which scope
bit is_marked[4];
bit has_token[4];

byte alive; // tasks, as stop.c counts them
byte started;
byte foreign; // threads in a foreign section
byte ended; // processes

inline lock(s) {
    atomic { !is_locked[s] || !is_there[s] -> assert(is_there[s]); is_locked[s] = 1 }
}

inline unlock(s) {
    atomic { assert(is_there[s] && is_locked[s]); is_locked[s] = 0 }
}

inline park(w) {
    d_step { has_token[w] -> has_token[w] = 0 }
}

// ---- Adding and removing ---------------------------------------------------------------------

inline open_scope(s, p) { // below p
    is_there[s] = 1;
    atomic {
        lock(p); // and its own, which nobody else knows yet
        parent[s] = p;
        child[p] = s;
#ifndef PLANT_CHILD_SCOPE_NOT_MARKED
        is_cancelled[s] = is_cancelled[p];
#endif
        unlock(p)
    }
}

inline add(s, m) {
    atomic {
        lock(s);
        living[s]++;
        member[m] = s;
        alive++;
        started++;
#ifndef PLANT_TASK_NOT_MARKED
        is_marked[m] = is_cancelled[s];
#endif
        unlock(s);
        run task(m)
    }
}

inline remove(s, m) {
    alive--; // `ended` in worker.c
#ifdef PLANT_WAKE_BEFORE_COUNT
    has_token[owner[s]] = is_joining[s];
#endif
    atomic {
        lock(s);
        member[m] = NOBODY;
        living[s]--;
        joiner = (living[s] == 0 && is_joining[s] -> owner[s] : NOBODY);
        unlock(s)
    };
#ifdef PLANT_TOUCHED_AFTER_UNLOCK
    assert(is_there[s]);
#endif
#ifndef PLANT_WAKE_BEFORE_COUNT
    if
    :: joiner != NOBODY -> has_token[joiner] = 1
    :: else
    fi
#endif
}

// ---- Cancelling ------------------------------------------------------------------------------

inline mark_task(s, m) { // cancel_one
    if
    :: member[m] == s ->
        is_marked[m] = 1;
        has_token[m] = 1
    :: else
    fi
}

inline cancel(top) {
    lock(top);
    at = top;
    do
    :: !is_cancelled[at] ->
        d_step { // the order of mark and wake is in call.pml
            is_cancelled[at] = 1;
            mark_task(at, FIRST);
            mark_task(at, SIBLING);
            mark_task(at, CHILD)
        };
        if
        :: child[at] != NOBODY -> next = child[at]; lock(next); at = next
        :: else
        fi
    :: else -> // marked, now or before, and with it all below
        if
        :: at == top -> break
        :: else -> next = parent[at]; unlock(at); at = next
        fi
    od;
    unlock(top);
    d_step { at = 0; next = 0 }
}

// ---- Joining ---------------------------------------------------------------------------------

// With the lock of s: takes that of p as well, at once or by letting go of the other one.
inline enter_parent(p, s) {
    atomic {
        if
        :: !is_locked[p] -> assert(is_there[p]); is_locked[p] = 1; is_kept = 1
        :: true -> is_kept = 0 // it is locked, or another's
        fi
    };
    if
    :: is_kept
#ifdef PLANT_CHILD_LOCKED_FIRST
    :: else -> lock(p)
#else
    :: else ->
        unlock(s);
        lock(p);
        lock(s)
#endif
    fi
}

inline close_scope(s) { // called with its lock held
#ifndef PLANT_NO_FOREIGN_SECTION
    foreign++;
#endif
    do
    :: p = parent[s];
        if
        :: p == NOBODY -> break
        :: else
        fi;
#ifdef PLANT_UNLINKED_WITHOUT_PARENT
        child[p] = NOBODY;
        p = NOBODY;
        break;
#endif
        enter_parent(p, s);
        if
        :: is_kept || parent[s] == p -> break
        :: else -> unlock(p)
        fi
    od;
    atomic {
        is_kept = 0;
        parent[s] = NOBODY;
        if
        :: p != NOBODY -> child[p] = NOBODY
        :: else
        fi
    };
    atomic {
        unlock(s);
        if
        :: p != NOBODY -> unlock(p)
        :: else
        fi;
        p = 0
    };
#ifndef PLANT_NO_FOREIGN_SECTION
    foreign--
#endif
}

#ifdef PLANT_JOIN_OFF_BY_ONE
#define LAST 1
#else
#define LAST 0
#endif

inline join(s, w) { // by waiter w
    lock(s);
    is_joining[s] = 1;
    do // wait_for_last
    :: living[s] <= LAST -> break
    :: atomic { living[s] > LAST -> unlock(s) };
        if
        :: (is_marked[w] || is_expired) && !is_passed_on -> is_passed_on = 1; cancel(s)
        :: else ->
            if
            :: park(w)
            :: has_deadline && !is_expired -> is_expired = 1
            fi
        fi;
        lock(s)
    od;
    close_scope(s);
    is_there[s] = 0 // its user's frame goes on
}

// ---- Who does it -----------------------------------------------------------------------------

inline live(m) { // ends by itself, or when it is cancelled
    if
    :: true
    :: true ->
        do
        :: is_marked[m] -> break
        :: else -> park(m)
        od
    fi
}

proctype task(byte m) {
    byte at, next, p, joiner;
    bit is_expired, is_passed_on, has_deadline, is_kept;
    if
    :: m == FIRST ->
#ifdef TREE
        open_scope(INNER, OUTER);
        add(INNER, CHILD);
        join(INNER, FIRST)
#else
        add(OUTER, SIBLING);
        live(m)
#endif
    :: else -> live(m)
    fi;
    if
    :: m == CHILD -> remove(INNER, m)
    :: else -> remove(OUTER, m)
    fi;
    ended++
}

active proctype thread() {
    byte at, next, p;
    bit is_expired, is_passed_on, has_deadline, is_kept;
    if
    :: has_deadline = 1
    :: true
    fi;
    open_scope(OUTER, ROOT);
    add(OUTER, FIRST);
    join(OUTER, THREAD);
    ended++
}

active proctype stopper() {
    byte at, next;
    cancel(ROOT);
    (started == 2 && alive == 0); // nobody comes any more: stop.pml
    lock(ROOT); // weft__scope_orphan_children
    if
    :: child[ROOT] != NOBODY ->
        next = child[ROOT];
        child[ROOT] = NOBODY;
        lock(next);
        parent[next] = NOBODY;
        unlock(next)
    :: else
    fi;
    unlock(ROOT);
    foreign == 0; // weft__foreign_drain
    is_there[ROOT] = 0;
    ended++
}

ltl every_join_ends { <> (ended == 4) }

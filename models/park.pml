// SPDX-License-Identifier: MIT
//
// The word of a waiter: park and unpark, and how a thread's record changes sides.
//
// Models src/task/park.c, rules 1 to 4 and 6: weft__park, park_thread, wake_thread, weft__unpark,
// weft__unpark_own, is_zero_here, count_wake, weft__hold, weft__let_go, weft__wakers_drain; in
// src/task/worker.c weft__worker_adopt and weft__worker_release; in src/task/thread.c end.
//
// A thread waits until the first waker has told it something, becomes task zero of a worker, waits
// there for the second, is a plain thread again, and ends: then its driver is gone. A third waker
// comes late: it wakes whoever uses the record, at any time and for no reason. Each wait may also
// end by itself: a thread's by its deadline or its own completion (weft__unpark_own), task zero's
// by its timer, each once. With -DTASK it is a task's record that is used for two tasks, one after
// the other, on two workers; and instead of the third wake somebody may twice hold it to look at
// it. A driver's wake is a flag (wake.pml); a worker's inbox holds at most this waiter (that its
// push wakes the worker is post_park.pml). The word counts as far as here wakes come.
//
// Shown: no wake is lost, a waiter is in at most one queue, one that is held does not run, and no
// waker reaches for a driver or a worker that is gone or was not the waiter's when it parked.
//
// holds: -DTASK
#ifdef PLANT_LET_GO_BY_STORE
#define TASK
#endif
#ifdef PLANT_LET_GO_WITHOUT_WAKE
#define TASK
#endif

#define THREADS 4
#define DEPTH   2

#define SELF 0 // threads; wakers are 1, 2 and 3

#define WORD   0 // places
#define TOLD   0 // plus the waker
#define WAKERS 3 // under way
#define WORKER 4 // of the waiter; 0: a plain thread
#define DRIVER 5
#define PLACES 6
#include "memory.pml"

#define PARKED   1 // WORD
#define HELD     2
#define ONE_WAKE 4

#ifdef PLANT_FORGETS_WAKE
#define WOKEN(word) ((word) & ~PARKED)
#else
#define WOKEN(word) (((word) + ONE_WAKE) & ~PARKED)
#endif

#define OWN     1 // DRIVER
#define WORKERS 2

bit is_there[3] = {0, 1, 1}; // of drivers; of workers, with -DTASK
bit is_woken[3]; // of drivers
byte inbox; // the worker in whose inbox the waiter is
bit has_reason = 1; // to end a wait by itself
bit is_over;
bit is_looked_at; // by a holder

inline count_wake(t) { // to `found` what was there
    d_step { MAY_MODIFY_SC(t, WORD) -> found = memory[WORD]; memory[WORD] = WOKEN(found) }
}

// ---- Parking ---------------------------------------------------------------------------------

inline suspend() { // the scheduler of the waiter's worker, on the same thread
    if
    :: d_step { inbox == LOAD(SELF, WORKER) -> inbox = 0 }
    :: has_reason -> // its timer, or a completion: unpark from here
        has_reason = 0;
        count_wake(SELF);
        if
        :: found & PARKED
        :: else -> d_step { inbox == LOAD(SELF, WORKER) -> inbox = 0 } // a waker was quicker
        fi
    fi
}

inline park_thread() {
    do
    :: !(LOAD(SELF, WORD) & PARKED) -> break
    :: else ->
        if
        :: d_step { is_woken[OWN] -> is_woken[OWN] = 0 }
        :: has_reason -> has_reason = 0; break // the deadline
        :: has_reason -> // a completion
            has_reason = 0;
            count_wake(SELF)
        fi
    od;
    found = 0;
#ifndef PLANT_STAYS_PARKED
    d_step {
        MAY_MODIFY(SELF, WORD) -> found = LOAD(SELF, WORD) & ~PARKED;
        modify(SELF, WORD, found)
    };
#endif
    skip
}

inline park() {
    CAS(SELF, WORD, seen, seen | PARKED, found);
    if
    :: found == seen && LOAD(SELF, WORKER) -> suspend()
    :: found == seen && !LOAD(SELF, WORKER) -> park_thread()
    :: else
    fi;
    d_step { seen = LOAD(SELF, WORD); found = 0 };
    assert(!is_looked_at && !(seen & HELD))
}

inline wait_until_told_by(who) {
    do
    :: LOAD(SELF, TOLD + who) -> break
    :: else -> park()
    od;
    has_reason = 1
}

inline change_sides(worker, driver) {
#ifndef PLANT_NO_DRAIN
    LOAD(SELF, WAKERS) == 0;
#endif
    STORE(SELF, WORKER, worker);
    STORE(SELF, DRIVER, driver)
}

active proctype self() {
    byte found, seen;
#ifdef TASK
    STORE(SELF, WORKER, 1);
    wait_until_told_by(1);
    FENCE(SELF);
    is_there[1] = 0; // the record's next task is another worker's
    seen = LOAD(SELF, WORD); // reset in task.c
    STORE(SELF, WORKER, 2);
    wait_until_told_by(2);
#else
    STORE(SELF, DRIVER, OWN);
    wait_until_told_by(1);
    change_sides(1, WORKERS);
    wait_until_told_by(2);
    change_sides(0, OWN);
    FENCE(SELF);
    is_there[WORKERS] = 0;
#ifndef PLANT_NO_DRAIN
    LOAD(SELF, WAKERS) == 0;
#endif
    is_there[OWN] = 0;
#endif
    is_over = 1
}

// ---- Waking ----------------------------------------------------------------------------------

inline wake(t) {
    if
    :: LOAD(t, WORKER) ->
        found = LOAD(t, WORKER);
        d_step { assert(is_there[found] && inbox == 0); inbox = found }
    :: else ->
        found = LOAD(t, DRIVER);
        d_step { assert(is_there[found]); is_woken[found] = 1 }
    fi
}

inline unpark(t) {
#ifdef TASK
    count_wake(t);
    if
    :: found & PARKED -> wake(t)
    :: else
    fi
#else
#ifndef PLANT_WAKERS_COUNTED_TOO_LATE
    COUNT_SC(t, WAKERS, 1);
#endif
#ifdef PLANT_LOOK_BEFORE_COUNT
    if
    :: LOAD(t, WORD) & PARKED -> count_wake(t)
    :: else -> found = 0
    fi;
#else
    count_wake(t);
#endif
#ifdef PLANT_WAKERS_COUNTED_TOO_LATE
    COUNT_SC(t, WAKERS, 1);
#endif
#ifdef PLANT_COUNTED_OUT_EARLY
    COUNT_SC(t, WAKERS, -1);
#endif
    if
#ifdef PLANT_WAKE_WHATEVER_WAS_FOUND
    :: wake(t)
#else
    :: found & PARKED -> wake(t)
    :: else
#endif
    fi;
#ifndef PLANT_COUNTED_OUT_EARLY
    COUNT(t, WAKERS, -1)
#endif
#endif
}

inline hold_and_let_go(t) {
    was = LOAD(t, WORD);
    if
    :: was & PARKED ->
        was = was & ~PARKED;
        CAS(t, WORD, (was | PARKED), (was | HELD), found);
        if
        :: found == (was | PARKED) ->
            is_looked_at = 1;
            is_looked_at = 0;
#ifdef PLANT_LET_GO_BY_STORE
            STORE(t, WORD, was | PARKED)
#else
            CAS(t, WORD, (was | HELD), (was | PARKED), found);
            if
            :: found == (was | HELD)
            :: else ->
                found = 0;
                d_step {
                    MAY_MODIFY(t, WORD) -> found = LOAD(t, WORD) & ~HELD;
                    modify(t, WORD, found)
                };
#ifndef PLANT_LET_GO_WITHOUT_WAKE
                FENCE(t); // the push is behind it
                wake(t)
#endif
            fi
#endif
        :: else
        fi
    :: else
    fi
}

active [THREADS - 1] proctype waker() {
    byte found;
    byte t = _pid - THREADS; // behind the drains and the waiter
#ifdef TASK
    byte was;
    if
    :: t < 3 -> STORE(t, TOLD + t, 1); unpark(t)
    :: t == 3 -> unpark(t)
    :: t == 3 -> hold_and_let_go(t); hold_and_let_go(t)
    fi
#else
    if
    :: t < 3 -> STORE(t, TOLD + t, 1)
    :: else
    fi;
    unpark(t)
#endif
}

ltl every_wait_ends { <> is_over }

// SPDX-License-Identifier: MIT
//
// The word of a waiter: park and unpark, and how a thread's record changes sides.
//
// Models src/task/park.c, rules 1 to 4: weft__park, park_thread, wake_thread, weft__unpark,
// weft__unpark_own, is_zero_here, count_wake, weft__wakers_drain; in src/task/worker.c weft__worker_adopt and
// weft__worker_release; in src/task/thread.c end.
//
// A thread waits until the first waker has told it something, becomes task zero of a worker, waits
// there for the second, is a plain thread again, and ends: then its driver is gone. A third waker
// comes late: it wakes whoever uses the record, at any time and for no reason. Each wait may also
// end by itself: a thread's by its deadline or its own completion (weft__unpark_own), task zero's
// by its timer, each once. With -DTASK it is a task's record that is used for two tasks, one after
// the other, on two workers. A driver's wake is a flag (wake.pml); a worker's inbox holds at most
// this waiter (that its push wakes the worker is post_park.pml). The word counts as far as here
// wakes come.
//
// Shown: no wake is lost, a waiter is in at most one queue, and no waker reaches for a driver or a
// worker that is gone or was not the waiter's when it parked.
//
// holds: -DTASK
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
#define ONE_WAKE 2

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
    d_step { seen = LOAD(SELF, WORD); found = 0 }
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

active [THREADS - 1] proctype waker() {
    byte found;
    byte t = _pid - THREADS; // behind the drains and the waiter
    if
    :: t < 3 -> STORE(t, TOLD + t, 1)
    :: else
    fi;
    unpark(t)
}

ltl every_wait_ends { <> is_over }

// SPDX-License-Identifier: MIT
//
// Post and park: how a worker goes to sleep while others hand it tasks.
//
// Models, in src/task/worker.c: inbox_push, inbox_drain, weft__worker_place, weft__worker_nudge,
// sleep_in_driver, weft__worker_stop; in src/task/unstarted.c: place, take_placed; in
// src/task/balance.c: call_one, weft__balance_fall_asleep, weft__balance_rise.
//
// One worker. One thread pushes a woken task into its inbox, another places one in its queue, a
// third, a worker that wants help, calls it; and when all tasks have run it is stopped. The
// driver's wake is a flag that a wait consumes (that it may be one is shown in wake.pml); a wait
// ends without reason at most once. A section under the lock of the placed queue is one step. The
// worker's search, which finds nothing, is left out but for its count.
//
// Shown: each task runs, and once; the worker never sleeps while one is there (no state in which
// all stand still); when it has stopped, nobody is counted as asleep or as searching.
//
// On x86 the read-modify-write before each fence (the push, the count of sleepers) is one already:
// holds: -DX86 -DPLANT_NO_POST_FENCE -DPLANT_NO_PARK_FENCE
#define THREADS 4
#define DEPTH 2

#define WORKER 0 // threads
#define POSTER 1
#define PLACER 2
#define CALLER 3

#define INBOX     0 // places
#define PLACED    1
#define SLEEPING  2
#define WAKE      3
#define STOPPING  4
#define ASLEEP    5 // the counts of balance.h
#define SEARCHING 6
#define PLACES    7
#include "memory.pml"

#define RUNS         0 // SLEEPING
#define IS_ASLEEP    1
#define IS_CALLED    2

#define ALL 3 // a bit for each task

byte ran; // by the worker
byte callers; // that are done
bit may_wake_early = 1;
bit is_stopped;

inline start(tasks) {
    d_step { assert(!(ran & tasks)); ran = ran | tasks; tasks = 0 }
}

// ---- Others ----------------------------------------------------------------------------------

inline nudge(t) {
#ifndef PLANT_NO_POST_FENCE
    FENCE(t);
#endif
    if
    :: LOAD(t, SLEEPING) == IS_ASLEEP ->
        CAS(t, SLEEPING, IS_ASLEEP, RUNS, found);
        if
        :: found == IS_ASLEEP -> EXCHANGE(t, WAKE, 1, found)
        :: else
        fi
    :: else
    fi
}

active proctype poster() { // inbox_push
    byte found;
#ifdef PLANT_WAKE_BEFORE_PUSH
    nudge(POSTER);
    COUNT(POSTER, INBOX, 1)
#else
    COUNT(POSTER, INBOX, 1);
    nudge(POSTER)
#endif
}

active proctype placer() { // weft__worker_place
    byte found;
    COUNT(PLACER, PLACED, 2);
    nudge(PLACER)
}

active proctype caller() { // call_one
    byte found;
    if
    :: LOAD(CALLER, SLEEPING) == IS_ASLEEP ->
#ifndef PLANT_COUNT_AFTER_CALL
        COUNT(CALLER, SEARCHING, 1);
#endif
        CAS(CALLER, SLEEPING, IS_ASLEEP, IS_CALLED, found);
        if
        :: found == IS_ASLEEP ->
#ifdef PLANT_COUNT_AFTER_CALL
            COUNT(CALLER, SEARCHING, 1);
#endif
            EXCHANGE(CALLER, WAKE, 1, found)
        :: else ->
#ifndef PLANT_COUNT_AFTER_CALL
            COUNT(CALLER, SEARCHING, -1)
#endif
        fi
    :: else
    fi;
    FENCE(CALLER);
    callers++
}

active proctype stopper() { // weft__worker_stop, once no task is alive
    (ran == ALL && callers == 1);
    d_step { memory[STOPPING] = 1 };
    d_step { holder[WAKE] == 0 -> memory[WAKE] = 1 }
}

// ---- The worker ------------------------------------------------------------------------------

inline drain_doors() {
    if
    :: LOAD(WORKER, INBOX) -> EXCHANGE(WORKER, INBOX, 0, found); start(found)
    :: else
    fi;
    if
    :: LOAD(WORKER, PLACED) -> EXCHANGE(WORKER, PLACED, 0, found); start(found)
    :: else
    fi
}

inline wait() { // of the driver
    if
    :: d_step { LOAD(WORKER, WAKE) && MAY_MODIFY(WORKER, WAKE) -> modify(WORKER, WAKE, 0) }
    :: d_step { may_wake_early -> may_wake_early = 0 }
    fi
}

inline sleep_in_driver() {
    STORE(WORKER, SLEEPING, IS_ASLEEP);
    COUNT(WORKER, ASLEEP, 1);
#ifndef PLANT_NO_PARK_FENCE
    FENCE(WORKER);
#endif
#ifdef PLANT_NO_SECOND_LOOK
    is_wanted = 0;
#else
    is_wanted = LOAD(WORKER, INBOX) != 0;
    is_wanted = is_wanted || LOAD(WORKER, STOPPING);
    is_wanted = is_wanted || LOAD(WORKER, PLACED) != 0;
#endif
    if
    :: is_wanted // a wait until 0: a look
    :: !is_wanted -> wait()
    fi;
#ifdef PLANT_RISE_BY_STORE
    found = LOAD(WORKER, SLEEPING);
    STORE(WORKER, SLEEPING, RUNS);
#else
    EXCHANGE(WORKER, SLEEPING, RUNS, found);
#endif
    COUNT(WORKER, ASLEEP, -1); // weft__balance_rise
    if
    :: found == IS_CALLED -> COUNT(WORKER, SEARCHING, -1)
    :: else
    fi
}

active proctype worker() {
    byte found;
    bit is_wanted;
    do
    :: LOAD(WORKER, STOPPING) -> break
    :: else -> drain_doors(); sleep_in_driver()
    od;
    FENCE(WORKER);
    assert(memory[ASLEEP] == 0 && memory[SEARCHING] == 0);
    is_stopped = 1
}

ltl every_task_runs_and_the_worker_ends { <> is_stopped }

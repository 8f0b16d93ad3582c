// SPDX-License-Identifier: MIT
//
// weft_stop: when all tasks have ended, who may come in meanwhile, and when the runtime may go.
//
// Models, in src/task/stop.c: weft__runtime_living, weft__runtime_look_if_over,
// weft__runtime_enter, weft__runtime_leave, close_if_over, wait_for_all; in src/task/runtime.h
// weft__runtime_count; in src/task/park.c, rule 5: weft__foreign_enter, weft__foreign_leave,
// weft__foreign_drain; in src/task/runtime.c weft__runtime_begin_stop and weft__runtime_end; in
// src/task/worker.c run, weft__worker_nudge and sleep_in_driver.
//
// A worker has a task, a plain thread starts another, and a third thread stops the runtime. With
// -DCHILDREN a task on the first of two workers starts two more on the second, while it is stopped.
// With -DJOINED who stops has started such a task with one child in a scope and joined it. A
// worker's queue is a flag, and so are a driver's wake and the wake of who stops (post_park.pml,
// wake.pml, park.pml). How the workers' threads end is in worker_end.pml, what stopping does to
// scopes in scope.pml.
//
// Shown: weft_stop ends; when it closes the gate for good no task is alive and none starts; nobody
// touches the runtime when it is freed; who has joined all tasks finds none alive, so that even
// weft_stop(0) succeeds then.
//
// holds: -DCHILDREN
// holds: -DJOINED
#ifdef PLANT_ENDED_BEHIND_REMOVE
#define JOINED
#endif
#ifdef PLANT_STARTED_READ_FIRST
#define CHILDREN
#endif

#if defined CHILDREN || defined JOINED
#define WORKERS 2
#define THREADS 3
#else
#define WORKERS 1
#define THREADS 3
#define PLAIN   2
#endif
#define DEPTH 2

#define STOPS WORKERS // threads; workers are 0 and 1

#define ENDED(w)    (w) // places; the counts are of one worker each,
#define SPAWNED     2   // the first's
#define OUTSIDE     3
#define GATE        4
#define STOPPER     5
#define CURRENT     6
#define FOREIGN     7
#define QUEUE(w)    (8 + w)
#define SLEEPING(w) (10 + w)
#define WAKE(w)     (12 + w)
#define STOPPING    14
#define TOKEN       15 // of who stops
#define LIVING      16 // in the scope
#define PLACES      17
#include "memory.pml"

#define CLOSED 8 // a bit of the gate

byte alive; // really
byte left; // workers that have left their schedulers
bit is_freed;
bit is_over;

#define THE_RUNTIME_IS_THERE assert(!is_freed)

// ---- Anybody ---------------------------------------------------------------------------------

inline nudge(t, whom) {
    FENCE(t);
    THE_RUNTIME_IS_THERE;
    if
    :: LOAD(t, SLEEPING(whom)) ->
        CAS(t, SLEEPING(whom), 1, 0, found);
        if
        :: found -> EXCHANGE(t, WAKE(whom), 1, found)
        :: else
        fi
    :: else
    fi;
    found = 0
}

// To `is_living`: whether more tasks were started than have ended.
inline count_living(t) {
    THE_RUNTIME_IS_THERE;
#ifdef PLANT_STARTED_READ_FIRST
    started = LOAD(t, OUTSIDE);
    started = started + LOAD(t, SPAWNED);
#endif
    gone = LOAD(t, ENDED(0));
    gone = gone + LOAD(t, ENDED(1));
#ifndef PLANT_STARTED_READ_FIRST
    started = LOAD(t, OUTSIDE);
    started = started + LOAD(t, SPAWNED);
#endif
    d_step { is_living = started != gone; started = 0; gone = 0 }
}

inline foreign_enter(t) {
#ifndef PLANT_NO_FOREIGN_SECTION
    COUNT_SC(t, FOREIGN, 1)
#else
    skip
#endif
}

inline foreign_leave(t) {
#ifndef PLANT_NO_FOREIGN_SECTION
    COUNT(t, FOREIGN, -1)
#else
    skip
#endif
}

inline unpark_stopper(t) {
    EXCHANGE(t, TOKEN, 1, found);
    found = 0
}

// ---- weft_go in a plain thread ---------------------------------------------------------------

inline enter(t) { // is_in, unless there is no runtime
    do
    :: foreign_enter(t);
        found = LOAD(t, CURRENT);
        if
        :: !found -> foreign_leave(t); break // it would start one
        :: else ->
            THE_RUNTIME_IS_THERE;
#ifdef PLANT_NO_GATE
            is_in = 1;
#else
            d_step {
                MAY_MODIFY(t, GATE) ->
                is_in = LOAD(t, GATE) < CLOSED;
                sum = LOAD(t, GATE) + 1;
                modify(t, GATE, sum);
                sum = 0
            };
            if
            :: !is_in -> COUNT(t, GATE, -1)
            :: else
            fi;
#endif
            foreign_leave(t);
            if
            :: is_in -> break
            :: else
            fi
        fi
    od;
    found = 0
}

inline leave(t) {
    foreign_enter(t);
#ifndef PLANT_NO_GATE
    COUNT_SC(t, GATE, -1);
#endif
    THE_RUNTIME_IS_THERE;
#ifndef PLANT_LEAVES_WITHOUT_WAKE
    if
    :: LOAD(t, STOPPER) -> unpark_stopper(t)
    :: else
    fi;
#endif
    foreign_leave(t)
}

inline go(t) {
    enter(t);
    if
    :: is_in ->
        assert(!is_over);
#ifdef JOINED
        COUNT(t, LIVING, 1);
#endif
        d_step { alive++; found = 0 };
        COUNT(t, OUTSIDE, 1);
        COUNT(t, QUEUE(0), 1);
        nudge(t, 0);
        leave(t)
    :: else
    fi
}

// ---- A worker --------------------------------------------------------------------------------

inline start_child() {
    alive++;
    d_step { found = LOAD(0, SPAWNED) + 1 };
    STORE(0, SPAWNED, found);
#ifdef JOINED
    COUNT(0, LIVING, 1);
#endif
    COUNT(0, QUEUE(1), 1);
    nudge(0, 1)
}

inline run_task(w) {
#if WORKERS == 2
    if
    :: w == 0 ->
        start_child();
#ifdef CHILDREN
        start_child()
#endif
    :: else
    fi;
#endif
    alive--;
#ifdef PLANT_ENDED_BEHIND_REMOVE
    COUNT(w, LIVING, -1);
    STORE(w, ENDED(w), 1)
#else
    d_step { found = LOAD(w, ENDED(w)) + 1 };
    STORE(w, ENDED(w), found);
#ifdef JOINED
    COUNT(w, LIVING, -1)
#endif
    found = 0
#endif
}

inline look_if_over(w) {
    if
    :: LOAD(w, STOPPER) ->
        count_living(w);
        if
        :: !is_living -> unpark_stopper(w)
        :: else
        fi
    :: else
    fi
}

inline sleep_in_driver(w) {
    STORE(w, SLEEPING(w), 1);
#ifdef PLANT_LOOK_BEFORE_FENCE
    look_if_over(w);
#endif
    FENCE(w);
    is_wanted = LOAD(w, QUEUE(w)) || LOAD(w, STOPPING);
#ifndef PLANT_LOOK_BEFORE_FENCE
    look_if_over(w);
#endif
    if
    :: is_wanted
    :: !is_wanted -> d_step { LOAD(w, WAKE(w)) && MAY_MODIFY(w, WAKE(w)) -> modify(w, WAKE(w), 0) }
    fi;
    EXCHANGE(w, SLEEPING(w), 0, found);
    d_step { is_wanted = 0; found = 0 }
}

active [WORKERS] proctype worker() {
    byte w = _pid - THREADS; // behind the drains
    byte found, started, gone;
    bit is_wanted, is_living;
    memory[CURRENT];
    do
    :: LOAD(w, STOPPING) -> break
    :: else ->
        if
        :: LOAD(w, QUEUE(w)) -> COUNT(w, QUEUE(w), -1); run_task(w)
        :: else -> sleep_in_driver(w)
        fi
    od;
    FENCE(w);
    left++
}

// ---- weft_stop -------------------------------------------------------------------------------

inline close_if_over() {
    is_closed = 0;
    count_living(STOPS);
    if
    :: !is_living ->
#ifdef PLANT_NO_GATE
        is_closed = 1
#else
        CAS_SC(STOPS, GATE, 0, CLOSED, found);
        if
        :: found == 0 ->
#ifdef PLANT_NO_SECOND_LOOK
            is_closed = 1
#else
            count_living(STOPS);
            is_closed = !is_living;
            if
            :: is_living -> COUNT(STOPS, GATE, -CLOSED)
            :: else
            fi
#endif
        :: else
        fi;
        found = 0
#endif
    :: else
    fi
}

inline stop() {
    STORE_SC(STOPS, STOPPER, 1);
    nudge(STOPS, 0);
#if WORKERS == 2
    nudge(STOPS, 1);
#endif
    do
    :: close_if_over();
        if
        :: is_closed -> break
        :: else ->
#ifdef JOINED
            assert(false); // weft_stop(0) would answer -ETIMEDOUT
#endif
            d_step { LOAD(STOPS, TOKEN) && MAY_MODIFY(STOPS, TOKEN) -> modify(STOPS, TOKEN, 0) }
        fi
    od;
    assert(alive == 0);
    is_over = 1;
    STORE_SC(STOPS, CURRENT, 0);
    LOAD(STOPS, FOREIGN) == 0;
    STORE_SC(STOPS, STOPPING, 1);
    d_step { MAY_MODIFY_SC(STOPS, WAKE(0)) -> memory[WAKE(0)] = 1 };
#if WORKERS == 2
    d_step { MAY_MODIFY_SC(STOPS, WAKE(1)) -> memory[WAKE(1)] = 1 };
#endif
    left == WORKERS;
    is_freed = 1
}

active proctype stopper() {
    byte found, started, gone;
    bit is_in, is_living, is_closed;
#ifdef JOINED
    memory[CURRENT] = 1;
    go(STOPS);
    LOAD(STOPS, LIVING) == 0;
#else
    d_step { // a task is there
        memory[CURRENT] = 1;
        memory[SPAWNED] = 1;
        memory[QUEUE(0)] = 1;
        alive = 1
    };
#endif
    stop()
}

#if WORKERS == 1
active proctype plain_thread() {
    byte found;
    bit is_in;
    memory[CURRENT] || is_over;
    go(PLAIN)
}
#endif

ltl weft_stop_ends { <> is_freed }

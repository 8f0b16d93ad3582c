// SPDX-License-Identifier: MIT
//
// The lock that is biased to its first owner.
//
// Models src/os/lock.h, rules 1 to 4: weft__biased_enter, weft__biased_lock,
// weft__biased_try, weft__biased_unlock, weft__bias_to, weft__bias_ended; in src/os/lock.c
// weft__biased_lock_slow, weft__biased_try_slow and heavy_barrier.
//
// Two threads that have a name enter a few times and, once inside, ask for the bias or not; a third
// has none. What is done inside is a plain read, add, write through the store buffers, so that an
// update is lost where two are in at once or where one does not see what the one before has stored.
// membarrier(2) empties the others' buffers one after the other, each at a moment of its own. With
// -DNO_MEMBARRIER the kernel refuses it. The ordinary lock is taken for right.
//
// Shown: mutual exclusion, no lost update, and everybody gets in and out, under weak fairness.
// Not shown, because loads are done in order here: that the look at `inside` must be an acquire.
//
// holds: -DNO_MEMBARRIER
#ifdef PLANT_NO_OWNER_FENCE
#define NO_MEMBARRIER
#endif

#define THREADS 3
#define DEPTH   3

#define NAMELESS 2 // threads; 0 and 1 have names

#define INSIDE    0 // places
#define OWNER     1
#define LOCK      2 // the ordinary one
#define IS_BIASED 3
#define DATA      4
#define PLACES    5
#include "memory.pml"

#define NAME(t)     (t == NAMELESS -> 0 : 2 * t + 2)
#define ENDED(name) (name + 1)

#define ROUNDS(t) (3 - t)
#define ALL       6

byte holders;
byte done; // rounds

// ---- The lock --------------------------------------------------------------------------------

inline heavy_barrier(t) {
    FENCE(t);
#if !defined PLANT_BARRIER_OF_ONE && !defined NO_MEMBARRIER
    do
    :: other < THREADS ->
        d_step {
            do
            :: MAY_DRAIN(other) -> drain_one(other)
            :: else -> break
            od;
            other++
        }
    :: else -> break
    od;
    other = 0
#endif
}

inline unlock_ordinary(t) {
    d_step { MAY_MODIFY(t, LOCK) -> modify(t, LOCK, 0) }
}

inline lock_slow(t) {
    d_step { LOAD(t, LOCK) == 0 && MAY_MODIFY(t, LOCK) -> modify(t, LOCK, 1) };
    seen = LOAD(t, OWNER);
    if
    :: seen && seen % 2 == 0 ->
#ifdef PLANT_BARRIER_FIRST
        heavy_barrier(t);
#endif
#ifdef PLANT_HANDED_OVER
        STORE(t, OWNER, 0);
#else
        STORE(t, OWNER, ENDED(seen));
#endif
#ifndef PLANT_BARRIER_FIRST
        heavy_barrier(t);
#endif
#ifndef PLANT_NO_WAIT_FOR_OWNER
        LOAD(t, INSIDE) == 0
#endif
    :: else
    fi;
    seen = 0;
    STORE(t, IS_BIASED, 0)
}

inline enter(t) { // weft__biased_enter, to `is_in`
    is_in = 0;
    if
    :: NAME(t) && LOAD(t, OWNER) == NAME(t) ->
#ifdef PLANT_LOOK_BEFORE_STORE
        is_in = LOAD(t, OWNER) == NAME(t);
        STORE(t, INSIDE, 1);
#else
        STORE(t, INSIDE, 1);
#if defined NO_MEMBARRIER && !defined PLANT_NO_OWNER_FENCE
        FENCE(t);
#endif
        is_in = LOAD(t, OWNER) == NAME(t);
#endif
        if
        :: is_in -> STORE(t, IS_BIASED, 1)
#ifndef PLANT_OWNER_STAYS_IN
        :: else -> STORE(t, INSIDE, 0)
#else
        :: else
#endif
        fi
    :: else
    fi
}

inline lock(t) {
    enter(t);
    if
    :: is_in
    :: else -> lock_slow(t)
    fi;
    is_in = 0
}

inline try(t) { // to `is_in`, also by the ordinary lock
    enter(t);
    if
    :: !is_in && LOAD(t, LOCK) == 0 && MAY_MODIFY(t, LOCK) ->
        CAS(t, LOCK, 0, 1, seen);
        is_in = seen == 0;
        seen = LOAD(t, OWNER);
        if
        :: is_in && seen && seen % 2 == 0 ->
#ifndef PLANT_TRY_TAKES_WHAT_IS_OWNED
            unlock_ordinary(t);
            is_in = 0
#else
            STORE(t, IS_BIASED, 0)
#endif
        :: is_in && !(seen && seen % 2 == 0) -> STORE(t, IS_BIASED, 0)
        :: else
        fi;
        seen = 0
    :: else
    fi
}

inline bias_to(t) {
    seen = LOAD(t, OWNER);
    if
#ifdef PLANT_RENEWED_WHILE_IT_IS_ENDED
    :: NAME(t) && (seen == 0 || seen == ENDED(NAME(t))) -> STORE(t, OWNER, NAME(t))
#else
    :: !LOAD(t, IS_BIASED) && NAME(t) && (seen == 0 || seen == ENDED(NAME(t))) ->
        STORE(t, OWNER, NAME(t))
#endif
    :: else
    fi;
    seen = 0
}

inline unlock(t) {
    if
    :: LOAD(t, IS_BIASED) -> STORE(t, INSIDE, 0)
    :: else -> unlock_ordinary(t)
    fi
}

// ---- Who uses it -----------------------------------------------------------------------------

inline work(t) {
    d_step { holders++; assert(holders == 1); seen = LOAD(t, DATA) };
    STORE(t, DATA, seen + 1);
    d_step { holders--; seen = 0 }
}

active [THREADS] proctype user() {
    byte seen, other, rounds;
    byte t = _pid - THREADS; // behind the drains
    bit is_in;
    do
    :: rounds < ROUNDS(t) ->
        if
        :: true -> lock(t)
        :: rounds == 1 ->
            try(t);
            if
            :: is_in -> is_in = 0
            :: else -> lock(t)
            fi
        fi;
        work(t);
        if
        :: NAME(t) -> bias_to(t)
        :: true
        fi;
        unlock(t);
        d_step { rounds++; done++ }
    :: else -> break
    od
}

active proctype last() {
    done == ALL && IS_DRAINED(0) && IS_DRAINED(1) && IS_DRAINED(2);
    assert(memory[DATA] == ALL)
}

ltl everybody_gets_in_and_out { <> (done == ALL) }

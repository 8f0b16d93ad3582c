// SPDX-License-Identifier: MIT
//
// The wake of a driver: how a thread that sleeps on a futex or an eventfd is found.
//
// Models, in src/driver/wake.h: weft__wake_post, weft__wake_take, weft__wake_fall_asleep,
// weft__wake_rise, as the waits of the drivers use them (epoll_wait_until in src/driver/epoll.c,
// wait_on_futex in src/driver/thread.c).
//
// The owner waits until two wakers have each told it something and woken it. Each of its waits
// sleeps on the futex or polls the eventfd, as it chooses, or only looks, which twice it may. Once
// a sleep ends for a reason of its own (a deadline, another descriptor). The eventfd is
// edge-triggered: a write stays until it is reported. Between a waker's exchange and its system
// call anything may happen.
//
// Shown: the owner hears of both, so no wake is lost (there is no state in which all stand still).
// This is what the other models take for granted: a wake ends the wait under way, or the next one.
#define THREADS 3
#define DEPTH   3

#define OWNER 0 // threads; wakers are 1 and 2

#define WORD   0 // places
#define TOLD   0 // plus the waker
#define FD     3 // 1: written and not reported
#define PLACES 4
#include "memory.pml"

#define AWAKE    0 // WORD
#define WOKEN    1
#define ON_FUTEX 2
#define ON_FD    3

bit is_in_futex; // asleep there
bit has_heard;
bit has_reason = 1; // of its own, once
byte looks = 2;

inline take() { // weft__wake_take
    if
    :: LOAD(OWNER, WORD) == AWAKE
    :: else ->
#ifdef PLANT_TAKE_BY_STORE
        STORE(OWNER, WORD, AWAKE)
#else
        EXCHANGE(OWNER, WORD, AWAKE, found)
#endif
    fi
}

inline sleep_on_futex() {
#ifdef PLANT_FUTEX_DOES_NOT_COMPARE
    is_in_futex = 1;
#else
    is_in_futex = LOAD(OWNER, WORD) == ON_FUTEX;
#endif
    if
    :: !is_in_futex
    :: is_in_futex && has_reason -> d_step { has_reason = 0; is_in_futex = 0 }
    fi
}

inline sleep_on_fd() {
    if
    :: d_step { memory[FD] -> memory[FD] = 0 }
    :: d_step { has_reason -> has_reason = 0 }
    fi
}

inline wait(how) {
    CAS(OWNER, WORD, AWAKE, how, found);
    if
    :: found != AWAKE -> assert(found == WOKEN); take()
    :: else ->
        FENCE(OWNER); // what a system call does, sooner or later
        if
        :: how == ON_FUTEX -> sleep_on_futex()
        :: else -> sleep_on_fd()
        fi;
#ifdef PLANT_RISE_BY_STORE
        STORE(OWNER, WORD, AWAKE)
#else
        EXCHANGE(OWNER, WORD, AWAKE, found)
#endif
    fi
}

active proctype owner() {
    byte found;
    do
    :: LOAD(OWNER, TOLD + 1) && LOAD(OWNER, TOLD + 2) -> break
    :: else ->
        if
        :: wait(ON_FUTEX)
        :: wait(ON_FD)
        :: looks > 0 -> looks--; take()
        fi;
        found = 0
    od;
    has_heard = 1
}

inline post(t) { // weft__wake_post
#ifdef PLANT_WAKE_SLEEPERS_ONLY
    found = LOAD(t, WORD);
    if
    :: found >= ON_FUTEX -> EXCHANGE(t, WORD, WOKEN, found)
    :: else
    fi;
#else
    EXCHANGE(t, WORD, WOKEN, found);
#endif
    if
    :: found == ON_FUTEX -> FENCE(t); is_in_futex = 0
    :: found == ON_FD -> STORE(t, FD, 1)
    :: else
    fi
}

active [THREADS - 1] proctype waker() {
    byte found;
    byte t = _pid - THREADS; // behind the drains and the owner
#ifdef PLANT_WAKE_BEFORE_TELLING
    post(t);
    STORE(t, TOLD + t, 1)
#else
    STORE(t, TOLD + t, 1);
    post(t)
#endif
}

ltl the_owner_hears_of_all { <> has_heard }

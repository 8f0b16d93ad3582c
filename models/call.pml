// SPDX-License-Identifier: MIT
//
// An operation that waits: cancel and deadline against completion.
//
// Models, in src/io/call.c: await, weft__perform_start, op_done, interruption; in src/task/scope.c
// the mark and the wake of one task (mark, cancel_one); in src/task/park.c weft__interrupted,
// weft__park, weft__unpark_own; in src/task/worker.c fire_timers; in src/driver/driver.h the
// contract, points 3 to 5, as the drivers keep it: cancel completes at once (src/driver/epoll.c) or
// is a request of its own that names the operation by slot and generation (src/driver/uring.c).
//
// A task performs two reads. For the first a deadline may be in force, and pass while it waits.
// Data comes for them or not, at any time; another thread cancels the task or not, at any time; but
// something comes. The kernel takes requests and completes them when it likes. The buffer of a read
// is in its caller's frame. Inline attempts, which never wait, are left out, and so is the turn
// (handle.pml). Of the waiter's word only whether a wake has come is modelled, not how many
// (park.pml).
//
// Shown: each call ends, and not before its operation, so that the kernel never writes to a frame
// that is gone; its result says what happened: data if and only if some were moved, -ECANCELED and
// -ETIMEDOUT only of the task's own cancel and deadline.
#define THREADS 2
#define DEPTH   2

#define TASK      0 // threads: the task's worker,
#define CANCELLER 1 // and another

#define WORD      0 // places: of the waiter
#define CANCELLED 1
#define CANCEL_AT 2
#define INBOX     3
#define PLACES    4
#include "memory.pml"

#define EMPTY  0 // WORD
#define PARKED 1
#define WOKEN  2

#define OK        0 // results
#define DATA      1
#define ECANCELED 2
#define ETIMEDOUT 3

// An operation is known by its generation, 1 or 2, all in one slot; 0: none.
byte in_flight;
byte to_cancel; // what a request in the ring names
byte completed; // in the ring, with its result
byte completion;
byte frame; // whose buffer is there
bit has_moved; // data into it
bit is_expired; // the deadline
bit has_ended;

// What this run is like.
bit cancels_at_once; // the driver
bit has_deadline; // the first read
bit has_data[3]; // by generation
bit cancels; // the other thread

// ---- The task and its worker -----------------------------------------------------------------

inline op_done(what) {
    d_step { is_pending = 0; result = what };
    EXCHANGE(TASK, WORD, WOKEN, found)
}

// The worker's scheduler, until the task runs again.
inline suspend(wakes_at_deadline) {
    do
    :: d_step { LOAD(TASK, INBOX) && MAY_MODIFY(TASK, INBOX) -> modify(TASK, INBOX, 0) };
        break
    :: completed ->
        assert(completed == op);
        d_step { found = completion; completed = 0; completion = OK };
        op_done(found);
        if
        :: found == PARKED -> break
        :: else // another thread was quicker: it is on its way to the inbox
        fi
    :: wakes_at_deadline && !is_expired ->
        is_expired = 1;
        EXCHANGE(TASK, WORD, WOKEN, found);
        if
        :: found == PARKED -> break
        :: else
        fi
    od
}

inline park(wakes_at_deadline) {
    CAS(TASK, WORD, EMPTY, PARKED, found);
    if
    :: found == EMPTY -> suspend(wakes_at_deadline)
    :: else
    fi;
    EXCHANGE(TASK, WORD, EMPTY, found);
    found = 0
}

inline look(has_one) { // weft__interrupted
    if
    :: LOAD(TASK, CANCELLED) -> assert(LOAD(TASK, CANCEL_AT)); reason = ECANCELED
    :: else ->
        if
        :: has_one && is_expired -> reason = ETIMEDOUT
        :: else
        fi
    fi
}

inline cancel() { // of the driver
    if
    :: cancels_at_once ->
        if
        :: atomic { in_flight == op -> in_flight = 0 }; op_done(ECANCELED)
        :: in_flight != op // it has completed, and says so in a wait
        fi
    :: else -> to_cancel = op
    fi;
    found = 0
}

inline await(has_one) {
    do
    :: !is_pending -> break
    :: else ->
        is_new = 0;
        if
        :: reason == OK -> look(has_one); is_new = reason != OK
        :: else
        fi;
        if
        :: is_new -> cancel()
#ifdef PLANT_LEAVE_ON_CANCEL
            ;
            break
#endif
        :: else -> park((reason == OK && has_one))
        fi
    od;
    is_new = 0
}

inline perform(generation, has_one) {
    look(has_one);
    if
    :: reason == OK ->
        d_step { op = generation; frame = op; has_moved = 0; is_pending = 1; in_flight = op };
        await(has_one);
        d_step {
            frame = 0;
            if
#ifdef PLANT_REASON_OVER_RESULT
            :: reason != OK -> result = reason
#else
            :: result == ECANCELED && reason != OK -> result = reason
#endif
            :: else
            fi
        };
        assert((result == DATA) == has_moved);
        assert(result != ECANCELED || LOAD(TASK, CANCELLED));
        assert(result != ETIMEDOUT || (has_one && is_expired))
    :: else // refused, without any effect
    fi;
    d_step { op = 0; has_moved = 0; reason = OK; result = OK }
}

active proctype task() {
    byte op, reason, result, found;
    bit is_pending, is_new;
    if
    :: cancels_at_once = 1
    :: true
    fi;
    if
    :: cancels = 1
    :: true
    fi;
    if
    :: has_deadline = 1
    :: true
    fi;
    if
    :: has_data[1] = 1
    :: cancels || has_deadline
    fi;
    if
    :: has_data[2] = 1
    :: cancels
    fi;
    perform(1, has_deadline);
    perform(2, false);
    has_ended = 1
}

// ---- The others ------------------------------------------------------------------------------

active proctype canceller() {
    byte found;
end:
    cancels;
#ifndef PLANT_MARK_BEHIND_WAKE
    STORE(CANCELLER, CANCEL_AT, 1);
    STORE(CANCELLER, CANCELLED, 1);
#endif
    EXCHANGE(CANCELLER, WORD, WOKEN, found);
    if
    :: found == PARKED -> EXCHANGE(CANCELLER, INBOX, 1, found)
    :: else
    fi;
#ifdef PLANT_MARK_BEHIND_WAKE
    STORE(CANCELLER, CANCEL_AT, 1);
    STORE(CANCELLER, CANCELLED, 1);
#endif
    found = 0
}

active proctype kernel() {
end:
    do
    :: atomic {
           in_flight && has_data[in_flight] && !completed ->
           assert(frame == in_flight);
           has_moved = 1;
           completed = in_flight;
           completion = DATA;
           in_flight = 0
       }
    :: atomic {
           to_cancel && !completed ->
           if
#ifdef PLANT_CANCEL_BY_SLOT
           :: in_flight ->
#else
           :: in_flight == to_cancel ->
#endif
               completed = in_flight;
               completion = ECANCELED;
               in_flight = 0
           :: else // it has completed before
           fi;
           to_cancel = 0
       }
    od
}

ltl every_call_ends { <> has_ended }

// SPDX-License-Identifier: MIT
//
// A handle: uses, turns, and close against both.
//
// Models src/task/handle.c, rules 1 to 4: count_in, count_out, grant, is_granted, leave_queue,
// enter_queue, await_turn, weft__turn_begin, weft__turn_end, weft__turn_waits, weft__turn_waited,
// weft__turn_is_closing, wake_list, wake_all, weft__handle_close, weft__handle_free, open_slot; in
// src/io/call.c the loop of await around a wait in the driver.
//
// One slot, one side. Two users each begin a read on the first generation, whenever they come; data
// comes for them or not; one that queues for its turn may be interrupted there. One thread closes
// the handle, opens the slot again and closes that, too; the second user, when done, closes the
// first generation as well. The word of the slot has its real layout with fewer bits; a loop of
// compare-and-swaps is one step; a lock is one compare-and-swap and one exchange; park takes a
// token that unpark gives (park.pml). The table's own lock and lists are left out: who opens is who
// has closed. Foreign sections are in stop.pml.
//
// Shown: whoever has begun finds the descriptor open and its own until it has ended; one turn at a
// time; a close succeeds once; all uses end and each close with them (no state in which all stand
// still); at the end no bit of the word is left.
#define THREADS 3
#define DEPTH   3

#define CLOSES 2 // threads: the one that closes and opens; users are 0 and 1

#define WORD     0 // places
#define HOLDER   1
#define CLOSER   2
#define LOCK     3
#define TOKEN(t) (4 + t)
#define PLACES   7
#include "memory.pml"

#define USES          3 // of WORD
#define BUSY          4
#define QUEUED        8
#define CLOSING       16
#define OPEN          32
#define GENERATION(g) (g << 6)

#ifdef PLANT_NO_GENERATION
#define IS_VALID(word, g) ((word & (OPEN | CLOSING)) == OPEN)
#else
#define IS_VALID(word, g) (word >> 6 == g && (word & (OPEN | CLOSING)) == OPEN)
#endif

byte fd = 1; // whose generation's is open; 0: none
byte turns; // begun and not ended
byte queue[2], queued; // user + 1, in order; guarded by LOCK
bit granted[2]; // likewise
bit closes_late; // only when the users have ended, who then have data
byte closed; // how many closes succeeded
byte ended; // threads

// ---- Locks and waits -------------------------------------------------------------------------

inline lock(t) {
    d_step { LOAD(t, LOCK) == 0 && MAY_MODIFY(t, LOCK) -> modify(t, LOCK, 1) }
}

inline unlock(t) {
    d_step { MAY_MODIFY(t, LOCK) -> modify(t, LOCK, 0) }
}

inline park(t) {
    d_step { LOAD(t, TOKEN(t)) && MAY_MODIFY(t, TOKEN(t)) -> modify(t, TOKEN(t), 0) }
}

inline unpark(t, other) {
    d_step { MAY_MODIFY(t, TOKEN(other)) -> modify(t, TOKEN(other), 1) }
}

#define IS_CLOSING(t) (LOAD(t, WORD) & CLOSING)

// ---- Uses and turns --------------------------------------------------------------------------

inline set_bit(t, flag) { // acq_rel, like clear_bit
    d_step { MAY_MODIFY(t, WORD) -> sum = LOAD(t, WORD) | flag; modify(t, WORD, sum); sum = 0 }
}

inline clear_bit(t, flag) {
    d_step { MAY_MODIFY(t, WORD) -> sum = LOAD(t, WORD) & ~flag; modify(t, WORD, sum); sum = 0 }
}

inline count_in(t, g) {
    d_step {
        MAY_MODIFY(t, WORD) ->
        found = LOAD(t, WORD);
        is_in = IS_VALID(found, g);
        has_turn = is_in && !(found & (BUSY | QUEUED));
        if
        :: has_turn -> found = (found + 1) | BUSY; modify(t, WORD, found)
        :: is_in && !has_turn -> found = found + 1; modify(t, WORD, found)
        :: else
        fi;
        found = 0
    }
}

inline count_out(t) {
    if
    :: d_step { MAY_MODIFY_SC(t, WORD) && !(memory[WORD] & CLOSING) -> memory[WORD]-- }
    :: IS_CLOSING(t) ->
        d_step { MAY_MODIFY_SC(t, WORD) -> found = memory[WORD]; memory[WORD]-- };
        closer = LOAD(t, CLOSER);
#ifdef PLANT_USES_OFF_BY_ONE
        is_last = (found & USES) == 2;
#else
        is_last = (found & USES) == 1;
#endif
        if
        :: closer && is_last -> unpark(t, (closer - 1))
        :: else
        fi;
        d_step { closer = 0; found = 0; is_last = 0 }
    fi
}

inline grant(t, is_free) { // with the lock; sets `next`, user + 1
    next = 0;
    if
    :: is_free && queued ->
        d_step {
            next = queue[0];
            queue[0] = queue[1];
            queue[1] = 0;
            queued--;
            granted[next - 1] = 1
        };
#ifdef PLANT_HANDED_ON_AS_FREE
        clear_bit(t, BUSY)
#else
        set_bit(t, BUSY)
#endif
    :: is_free && !queued -> clear_bit(t, BUSY)
    :: else
    fi;
    if
    :: queued == 0 -> clear_bit(t, QUEUED)
    :: else
    fi
}

inline enter_queue(t) {
    lock(t);
    d_step { queue[queued] = t + 1; queued++ };
    d_step {
        MAY_MODIFY(t, WORD) -> found = LOAD(t, WORD);
        sum = found | QUEUED;
        modify(t, WORD, sum);
        sum = 0
    };
    if
#ifndef PLANT_NO_LOOK_BEHIND_QUEUED
    :: !(found & BUSY) -> grant(t, true); assert(next == t + 1)
#endif
    :: else
    fi;
    unlock(t);
    d_step { found = 0; next = 0 }
}

inline leave_queue(t) { // is_in: it was still in the queue
    lock(t);
    is_in = !granted[t];
    if
    :: is_in ->
        d_step {
            if
            :: queue[0] == t + 1 -> queue[0] = queue[1]
            :: else -> assert(queue[1] == t + 1)
            fi;
            queue[1] = 0;
            queued--
        };
        grant(t, false)
    :: else
    fi;
    unlock(t)
}

inline turn_end(t) {
    d_step { turns--; granted[t] = 0 };
    assert(fd == 1);
    if
    :: d_step {
           MAY_MODIFY(t, WORD) && !(LOAD(t, WORD) & (QUEUED | CLOSING)) ->
           sum = (LOAD(t, WORD) - 1) & ~BUSY;
           modify(t, WORD, sum);
           sum = 0
       }
    :: LOAD(t, WORD) & (QUEUED | CLOSING) ->
        lock(t);
        grant(t, true);
        unlock(t);
        if
        :: next -> unpark(t, (next - 1))
        :: else
        fi;
        next = 0;
        count_out(t)
    fi
}

inline await_turn(t) { // has_turn or is_in
    enter_queue(t);
    do
    :: d_step { LOAD(t, LOCK) == 0 && holder[LOCK] == 0 -> has_turn = granted[t] }; // is_granted
        if
        :: has_turn -> break
        :: !has_turn && IS_CLOSING(t) -> break
        :: !has_turn -> break // interrupted
        :: !has_turn && !IS_CLOSING(t) -> park(t)
        fi
    od;
    if
    :: has_turn && !IS_CLOSING(t) -> turns++
    :: else ->
        has_turn = 0;
        leave_queue(t);
        if
        :: is_in -> count_out(t)
        :: else -> turns++; turn_end(t)
        fi
    fi
}

inline wait_in_driver(t) {
#ifdef PLANT_HOLDER_RELAXED
    STORE(t, HOLDER, t + 1);
#else
#ifndef PLANT_NO_LOOK_BEHIND_HOLDER
    STORE_SC(t, HOLDER, t + 1);
#endif
#endif
    if
    :: IS_CLOSING(t)
    :: else ->
#ifdef PLANT_NO_LOOK_BEHIND_HOLDER
        STORE_SC(t, HOLDER, t + 1);
#endif
        do
        :: has_data -> break
        :: park(t) ->
            if
            :: IS_CLOSING(t) -> break
            :: else
            fi
        od
    fi;
    STORE(t, HOLDER, 0)
}

inline use(t) {
    count_in(t, 1);
    if
    :: is_in && has_turn -> turns++
    :: is_in && !has_turn -> await_turn(t)
    :: else
    fi;
    if
    :: has_turn ->
        assert(fd == 1 && turns == 1);
        wait_in_driver(t);
        turn_end(t)
    :: else
    fi;
    d_step { is_in = 0; has_turn = 0 }
}

// ---- Closing ---------------------------------------------------------------------------------

inline wake_all(t) {
    found = LOAD(t, HOLDER);
    if
    :: found -> unpark(t, (found - 1))
    :: else
    fi;
    lock(t);
    if
    :: queue[0] -> unpark(t, (queue[0] - 1))
    :: else
    fi;
    if
    :: queue[1] -> unpark(t, (queue[1] - 1))
    :: else
    fi;
    unlock(t)
}

inline close(t, g) { // is_in: it was this one that closed it
    d_step {
        MAY_MODIFY_SC(t, WORD) ->
        found = memory[WORD];
        is_in = IS_VALID(found, g);
        if
        :: is_in -> memory[WORD] = found | CLOSING
        :: else
        fi
    };
    if
    :: is_in && (found & USES) ->
#ifdef PLANT_CLOSER_RELAXED
        STORE(t, CLOSER, t + 1);
#else
        STORE_SC(t, CLOSER, t + 1);
#endif
        wake_all(t);
#ifndef PLANT_NO_WAIT_FOR_USES
        do
        :: LOAD(t, WORD) & USES -> park(t)
        :: else -> break
        od
#endif
    :: else
    fi;
    if
    :: is_in ->
        d_step { assert(fd == g); fd = 0; closed++ };
        assert((LOAD(t, WORD) & USES) == 0);
        STORE(t, WORD, GENERATION(g)) // weft__handle_free
    :: else
    fi;
    d_step { found = 0; is_in = 0 }
}

inline open(t, g) { // once nobody has it open
    LOAD(t, WORD) == GENERATION((g - 1));
    fd = g;
    STORE(t, CLOSER, 0);
    STORE(t, WORD, GENERATION(g) | OPEN)
}

active [2] proctype user() {
    byte found, closer, next;
    byte t = _pid - THREADS; // behind the drains
    bit is_in, has_turn, is_last, has_data;
    LOAD(t, WORD);
    if
    :: has_data = 1
    :: !closes_late
    fi;
    use(t);
    if
    :: t == 0 && closes_late -> use(t)
    :: else
    fi;
    if
    :: t == 1 && !closes_late -> close(t, 1)
    :: else
    fi;
    d_step { has_data = 0; ended++ }
}

active proctype closer_and_opener() {
    byte found;
    bit is_in;
    if
    :: closes_late = 1
    :: true
    fi;
    memory[WORD] = GENERATION(1) | OPEN;
    !closes_late || ended == 2;
    close(CLOSES, 1);
    open(CLOSES, 2);
    close(CLOSES, 2);
    FENCE(CLOSES);
    ended++
}

active proctype last() {
    ended == 3 && IS_DRAINED(0) && IS_DRAINED(1);
    assert(closed == 2 && fd == 0 && turns == 0 && memory[WORD] == GENERATION(2))
}

ltl all_uses_and_closes_end { <> (ended == 3) }

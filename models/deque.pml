// SPDX-License-Identifier: MIT
//
// The work-stealing deque: each item goes to one taker.
//
// Models src/task/deque.c: weft__deque_push with grow, weft__deque_take_newest,
// weft__deque_take_oldest.
//
// The owner pushes three items and in between takes what it likes, newest or oldest, until there is
// none; one thief tries twice to take the oldest, another once. The array has two places at first,
// so that it is full once and places are used again. What an item points to is not modelled: an
// item is its number.
//
// Shown: no item is taken twice, none that was not pushed (what a thief reads of the array it wins
// with), and none is lost: when all have ended, what was pushed was taken.
//
// Not shown: that the thief's fence and its acquires are needed. They order loads, which are done
// in order here. holds: -DWITHOUT_THIEF_FENCE
#define THREADS 3
#define DEPTH   3

#define OWNER 0 // threads; thieves are 1 and 2

#define TOP    0 // places
#define BOTTOM 1
#define ARRAY  2 // 0: the small one
#define SMALL  3 // its items
#define LARGE  5
#define PLACES 9
#include "memory.pml"

#define ITEMS 3

#define ITEM_AT(i) (array == 0 -> SMALL + (i) % 2 : LARGE + (i) % 4)

bit is_taken[ITEMS + 1];
byte taken;

inline keep(item) { // and forget what was read: fewer states
    d_step {
        if
        :: item -> assert(!is_taken[item]); is_taken[item] = 1; taken++
        :: else
        fi;
        top = 0;
        bottom = 0;
        item = 0;
        found = 0
    }
}

inline grow() {
    i = top;
    do
    :: i < bottom ->
        item = LOAD(OWNER, SMALL + i % 2);
        STORE(OWNER, LARGE + i % 4, item);
        i++
    :: else -> break
    od;
    array = 1;
    STORE(OWNER, ARRAY, 1);
#ifdef PLANT_OLD_ARRAY_FREED
    STORE(OWNER, SMALL, 0);
    STORE(OWNER, SMALL + 1, 0);
#endif
    d_step { i = 0; item = 0 }
}

inline push() {
    d_step { bottom = LOAD(OWNER, BOTTOM); top = LOAD(OWNER, TOP) };
    if
    :: array == 0 && bottom - top > 1 -> grow()
    :: else
    fi;
#ifdef PLANT_BOTTOM_BEFORE_ITEM
    STORE(OWNER, BOTTOM, bottom + 1);
    STORE(OWNER, ITEM_AT(bottom), pushed + 1);
#else
    STORE(OWNER, ITEM_AT(bottom), pushed + 1);
    STORE(OWNER, BOTTOM, bottom + 1);
#endif
    d_step { pushed++; is_empty = 0; top = 0; bottom = 0 }
}

inline take_newest() {
    d_step { bottom = LOAD(OWNER, BOTTOM) - 1; top = LOAD(OWNER, TOP) };
    if
    :: top > bottom -> is_empty = 1
    :: else ->
        STORE(OWNER, BOTTOM, bottom);
#ifndef PLANT_NO_OWNER_FENCE
        FENCE(OWNER);
#endif
        top = LOAD(OWNER, TOP);
        item = (top <= bottom -> LOAD(OWNER, ITEM_AT(bottom)) : 0);
        if
        :: top == bottom ->
#ifndef PLANT_LAST_ITEM_WITHOUT_CAS
            CAS_SC(OWNER, TOP, top, top + 1, found);
            item = (found == top -> item : 0);
            STORE(OWNER, BOTTOM, bottom + 1)
#endif
        :: top > bottom -> STORE(OWNER, BOTTOM, bottom + 1)
        :: else
        fi;
    fi;
    keep(item)
}

inline take_oldest(t) {
    top = LOAD(t, TOP);
#ifndef WITHOUT_THIEF_FENCE
    FENCE(t);
#endif
    bottom = LOAD(t, BOTTOM);
    if
    :: top >= bottom -> is_empty = 1
    :: else ->
        array = LOAD(t, ARRAY);
        item = LOAD(t, ITEM_AT(top));
#ifdef PLANT_THIEF_WITHOUT_CAS
        STORE(t, TOP, top + 1);
        found = top;
#else
        CAS_SC(t, TOP, top, top + 1, found);
#endif
        assert(found != top || item > 0);
        item = (found == top -> item : 0)
    fi;
    keep(item)
}

active proctype owner() {
    short top, bottom; // bottom - 1 may be -1
    byte array, item, found, i, pushed;
    bit is_empty;
    do
    :: pushed < ITEMS -> push()
    :: take_newest()
    :: take_oldest(OWNER)
    :: pushed == ITEMS && is_empty -> break
    od;
    // Thieves may have what was not seen any more; after them all is.
    (_nr_pr == THREADS + 1 && IS_DRAINED(OWNER));
    assert(taken == ITEMS && memory[TOP] == memory[BOTTOM])
}

active [THREADS - 1] proctype thief() {
    short top, bottom;
    byte array, item, found;
    byte t = _pid - THREADS;
    bit is_empty;
    take_oldest(t);
    if
    :: t == 1 -> take_oldest(t)
    :: else
    fi
}

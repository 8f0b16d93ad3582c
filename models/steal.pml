// SPDX-License-Identifier: MIT
//
// Call, search, steal and watch: how workers without work get what another has not started.
//
// Models src/task/balance.c, rules 1 to 5: call_one, call, weft__balance_call, steal_from, look,
// search, is_wanted, have_others, pass_on, search_counted, weft__balance_search,
// weft__balance_fall_asleep, watch_until, weft__balance_sleep_until, weft__balance_rise; and their
// places in src/task/worker.c: weft__worker_spawn, turn, sleep_in_driver.
//
// Two workers. The task that runs on the first at the beginning starts two more, and the second of
// these one more, on whatever worker it runs. With -DBUSY the first worker always has something
// better to do than to start tasks, but comes by its scheduler. With -DAWAY the first is task
// zero's, which starts two tasks and then stays outside weft until they have run. Three workers are
// in watch.pml.
//
// A queue is two sets, of what was pushed (through the store buffer) and of what was taken (that a
// take is one step is shown in deque.pml); both change with each push and take, and what is in one
// of them alone is in the queue. A change of the second is the thief's sign that somebody has got
// round to it. Time is not modelled: a watcher's sleep may end at any moment. Without time two
// thieves could steal a task from each other for ever, before either starts it: there is at most
// one theft, unless only one of them steals.
//
// Shown: each task runs, and once, whatever keeps the worker that has it, as long as another
// sleeps; a thief's tasks are not forgotten; the counts of sleepers, searchers, watchers and of
// each worker's tasks are right at the end.
//
// holds: -DBUSY
// holds: -DAWAY
#ifdef PLANT_NO_CALL_AT_END_OF_TURN
#define BUSY
#endif
#ifdef PLANT_NO_CALL_FENCE
#define AWAY
#endif

#define WORKERS 2
#define THREADS 2
#define DEPTH   2

#define PUSHED(w)   (w) // places
#define TAKEN(w)    (2 + w)
#define SLEEPING(w) (4 + w)
#define WAKE(w)     (6 + w)
#define ASLEEP      8
#define SEARCHING   9
#define WATCHING    10
#define STOPPING    11
#define PLACES      12
#include "memory.pml"

#define RUNS      0 // SLEEPING
#define IS_ASLEEP 1
#define IS_CALLED 2

#define FIRST  1 // tasks
#define SECOND 2
#define THIRD  4
#ifdef AWAY
#define ALL 3
#else
#define ALL 7
#endif

#if defined BUSY || defined AWAY
#define THEFTS_MAX 9 // only one of them steals
#else
#define THEFTS_MAX 1
#endif

#define OTHER(w)     (1 - w)
#define FREE(t, w)   (LOAD(t, PUSHED(w)) ^ memory[TAKEN(w)])
#define MANY(set)    ((set) & ((set) - 1))
#define IS_WANTED(w) (LOAD(w, STOPPING) || FREE(w, w))

byte ran;
byte pushed[WORKERS]; // by each worker: what it has stored last
byte kept[WORKERS], lost[WORKERS], ended[WORKERS]; // weft__worker_stats
byte stopped;
byte thefts;
bit is_vain[WORKERS], is_watching[WORKERS];

// ---- Calling ---------------------------------------------------------------------------------

inline call_one(w) {
    if
    :: LOAD(w, SLEEPING(OTHER(w))) == IS_ASLEEP ->
        COUNT(w, SEARCHING, 1);
        CAS(w, SLEEPING(OTHER(w)), IS_ASLEEP, IS_CALLED, found);
        if
        :: found == IS_ASLEEP -> EXCHANGE(w, WAKE(OTHER(w)), 1, found)
        :: else -> COUNT(w, SEARCHING, -1)
        fi
    :: else
    fi;
    found = 0
}

inline call(w) {
    if
    :: LOAD(w, ASLEEP) && LOAD(w, SEARCHING) == 0 && LOAD(w, WATCHING) == 0 -> call_one(w)
    :: else
    fi
}

inline balance_call(w) {
    if
    :: FREE(w, w) ->
#if defined AWAY && !defined PLANT_NO_CALL_FENCE
        if
        :: w == 0 -> FENCE(w) // task zero
        :: else
        fi;
#endif
        call(w)
    :: else
    fi
}

inline pass_on(w) {
    if
    :: MANY(FREE(w, w)) || FREE(w, OTHER(w)) -> call(w)
    :: else
    fi
}

inline spawn(w, task) {
    d_step { pushed[w] = pushed[w] ^ task; kept[w]++ };
    STORE(w, PUSHED(w), pushed[w]);
    balance_call(w)
}

// ---- Stealing --------------------------------------------------------------------------------

// The lowest bit of a set is a task.
#define ONE_OF(set) ((set) & -(set))

inline take(t, q) { // to `task`, of the queue of worker q; 0: there is none
#ifdef PLANT_TAKE_IN_TWO_STEPS
    task = ONE_OF(FREE(t, q));
    memory[TAKEN(q)] = memory[TAKEN(q)] ^ task
#else
    d_step { task = ONE_OF(FREE(t, q)); memory[TAKEN(q)] = memory[TAKEN(q)] ^ task }
#endif
}

inline steal(w) { // half, rounded up: of up to two one
    FENCE(w);
    take(w, OTHER(w));
    if
    :: task ->
        d_step {
            pushed[w] = pushed[w] ^ task;
#ifndef PLANT_THEFT_NOT_COUNTED
            lost[OTHER(w)]++;
#endif
            kept[w]++;
            thefts++;
            has_found = 1;
            task = 0
        };
        STORE(w, PUSHED(w), pushed[w])
    :: else
    fi
}

inline search(w) { // two looks
    if
    :: FREE(w, OTHER(w)) ->
        seen = memory[TAKEN(OTHER(w))];
        if
        :: IS_WANTED(w)
        :: else ->
            if
            :: FREE(w, OTHER(w)) && memory[TAKEN(OTHER(w))] == seen && thefts < THEFTS_MAX ->
                steal(w)
            :: else
            fi
        fi;
        seen = 0
    :: else
    fi
}

inline search_counted(w) {
    has_found = 0;
    search(w);
    COUNT_SC(w, SEARCHING, -1);
    if
    :: IS_WANTED(w) -> pass_on(w)
    :: else
    fi
}

// ---- Sleeping --------------------------------------------------------------------------------

inline wait(w, may_end) {
    if
    :: d_step { LOAD(w, WAKE(w)) && MAY_MODIFY(w, WAKE(w)) -> modify(w, WAKE(w), 0) }
    :: may_end
    fi
}

inline sleep_until(w) { // has_deadline: the wait is until 0, or its end is near
    if
    :: is_vain[w] || FREE(w, OTHER(w)) ->
        if
        :: !has_deadline ->
            d_step { is_watching[w] = 1; has_deadline = 1 };
            COUNT(w, WATCHING, 1)
        :: else -> pass_on(w)
        fi
    :: else
    fi;
    is_vain[w] = 0
}

inline rise(w) {
    COUNT(w, ASLEEP, -1);
    if
    :: is_called || is_watching[w] ->
        if
        :: is_called
        :: else -> COUNT(w, SEARCHING, 1)
        fi;
        if
        :: is_watching[w] -> is_watching[w] = 0; COUNT(w, WATCHING, -1)
        :: else
        fi;
        FENCE(w);
        search_counted(w);
        is_vain[w] = !has_found && !IS_WANTED(w) && is_called;
        is_called = 0
    :: else
    fi
}

inline sleep_in_driver(w) {
    STORE(w, SLEEPING(w), IS_ASLEEP);
    COUNT(w, ASLEEP, 1);
    FENCE(w);
    has_deadline = IS_WANTED(w);
    sleep_until(w);
    wait(w, has_deadline);
    has_deadline = 0;
    EXCHANGE(w, SLEEPING(w), RUNS, found);
    d_step { is_called = found == IS_CALLED; found = 0 };
    rise(w)
}

// ---- Turns -----------------------------------------------------------------------------------

inline run_task(w) {
    d_step { assert(!(ran & task)); ran = ran | task };
#ifndef AWAY
    if
    :: task == SECOND -> spawn(w, THIRD)
    :: else
    fi;
#endif
    d_step { ended[w]++; task = 0 }
}

// The first worker, if it is to be busy, starts nothing until all has run.
#ifdef BUSY
#define IS_BUSY(w) (w == 0 && ran != ALL)
#else
#define IS_BUSY(w) false
#endif

inline turn(w) {
    if
    :: IS_BUSY(w)
    :: else ->
        FENCE(w);
        take(w, w);
        if
        :: task -> run_task(w)
        :: else
        fi
    fi;
    if
    :: IS_BUSY(w) || FREE(w, w) -> // has_work
#ifndef PLANT_NO_CALL_AT_END_OF_TURN
        balance_call(w);
#endif
        if // a wait until 0
        :: LOAD(w, WAKE(w)) -> wait(w, true)
        :: else
        fi
    :: else ->
        COUNT(w, SEARCHING, 1);
        search_counted(w);
        if
        :: has_found
        :: else -> sleep_in_driver(w)
        fi
    fi
}

active [WORKERS] proctype worker() {
    byte found, seen, task;
    bit has_found, has_deadline, is_called;
    byte w = _pid - THREADS; // behind the drains
    if
#ifdef AWAY
    :: w == 0 -> spawn(0, FIRST); spawn(0, SECOND); ran == ALL
#else
    :: w == 0 -> spawn(0, FIRST); spawn(0, SECOND)
#endif
    :: else
    fi;
    do
    :: LOAD(w, STOPPING) -> break
    :: else -> turn(w)
    od;
    FENCE(w);
    assert(kept[w] - lost[w] == ended[w]);
    stopped++
}

active proctype stopper() { // weft__worker_stop, once no task is alive
    byte w;
    ran == ALL;
    memory[STOPPING] = 1;
    do
    :: w < WORKERS -> d_step { holder[WAKE(w)] == 0 -> memory[WAKE(w)] = 1; w++ }
    :: else -> break
    od;
    stopped == WORKERS;
    assert(memory[ASLEEP] == 0 && memory[SEARCHING] == 0 && memory[WATCHING] == 0)
}

ltl all_tasks_run_and_the_workers_end { <> (stopped == WORKERS) }

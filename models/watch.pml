// SPDX-License-Identifier: MIT
//
// Watchers: a task is started although its worker, and who came for it, are kept by something else.
//
// Models src/task/balance.c, rules 2 and 3: call_one, call, weft__balance_call, search,
// have_others, is_wanted, pass_on, search_counted, weft__balance_search, watch_until,
// weft__balance_sleep_until, weft__balance_rise; in src/task/worker.c weft__worker_nudge,
// inbox_drain, turn, sleep_in_driver.
//
// Worker 0 is task zero's: it starts a task and stays outside weft until that has run. At any
// moment somebody posts a task to worker 1 that keeps it just as long. Worker 2 is there for all
// the others. The memory is plain (its order: steal.pml, post_park.pml); a search is one step that
// finds what is there, or not when the worker is wanted itself. Time is not modelled: a watcher's
// sleep may end at any moment, and the task may be stolen three times at most (steal.pml).
//
// Shown: the task runs.

#define NONE 3 // where the task is

byte at = NONE;
bit has_run;
bit inbox; // of worker 1
byte sleeping[3];
bit wake[3];
byte asleep, searching, watching;
bit is_vain[3];
byte thefts;

#define RUNS      0 // sleeping
#define IS_ASLEEP 1
#define IS_CALLED 2

#define THEFTS_MAX 3

#define HAS_INBOX(w)   (w == 1 && inbox)
#define IS_WANTED(w)   (at == w || HAS_INBOX(w))
#define HAVE_OTHERS(w) (at != w && at != NONE)

inline call_one(other) {
    if
    :: sleeping[other] == IS_ASLEEP ->
        searching++;
        if
        :: atomic { sleeping[other] == IS_ASLEEP -> sleeping[other] = IS_CALLED };
            wake[other] = 1;
            has_called = 1
        :: sleeping[other] != IS_ASLEEP -> searching--
        fi
    :: else
    fi
}

inline call(w) {
    if
    :: asleep > 0 ->
        if
        :: searching == 0 ->
            if
            :: watching == 0 ->
                has_called = 0;
                call_one(((w + 1) % 3));
                if
                :: has_called -> has_called = 0
                :: else -> call_one(((w + 2) % 3)); has_called = 0
                fi
            :: else
            fi
        :: else
        fi
    :: else
    fi
}

inline pass_on(w) { // the loot is one task
#ifdef PLANT_NOT_PASSED_ON
    skip
#else
    if
    :: HAVE_OTHERS(w) -> call(w)
    :: else
    fi
#endif
}

inline search_counted(w) {
    atomic {
        if
        :: HAVE_OTHERS(w) && !IS_WANTED(w) && thefts < THEFTS_MAX ->
            at = w;
            thefts++;
            has_found = 1
        :: else -> has_found = 0
        fi
    };
    atomic { assert(searching > 0); searching-- };
    if
    :: IS_WANTED(w) -> pass_on(w)
    :: else
    fi
}

inline sleep_until(w) {
    if
#ifdef PLANT_NO_WATCH
    :: is_vain[w] ->
#else
    :: is_vain[w] || HAVE_OTHERS(w) ->
#endif
        if
        :: !has_deadline -> has_deadline = 1; is_watching = 1; watching++
        :: else -> pass_on(w)
        fi
    :: else
    fi;
    is_vain[w] = 0
}

inline rise(w) {
    asleep--;
    if
    :: is_called || is_watching ->
        if
        :: is_called
        :: else -> searching++
        fi;
        if
        :: is_watching -> is_watching = 0; watching--
        :: else
        fi;
        search_counted(w);
        d_step {
            is_vain[w] = !has_found && !IS_WANTED(w) && is_called;
            is_called = 0;
            has_found = 0
        }
    :: else
    fi
}

inline sleep_in_driver(w) {
    sleeping[w] = IS_ASLEEP;
    asleep++;
    has_deadline = IS_WANTED(w);
    sleep_until(w);
    if
    :: atomic { wake[w] -> wake[w] = 0 }
    :: has_deadline
    fi;
    has_deadline = 0;
    atomic { is_called = sleeping[w] == IS_CALLED; sleeping[w] = RUNS };
    rise(w)
}

inline balance_call(w) {
    if
    :: at == w -> call(w)
    :: else
    fi
}

inline inbox_drain(w) {
    if
    :: atomic { HAS_INBOX(w) -> inbox = 0; is_ready = 1 }
    :: else
    fi
}

inline turn(w) {
    if // ready ones go first
    :: is_ready -> has_run; is_ready = 0 // it is kept so long
    :: atomic { !is_ready && at == w -> at = NONE; has_run = 1 }
    :: else
    fi;
    inbox_drain(w);
    if
    :: is_ready || at == w -> // has_work
        balance_call(w);
        if // a wait until 0
        :: atomic { wake[w] -> wake[w] = 0 }
        :: else
        fi
    :: else ->
        searching++;
        search_counted(w);
        if
        :: has_found -> has_found = 0
        :: else -> sleep_in_driver(w)
        fi
    fi;
    inbox_drain(w)
#ifndef PLANT_LOOT_KEPT
    ;
    if
    :: is_ready -> balance_call(w)
    :: else
    fi
#endif
}

active proctype worker_0() provided (!has_run) {
    bit has_called;
    at = 0;
    call(0);
    has_run
}

active [2] proctype worker() provided (!has_run) {
    bit has_called, has_found, has_deadline, is_called, is_watching, is_ready;
    byte w = _pid;
    do
    :: turn(w)
    od
}

active proctype poster() provided (!has_run) { // weft__worker_nudge
    inbox = 1;
    if
    :: atomic { sleeping[1] == IS_ASLEEP -> sleeping[1] = RUNS }; wake[1] = 1
    :: sleeping[1] != IS_ASLEEP
    fi
}

active proctype last() { // nothing else is to be done
    bit is_over;
    has_run;
    do
    :: is_over = 1
    od
}

ltl the_task_runs { <> (has_run || thefts == THEFTS_MAX) }

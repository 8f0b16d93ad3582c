// SPDX-License-Identifier: MIT
//
// The threads of workers: let go together, ended together.
//
// Models src/task/worker_thread.c: thread_main, await_go, leave, await_others,
// weft__worker_thread_start, weft__worker_threads_go, weft__worker_threads_end; in
// src/task/runtime.c start_threads and weft__runtime_end.
//
// The thread that starts the runtime has worker 0; workers 1 and 2 have threads of their own.
// Worker 2 may fail to start: then the runtime starts without it, or not at all. While they run,
// workers look at each other's queues and wake each other's drivers, worker 0 once and the others
// as often as they like. A futex compares and sleeps in one step, and wakes all that sleep. The
// memory is plain: everything shared is changed by read-modify-writes or written before a release
// that is waited for.
//
// Shown: nobody touches a worker that is not there yet or is gone, nor the list of workers; all
// threads end, and so do start and stop.

#define WAITING 0 // up
#define GO      1
#define END     2

#define ALL 3 // workers

byte up;
byte threads = 1;
byte count = ALL; // of workers, as far as they have started
bit is_there[ALL]; // its queue and driver
bit is_known[ALL]; // launch->state
bit has_failed;
bit is_stopping[ALL];
bit has_ended[ALL]; // the thread
byte on_up, on_threads; // futexes: a bit for each worker that sleeps there
bit is_list_there = 1;
bit is_over;

inline wake_all(futex) {
    futex = 0
}

inline futex_wait(w, futex, word, expected) {
    d_step {
        if
        :: word == expected -> futex = futex | 1 << w
        :: else
        fi
    };
    !(futex & 1 << w)
}

// A look at another's queue, or the wake of its driver: which worker it is, and then it.
inline touch() {
    if
    :: other = 0
    :: other = 1
    :: count == ALL -> other = 2
    fi;
    assert(is_list_there && is_there[other]);
    other = 0
}

inline leave() {
    d_step { is_last = threads == 1; threads-- };
    if
#ifdef PLANT_WAKE_BY_ANY_BUT_THE_LAST
    :: !is_last -> wake_all(on_threads)
#else
    :: is_last -> wake_all(on_threads)
#endif
    :: else
    fi
}

proctype thread(byte w) {
    byte other, seen;
    bit is_last;
    if
    :: w == 2 -> has_failed = 1; is_known[2] = 1; goto gone
    :: true
    fi;
    is_there[w] = 1;
    threads++;
    is_known[w] = 1;
#ifndef PLANT_GOES_AT_ONCE
    do
    :: up == WAITING -> futex_wait(w, on_up, up, WAITING)
    :: else -> break
    od;
    if
    :: up == END -> goto over
    :: else
    fi;
#endif
    do
    :: is_stopping[w] -> break
    :: !is_stopping[w] -> touch()
    od;
over:
    leave();
#ifndef PLANT_NO_AWAIT_OTHERS
    do
    :: seen = threads;
        if
        :: seen > 0 -> futex_wait(w, on_threads, threads, seen)
        :: else -> break
        fi
    od;
#endif
    is_there[w] = 0;
gone:
    has_ended[w] = 1
}

inline end_threads(among) {
    if
    :: up == WAITING -> up = END; wake_all(on_up)
    :: else ->
        w = 1;
        do
        :: w < among ->
            is_stopping[w] = 1;
            assert(is_there[w]); // its driver is woken
            w++
        :: else -> break
        od
    fi;
#ifndef PLANT_STOPPER_NOT_COUNTED
    leave();
#endif
    has_ended[1] && (among < ALL || has_ended[2])
}

active proctype starter() {
    byte other, w;
    bit is_last;
#ifdef PLANT_STOPPER_NOT_COUNTED
    threads = 0;
#endif
    is_there[0] = 1;
    run thread(1);
    is_known[1];
    run thread(2);
    is_known[2];
    if
    :: has_failed -> has_ended[2]; count = 2
    :: else
    fi;
    if
    :: has_failed -> end_threads(count) // the start fails
    :: true -> // what could be had is enough
        up = GO;
        wake_all(on_up);
        touch();
        end_threads(count)
    fi;
    is_there[0] = 0;
    is_list_there = 0;
    is_over = 1
}

ltl start_and_stop_end { <> is_over }

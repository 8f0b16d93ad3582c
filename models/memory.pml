// SPDX-License-Identifier: MIT
//
// The memory that the models run on, where its order matters. Not a model: they include it, having
// defined THREADS (those with a store buffer, from 0), PLACES (variables) and, if 2 is not right,
// DEPTH (of each buffer).
//
// 1. Each thread has a first-in-first-out store buffer. Its loads see its own stores, newest first,
//    and else the memory. At any moment the oldest store of any buffer may reach the memory. So
//    stores are seen in order and loads are done in order, and a load may overtake an older store:
//    x86-TSO (P. Sewell et al., "x86-TSO: A Rigorous and Usable Model", 2010).
// 2. On x86 each read-modify-write also empties the buffer, C's relaxed one included. Our code does
//    not count on that, and on aarch64 it is not so. Here it is a fence only if it is seq_cst (the
//    calls that end in _SC). A weaker one reads the memory, and its store goes through the buffer,
//    too; until that has arrived nobody else may store there, so that it is atomic. With -DX86 each
//    is a fence; what holds without holds with it, because a buffer may be emptied at any time.
// 3. Not here: loads that overtake loads, stores that overtake stores, and what a compiler does. So
//    a missing acquire or release cannot be found, only a missing seq_cst.
#ifndef DEPTH
#define DEPTH 2
#endif

typedef store_buffer {
    byte used; // oldest first
    byte place[DEPTH];
    byte value[DEPTH]
};

store_buffer buffer[THREADS];
byte sum; // in a step of COUNT
byte memory[PLACES];
byte holder[PLACES]; // 1 + the thread whose read-modify-write is still in its buffer; 0: none

#define HAS(t, i, x) (buffer[t].used > i && buffer[t].place[i] == x)
#if DEPTH == 1
#define IS_BUFFERED_BEHIND(t, x) false
#define LOAD(t, x)               (HAS(t, 0, x) -> buffer[t].value[0] : memory[x])
#elif DEPTH == 2
#define IS_BUFFERED_BEHIND(t, x) HAS(t, 1, x)
#define LOAD(t, x)                                                                                 \
    (HAS(t, 1, x) -> buffer[t].value[1] : (HAS(t, 0, x) -> buffer[t].value[0] : memory[x]))
#else // 3
#define IS_BUFFERED_BEHIND(t, x) (HAS(t, 1, x) || HAS(t, 2, x))
#define LOAD(t, x)                                                                                 \
    (HAS(t, 2, x) -> buffer[t].value[2]                                                            \
     : (HAS(t, 1, x) -> buffer[t].value[1] : (HAS(t, 0, x) -> buffer[t].value[0] : memory[x])))
#endif

#define MAY_DRAIN(t)                                                                               \
    (buffer[t].used > 0 &&                                                                         \
     (holder[buffer[t].place[0]] == 0 || holder[buffer[t].place[0]] == t + 1))

inline drain_one(t) { // in a d_step, if MAY_DRAIN
    memory[buffer[t].place[0]] = buffer[t].value[0];
    if
    :: IS_BUFFERED_BEHIND(t, buffer[t].place[0]) // by the same thread
    :: else -> holder[buffer[t].place[0]] = 0
    fi;
    buffer[t].used--;
#if DEPTH > 1
    buffer[t].place[0] = buffer[t].place[1];
    buffer[t].value[0] = buffer[t].value[1];
#endif
#if DEPTH > 2
    buffer[t].place[1] = buffer[t].place[2];
    buffer[t].value[1] = buffer[t].value[2];
#endif
    buffer[t].place[buffer[t].used] = 0; // what is not used is all the same: fewer states
    buffer[t].value[buffer[t].used] = 0
}

active [THREADS] proctype drain() { // the first processes: their numbers are those of the threads
end:
    do
    :: d_step { MAY_DRAIN(_pid) -> drain_one(_pid) }
    od
}

inline put(t, x, new) { // in a d_step, if there is room
    buffer[t].place[buffer[t].used] = x;
    buffer[t].value[buffer[t].used] = new;
    buffer[t].used++
}

inline STORE(t, x, new) {
    d_step { buffer[t].used < DEPTH -> put(t, x, new) }
}

#define IS_DRAINED(t) (buffer[t].used == 0)

inline FENCE(t) { // seq_cst
    IS_DRAINED(t)
}

inline STORE_SC(t, x, new) {
    STORE(t, x, new);
    FENCE(t)
}

#define MAY_MODIFY_SC(t, x) (IS_DRAINED(t) && holder[x] == 0)
#ifdef X86
#define MAY_MODIFY(t, x) MAY_MODIFY_SC(t, x)
#else
#define MAY_MODIFY(t, x) ((holder[x] == 0 || holder[x] == t + 1) && buffer[t].used < DEPTH)
#endif

inline modify(t, x, new) { // in a d_step, if MAY_MODIFY
#ifdef X86
    memory[x] = new
#else
    put(t, x, new);
    holder[x] = t + 1
#endif
}

// `old` is what was found. A compare-and-swap that fails is a load.
inline EXCHANGE(t, x, new, old) {
    d_step { MAY_MODIFY(t, x) -> old = LOAD(t, x); modify(t, x, new) }
}

inline CAS(t, x, wanted, new, old) {
    d_step {
        LOAD(t, x) != wanted || MAY_MODIFY(t, x) ->
        old = LOAD(t, x);
        if
        :: old == wanted -> modify(t, x, new)
        :: else
        fi
    }
}

// A count: it must not fall below 0, and who changes it does not read it.
inline COUNT(t, x, n) {
    d_step {
        MAY_MODIFY(t, x) ->
        assert(LOAD(t, x) + (n) >= 0);
        sum = LOAD(t, x) + (n);
        modify(t, x, sum);
        sum = 0
    }
}

inline EXCHANGE_SC(t, x, new, old) {
    d_step { MAY_MODIFY_SC(t, x) -> old = memory[x]; memory[x] = new }
}

inline CAS_SC(t, x, wanted, new, old) {
    d_step {
        MAY_MODIFY_SC(t, x) ->
        old = memory[x];
        if
        :: old == wanted -> memory[x] = new
        :: else
        fi
    }
}

inline COUNT_SC(t, x, n) {
    d_step {
        MAY_MODIFY_SC(t, x) ->
        assert(memory[x] + (n) >= 0);
        memory[x] = memory[x] + (n)
    }
}

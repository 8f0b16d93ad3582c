// SPDX-License-Identifier: MIT
//
// The explorer proves itself: the known litmus tests of memory models, with exactly the outcomes
// that explore.h promises; random programs, whose outcomes do not depend on whether known states
// are searched again; and each kind of finding.
#include "explore.h"

#include <signal.h>

#include "os/os.h"

static uint32_t x, y; // atomic
static unsigned r[8]; // a thread's own, read in the finish
static int plain;

// Bit n stands for the outcome n: the values read, as digits of a binary number.
#define OUTCOME(n) ((uint64_t)1 << (n))

static void two_reads(void) {
    explore_outcome(r[0] * 2 + r[1]);
}

// ---- Store buffering: x = 1; r0 = y  |  y = 1; r1 = x ----

#define STORE_AND_LOAD(name, to, from, result, order, between)                                     \
    static void name(void) {                                                                       \
        weft__store(&to, 1, order);                                                                \
        between;                                                                                   \
        r[result] = weft__load(&from, order);                                                      \
    }
STORE_AND_LOAD(sb_left, x, y, 0, relaxed, (void)0)
STORE_AND_LOAD(sb_right, y, x, 1, relaxed, (void)0)
STORE_AND_LOAD(sb_fence_left, x, y, 0, relaxed, weft__fence(seq_cst))
STORE_AND_LOAD(sb_fence_right, y, x, 1, relaxed, weft__fence(seq_cst))
STORE_AND_LOAD(sb_weak_fence_left, x, y, 0, relaxed, weft__fence(acq_rel))
STORE_AND_LOAD(sb_sc_left, x, y, 0, seq_cst, (void)0)
STORE_AND_LOAD(sb_sc_right, y, x, 1, seq_cst, (void)0)

// A read-modify-write is no fence for what comes after it, nor is a store of seq_cst.
static void sb_add_left(void) {
    weft__fetch_add(&x, 1, acq_rel);
    r[0] = weft__load(&y, relaxed);
}
static void sb_sc_store_right(void) {
    weft__store(&y, 1, seq_cst);
    r[1] = weft__load(&x, relaxed);
}

// ---- Message passing: x = 1; y = 1  |  r0 = y; r1 = x ----

#define SEND(name, order, between)                                                                 \
    static void name(void) {                                                                       \
        weft__store(&x, 1, relaxed);                                                               \
        between;                                                                                   \
        weft__store(&y, 1, order);                                                                 \
    }
#define RECEIVE(name, order, between)                                                              \
    static void name(void) {                                                                       \
        r[0] = weft__load(&y, order);                                                              \
        between;                                                                                   \
        r[1] = weft__load(&x, relaxed);                                                            \
    }
SEND(mp_send, relaxed, (void)0)
SEND(mp_send_release, release, (void)0)
SEND(mp_send_fence, relaxed, weft__fence(release))
RECEIVE(mp_receive, relaxed, (void)0)
RECEIVE(mp_receive_acquire, acquire, (void)0)
RECEIVE(mp_receive_fence, relaxed, weft__fence(acquire))

// A read-modify-write between the two passes on what the release had.
static void add_to_y(void) {
    uint32_t expected = 1;
    (void)weft__cas(&y, &expected, 2, relaxed);
}
static void receive_two(void) {
    r[0] = weft__load(&y, acquire) == 2;
    r[1] = weft__load(&x, relaxed);
}

// ---- Load buffering: r0 = x; y = 1  |  r1 = y; x = 1. Never both 1 here. ----

static void lb_left(void) {
    r[0] = weft__load(&x, relaxed);
    weft__store(&y, 1, relaxed);
}
static void lb_right(void) {
    r[1] = weft__load(&y, relaxed);
    weft__store(&x, 1, relaxed);
}

// ---- Coherence: one location has one order for all ----

static void write_twice(void) {
    weft__store(&x, 1, relaxed);
    weft__store(&x, 2, relaxed);
}
static void read_twice(void) {
    r[0] = weft__load(&x, relaxed);
    r[1] = weft__load(&x, relaxed);
}
static void coherent(void) {
    explore_outcome(r[0] * 3 + r[1]);
}

// ---- Independent reads of independent writes ----

#define WRITE(name, to, order)                                                                     \
    static void name(void) {                                                                       \
        weft__store(&to, 1, order);                                                                \
    }
#define READ_BOTH(name, first, second, result, order)                                              \
    static void name(void) {                                                                       \
        r[result] = weft__load(&first, order);                                                     \
        r[result + 1] = weft__load(&second, order);                                                \
    }
WRITE(write_x, x, release)
WRITE(write_y, y, release)
WRITE(write_x_sc, x, seq_cst)
WRITE(write_y_sc, y, seq_cst)
READ_BOTH(read_xy, x, y, 0, acquire)
READ_BOTH(read_yx, y, x, 2, acquire)
READ_BOTH(read_xy_sc, x, y, 0, seq_cst)
READ_BOTH(read_yx_sc, y, x, 2, seq_cst)
static void four_reads(void) {
    explore_outcome(r[0] * 8 + r[1] * 4 + r[2] * 2 + r[3]);
}

// ---- Random programs ------------------------------------------------------------------------

enum { RANDOM_THREADS = 3, RANDOM_STEPS = 3 };
static uint32_t places[2]; // atomic
static uint64_t results;   // guarded by the lock
static struct weft__lock lock;

static unsigned draw(unsigned *state, unsigned n) {
    *state = *state * 1103515245 + 12345;
    return (*state >> 16) % n;
}

// Returns what it has read, if it read anything.
static unsigned random_step(unsigned *state) {
    uint32_t *place = &places[draw(state, 2)], expected = 0;
    uint32_t value = draw(state, 3);
    switch (draw(state, 12)) {
    case 0:
        return weft__load(place, relaxed);
    case 1:
        return weft__load(place, acquire);
    case 2:
        return weft__load(place, seq_cst);
    case 3:
        weft__store(place, value, relaxed);
        return 0;
    case 4:
        weft__store(place, value, release);
        return 0;
    case 5:
        weft__store(place, value, seq_cst);
        return 0;
    case 6:
        return weft__fetch_add(place, 1, relaxed) & 3;
    case 7:
        return weft__exchange(place, value, acq_rel) & 3;
    case 8:
        return weft__cas(place, &expected, 2, seq_cst);
    case 9:
        weft__fence(seq_cst);
        return 0;
    case 10:
        weft__fence(acq_rel);
        return 0;
    default:
        weft__lock(&lock);
        results = results * 5 + 1; // who came first is part of the outcome
        weft__unlock(&lock);
        return 0;
    }
}

static void random_thread(unsigned number) {
    unsigned state = explore_parameter() * RANDOM_THREADS + number;
    (void)draw(&state, 2);
    for (unsigned i = 0; i < RANDOM_STEPS; i++)
        r[number] = r[number] * 4 + random_step(&state);
}

static void random_0(void) {
    random_thread(0);
}
static void random_1(void) {
    random_thread(1);
}
static void random_2(void) {
    random_thread(2);
}
static void random_outcome(void) {
    uint64_t all = results;
    for (int i = 0; i < RANDOM_THREADS; i++)
        all = all * 67 + r[i];
    all = (all * 7 + places[0]) * 7 + places[1];
    explore_outcome((unsigned)(all % EXPLORE_OUTCOMES));
}

// ---- Findings -------------------------------------------------------------------------------

static void write_plain(void) {
    plain++;
}
static void write_plain_then_x(void) {
    plain = 1;
    weft__store(&x, 1, relaxed);
}
static void read_plain_after_x(void) {
    if (weft__load(&x, acquire))
        r[0] = (unsigned)plain;
}
static void wait_for_x(void) {
    while (!weft__load(&x, relaxed))
        weft__os_yield();
}
static void spin_without_yield(void) {
    while (!weft__load(&x, relaxed))
        ;
}
static void lock_twice(void) {
    weft__lock(&lock);
    weft__lock(&lock);
}
static void expect_no_race(void) {
    uint32_t value = weft__load(&x, relaxed);
    weft__store(&x, value + 1, relaxed);
}
static void expect_two(void) {
    EXPECT(x == 2);
}
static int *shared;
static void make_shared(void) {
    shared = weft__alloc(sizeof *shared);
}
static void free_shared(void) {
    int *mine = shared;
    weft__store(&x, 1, release);
    weft__free(mine);
}
static void use_shared(void) {
    if (weft__load(&x, acquire))
        r[0] = (unsigned)*shared;
}
static void crash(void) {
    if (weft__fetch_add(&x, 1, relaxed) == 1)
        raise(SIGSEGV);
}

#define LITMUS(test, allowed, judge, ...)                                                          \
    {                                                                                              \
        .name = test, .bound = EXPLORE_ALL, .outcomes = allowed, .finish = judge, .threads = {     \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define FINDS(test, what, ...)                                                                     \
    {                                                                                              \
        .name = test, .bound = EXPLORE_ALL, .finding = what, .threads = { __VA_ARGS__ }            \
    }

static const struct explore_case cases[] = {
    LITMUS("store_buffering", 0xf, two_reads, {"left", sb_left}, {"right", sb_right}),
    LITMUS("store_buffering_fences", 0xe, two_reads, {"left", sb_fence_left},
           {"right", sb_fence_right}),
    LITMUS("store_buffering_one_fence", 0xf, two_reads, {"left", sb_fence_left},
           {"right", sb_right}),
    LITMUS("store_buffering_weak_fence", 0xf, two_reads, {"left", sb_weak_fence_left},
           {"right", sb_fence_right}),
    LITMUS("store_buffering_sc", 0xe, two_reads, {"left", sb_sc_left}, {"right", sb_sc_right}),
    LITMUS("store_buffering_add", 0xf, two_reads, {"left", sb_add_left}, {"right", sb_fence_right}),
    LITMUS("store_buffering_sc_store", 0xf, two_reads, {"left", sb_fence_left},
           {"right", sb_sc_store_right}),
    LITMUS("message_passing", 0xf, two_reads, {"from", mp_send}, {"to", mp_receive}),
    LITMUS("message_passing_no_release", 0xf, two_reads, {"from", mp_send},
           {"to", mp_receive_acquire}),
    LITMUS("message_passing_no_acquire", 0xf, two_reads, {"from", mp_send_release},
           {"to", mp_receive}),
    LITMUS("message_passing_orders", 0xb, two_reads, {"from", mp_send_release},
           {"to", mp_receive_acquire}),
    LITMUS("message_passing_fences", 0xb, two_reads, {"from", mp_send_fence},
           {"to", mp_receive_fence}),
    LITMUS("message_passing_mixed", 0xb, two_reads, {"from", mp_send_fence},
           {"to", mp_receive_acquire}),
    LITMUS("release_sequence", 0xb, two_reads, {"from", mp_send_release}, {"between", add_to_y},
           {"to", receive_two}),
    LITMUS("load_buffering", 0x7, two_reads, {"left", lb_left}, {"right", lb_right}),
    LITMUS("coherence", OUTCOME(0) | OUTCOME(1) | OUTCOME(2) | OUTCOME(4) | OUTCOME(5) | OUTCOME(8),
           coherent, {"writer", write_twice}, {"reader", read_twice}),
    LITMUS("independent_reads", 0xffff, four_reads, {"x", write_x}, {"y", write_y}, {"xy", read_xy},
           {"yx", read_yx}),
    LITMUS("independent_reads_sc", 0xffff & ~OUTCOME(0xa), four_reads, {"x", write_x_sc},
           {"y", write_y_sc}, {"xy", read_xy_sc}, {"yx", read_yx_sc}),
    {.name = "random_programs",
     .bound = EXPLORE_ALL,
     .outcomes = 1, // whatever they are
     .repeat = 60,
     .finish = random_outcome,
     .threads = {{"0", random_0}, {"1", random_1}, {"2", random_2}}},
    {.name = "random_programs_bounded",
     .bound = 2,
     .outcomes = 1,
     .repeat = 200,
     .finish = random_outcome,
     .threads = {{"0", random_0}, {"1", random_1}, {"2", random_2}}},
    FINDS("two_plain_writes_race", "data race", {"left", write_plain}, {"right", write_plain}),
    FINDS("relaxed_is_no_synchronisation", "data race", {"left", write_plain_then_x},
          {"right", read_plain_after_x}),
    FINDS("waiting_for_nobody", "deadlock", {"left", wait_for_x}, {"right", write_plain}),
    FINDS("spinning_for_ever", "livelock", {"left", spin_without_yield}, {"right", write_plain}),
    FINDS("locking_twice", "deadlock", {"left", lock_twice}, {"right", write_plain}),
    {.name = "lost_update",
     .bound = EXPLORE_ALL,
     .finding = "tests/explore/litmus.c",
     .finish = expect_two,
     .threads = {{"left", expect_no_race}, {"right", expect_no_race}}},
    {.name = "use_after_free",
     .bound = EXPLORE_ALL,
     .finding = "use after free",
     .setup = make_shared,
     .threads = {{"left", free_shared}, {"right", use_shared}}},
    FINDS("crash", "signal 11", {"left", crash}, {"right", crash}),
};
EXPLORE_CASES(cases)

// SPDX-License-Identifier: MIT
//
// What the files of the explorer share. The explored program's memory is put back before each
// execution, so all of the explorer's own state stands in one struct outside of it.
//
//   engine.c  threads, steps, and whose turn it is
//   search.c  choices: depth first, bounded, without what is known already
//   weak.c    what a load may find: the memory model
//   race.c    plain accesses: data races, use after free
//   world.c   the operating system and the driver, as the sources under test see them
//   main.c    cases, options, what is printed
#ifndef TESTS_EXPLORE_ENGINE_H
#define TESTS_EXPLORE_ENGINE_H

#include "explore.h"

#include "task/context.h"

#include <setjmp.h>
#include <stddef.h>

enum {
    THREADS = EXPLORE_THREADS,
    LOCATIONS = 256, // atomics touched in one execution
    KEPT = 4,        // stores to a location that a load may still find
    POLLS_MAX = 2,   // looks without waiting while others could run; then they do
    LOOKS = 16,      // locations that a spinning thread looks at
    CHOICES = 1 << 14,
    STEPS = 1 << 13,         // of one execution; more is a livelock
    ACCESSES = 1 << 22,      // plain ones, likewise
    TRACED = 400,            // steps that are printed
    STACK_SIZE = 128 * 1024, // of a thread
    TLS_SIZE = 256,
};

// How far a thread has seen. `clock` counts, for each thread, its releases that happened before;
// `seen` numbers, for each location, the oldest store that may still be read.
struct view {
    uint16_t clock[THREADS];
    uint16_t seen[LOCATIONS];
};

struct message { // a store
    uint64_t value;
    uint64_t hash;       // of all that led to it
    uint16_t seen_count; // how much of view.seen counts
    struct view view;    // what who reads it with acquire has seen then
};

struct location {
    void *address;
    unsigned size;
    uint16_t id;
    uint16_t first, last;                                 // numbers of the stores that may be found
    uint16_t written_clock[THREADS], read_clock[THREADS]; // of the last atomic accesses
    bool is_rewritten; // by a plain store: the next operation begins anew with what it finds
    uint64_t sc_hash, futex_hash;
    struct message kept[KEPT]; // by number, modulo KEPT
};

// What a thread waits for before its next step.
enum wait {
    WAIT_NONE,
    WAIT_ZERO,   // the newest value of `place` is 0
    WAIT_SET,    // it is not; or the time, or nothing at all, ends the wait
    WAIT_SIGNAL, // `is_signalled`; likewise
    WAIT_CHANGE, // a location that it has looked at has another value than it had then
    WAIT_PHASE,  // the explorer is in `phase`, or later
    WAIT_OTHERS, // the threads of the case are through
    WAIT_END,    // thread `awaited` has ended
    WAIT_EVER,   // it has ended itself
};

struct look { // the last one at a location since the last yield
    struct location *location;
    uint64_t value;
    uint16_t number; // a lock: of our last store, because its value is always 0 again; else 0
};

struct thread {
    struct weft__context context;
    char *stack;
    char name[16];
    void (*fn)(void *);
    void *arg;
    const char *site; // of its next step
    enum wait wait;
    uint32_t *place;
    int64_t until_ns;
    int phase;
    int awaited;
    int64_t clock_looks;
    unsigned polls, ran_at; // since another one ran; the step at which it was left
    uint64_t ticket;        // who waits longest at a futex has the lowest
    bool is_started, is_through, is_signalled;
    bool gives_way; // at a yield: the others go first
    bool is_early;  // it was let go although what it waits for has not come
    void (*at_exit)(void *);
    void *exit_arg;
    struct view view, acquired, released; // now; if it fenced now; when it fenced last
    uint64_t hash;                        // of its history, and so of its state
    struct look looks[LOOKS];
    unsigned look_count;
    char tls[TLS_SIZE]; // of the program, while it does not run
    char *arena, *arena_end;
};

struct choice {
    uint8_t count, free_count; // options; taking one that is not free is a deviation
    uint8_t taken;
    uint8_t left; // deviations, before it; EXPLORE_ALL: no limit
};

struct state { // visited; the table is open-addressed
    uint64_t key;
    uint64_t left_plus_1; // deviations that were left; 0: an empty entry
};

struct explorer {
    const struct explore_case *now;
    // The execution.
    struct weft__context main;
    struct thread threads[THREADS];
    int thread_count;
    struct thread *current; // NULL: the explorer itself
    int phase;
    bool is_exploring;
    uint32_t number; // of the execution; memory of an older one is void (race.c)
    int64_t now_ns;
    uint64_t tickets;
    struct location locations[LOCATIONS];
    unsigned location_count;
    struct view sc;
    uint64_t sc_hash, sc_fence_hash;
    unsigned steps, accesses, traced;
    bool is_pruned, has_finding, is_tracing;
    char finding[512];
    sigjmp_buf crash;
    char *pages;
    // The search.
    unsigned bound, left;
    struct choice choices[CHOICES];
    unsigned choice_count, replayed_count;
    bool is_cut; // the bound has kept some choice from being made
    struct state *states;
    size_t state_count, state_capacity;
    bool is_naive; // known states are searched again
    unsigned parameter;
    bool outcomes[EXPLORE_OUTCOMES];
    // Totals of the case.
    uint64_t executions, total_steps, total_states;
};

extern struct explorer *explorer;

// engine.c
void explore_run_once(void);
void explore_step(const char *site); // before each operation; the others may go first
void explore_poll(enum wait wait, const char *site); // the same for who looks again and again
void explore_block(enum wait wait, uint32_t *place, int64_t until_ns, const char *site);
int explore_spawn(const char *name, void (*fn)(void *), void *arg); // the thread's number
_Noreturn void explore_abandon(void);
void explore_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

// search.c: picks one of `count` options, of which the first `free_count` are no deviation.
unsigned explore_choose(unsigned count, unsigned free_count);
bool explore_is_known(void); // the present state was searched already
bool explore_next(void);     // prepares the next execution; false: there is none
void explore_search_begin(unsigned bound);
void explore_search_forget(void);

// weak.c
struct location *explore_locate(const void *p, unsigned size);
uint64_t explore_newest(const struct location *location);
bool explore_has_changed(const struct thread *thread);
void explore_look_again(void);                                          // after a yield
void explore_synchronize(struct thread *to, const struct thread *from); // start and join
uint64_t explore_state_hash(void);
uint32_t explore_futex_look(uint32_t *word); // the newest value, and a step in the futex's history
void explore_take_wake(uint32_t *is_woken, const char *site); // makes it 0; no step of its own
static inline uint64_t explore_mix(uint64_t a, uint64_t b) {
    a = (a ^ (b + 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
    a = (a ^ (a >> 27)) * 0x94d049bb133111eb;
    return a ^ (a >> 31);
}

// race.c
void explore_memory_prepare(void); // once; then, before each execution:
void explore_memory_reset(void);
// The number of the location that begins at `p`, 0 for none; NULL if `p` is not explored memory.
uint16_t *explore_location_at(const void *p);
// An atomic access against the plain ones before it.
void explore_check_atomic(const struct location *location, bool is_write);
void *explore_arena_take(size_t size);
void explore_memory_freed(void *p, size_t size);
void *explore_pages_take(size_t size);
char *explore_stack_of(int number);
void explore_tls_exchange(struct thread *from, struct thread *to);
void explore_explain_address(uintptr_t pc, char *buf, size_t size);

#endif

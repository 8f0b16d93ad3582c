// SPDX-License-Identifier: MIT
// The stacks of one worker's tasks: reserved in slabs of many, guarded at their low end, kept for
// the next task, their tops spread over the cache. Not thread-safe: a pool and every stack from it
// belong to one worker. Nothing here knows what runs on a stack (task/context.h).
#ifndef WEFT_TASK_STACK_H
#define WEFT_TASK_STACK_H

#include "base/atomic.h"
#include "base/guard.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEFT__STACK_SIZE_DEFAULT (64 * 1024)
#define WEFT__STACK_SIZE_MIN     (16 * 1024)

// A stack in use. `low` and `size` include the guard page; code runs from `top` downward.
struct weft__stack {
    char *low;
    char *top; // a multiple of 16, at most WEFT__STACK_COLOURS cache lines below the end
    size_t size;
    unsigned int guard_size;  // 0 when an overflow would not fault
    unsigned int valgrind_id; // what Valgrind calls it
    bool is_apart;            // a mapping of its own: larger than the pool's stacks
    enum weft__guard guard;
};

// Tops lie 0 .. 23 cache lines below the ends, or tasks that wait at the same depth would compete
// for the same cache sets. More would push a task with a buffer of 1 KiB onto a second page.
#define WEFT__STACK_COLOURS 24

struct weft__slab;

// A pool. Zeroed, it is empty but has no stack size: weft__stacks_init gives it one. The fields are
// the pool's; everyone may read the counts.
struct weft__stacks {
    WEFT__ATOMIC(size_t) in_use; // taken and not given back; read by anybody
    size_t idle_count;           // kept for the next task
    size_t reserved_bytes;       // of address space; memory only where a task has touched it
    size_t guarded_counts[WEFT__GUARD_COUNT]; // stacks that exist, by how they are guarded
    enum weft__guard guard;                   // the method, once `is_guard_chosen`
    bool is_guard_chosen;
    bool is_weakness_logged;
    bool is_valgrind; // Valgrind runs us and hears of every stack
    size_t stack_size;
    size_t page_size;
    size_t made_count;        // stacks ever made, for the next colour
    size_t pooled_count;      // of the slabs, idle or in use
    uintptr_t *idle;          // the last given comes first; see stack.c
    size_t idle_capacity;     // never below pooled_count, so that giving back cannot fail
    size_t cold_count;        // of idle, from the start: these have no memory behind them
    size_t idle_low;          // the fewest idle ones since somebody set this to idle_count
    struct weft__slab *slabs; // newest first; only that one has stacks left to make
};

// Sets up an empty pool of stacks of `stack_size` bytes each, guard page included. 0: the default.
void weft__stacks_init(struct weft__stacks *s, size_t stack_size);

// Gives back all memory. No stack may be in use. An empty or zeroed pool is nothing.
void weft__stacks_destroy(struct weft__stacks *s);

// Takes a stack of at least `size` bytes (0: the pool's), the one given back last if there is any.
// 0, or -ENOMEM and the pool as before.
int weft__stacks_take(struct weft__stacks *s, size_t size, struct weft__stack *ret_stack);

// Gives a stack back that nobody runs on. A stack without a guard is examined here: when the page
// that a guard would have been was written to, the process ends with a message saying so.
void weft__stacks_give(struct weft__stacks *s, struct weft__stack *stack);

// Returns the memory behind idle stacks to the system and keeps their addresses: of the first so
// many in the list, which are those unused for longest.
void weft__stacks_trim(struct weft__stacks *s, size_t count);

// Makes the pool guard by `method` whatever the probe would say. Before the first take; for tests.
void weft__stacks_guard_by(struct weft__stacks *s, enum weft__guard method);

// Whether `addr` lies in the guard of `stack`, so that the fault there is an overflow. Safe in a
// signal handler.
bool weft__stack_guard_hit(const struct weft__stack *stack, const void *addr);

#endif

// SPDX-License-Identifier: MIT
//
// The search over executions: depth first over the choices, each replayed from the beginning, with
// a bound on deviations (after Musuvathi and Qadeer, "Iterative context bounding", 2007), and an
// end at states that were searched already.
//
// 1. An execution is the list of its choices. The next one repeats them up to the last that has
//    another option, and takes that.
// 2. A state is the history of each thread: which steps it made, and which store each of its loads
//    found. Two executions with equal histories differ only in the order of steps that do not
//    depend on each other (Mazurkiewicz), and what follows is the same, as no plain access races:
//    race.c sees to that. Histories are kept as hashes of 64 bits.
// 3. A state is known when it was come to with as many deviations left: whatever follows was, or
//    will be, tried from there. That holds across bounds, so the table is kept from one to the
//    next.
#include "engine.h"

#include <stdlib.h>
#include <string.h>

unsigned explore_choose(unsigned count, unsigned free_count) {
    if (!explorer->is_exploring || count == 1)
        return 0;
    unsigned at = explorer->choice_count++;
    if (at == CHOICES)
        explore_fail("more than %d choices in one execution", CHOICES);
    struct choice *choice = &explorer->choices[at];
    if (at >= explorer->replayed_count) {
        *choice = (struct choice){.count = (uint8_t)count, .free_count = (uint8_t)free_count};
        choice->left = (uint8_t)explorer->left;
    } else if (choice->count == 0) { // of a line that replays: only the option was known
        choice->count = (uint8_t)count;
        choice->free_count = (uint8_t)free_count;
        choice->left = (uint8_t)explorer->left;
    }
    if (choice->count != count || choice->free_count != free_count || choice->taken >= count)
        explore_fail("the case does not repeat itself: choice %u had %u options and has %u", at,
                     choice->count, count);
    if (choice->taken >= choice->free_count && explorer->bound != EXPLORE_ALL)
        explorer->left--;
    return choice->taken;
}

static bool may_take(const struct choice *choice, unsigned option) {
    return option < choice->free_count || choice->left > 0;
}

bool explore_next(void) {
    while (explorer->choice_count > 0) {
        struct choice *choice = &explorer->choices[explorer->choice_count - 1];
        unsigned next = choice->taken + 1u;
        if (next < choice->count && may_take(choice, next)) {
            choice->taken = (uint8_t)next;
            explorer->replayed_count = explorer->choice_count;
            explorer->choice_count = 0;
            explorer->left = explorer->bound;
            return true;
        }
        if (next < choice->count)
            explorer->is_cut = true;
        explorer->choice_count--;
    }
    return false;
}

void explore_search_begin(unsigned bound) {
    explorer->bound = explorer->left = bound;
    explorer->choice_count = explorer->replayed_count = 0;
    explorer->is_cut = false;
}

// ---- Known states ---------------------------------------------------------------------------

void explore_search_forget(void) {
    if (explorer->states)
        memset(explorer->states, 0, explorer->state_capacity * sizeof *explorer->states);
    explorer->state_count = 0;
}

static struct state *entry_of(struct state *states, size_t capacity, uint64_t key) {
    size_t at = (size_t)key & (capacity - 1);
    while (states[at].left_plus_1 != 0 && states[at].key != key)
        at = (at + 1) & (capacity - 1);
    return &states[at];
}

static void grow(void) {
    size_t capacity = explorer->state_capacity ? explorer->state_capacity * 2 : 1 << 16;
    struct state *states = calloc(capacity, sizeof *states);
    if (!states)
        explore_fail("no memory for more states than %zu", explorer->state_count);
    for (size_t i = 0; i < explorer->state_capacity; i++)
        if (explorer->states[i].left_plus_1 != 0)
            *entry_of(states, capacity, explorer->states[i].key) = explorer->states[i];
    free(explorer->states);
    explorer->states = states;
    explorer->state_capacity = capacity;
}

// The states on the way that is repeated are known, of course.
bool explore_is_known(void) {
    if (!explorer->is_exploring || explorer->choice_count < explorer->replayed_count)
        return false;
    if (explorer->is_naive)
        return false;
    if (explorer->state_count * 2 >= explorer->state_capacity)
        grow();
    uint64_t current = (uint64_t)(explorer->current - explorer->threads);
    uint64_t key = explore_mix(explore_state_hash(), current);
    struct state *entry = entry_of(explorer->states, explorer->state_capacity, key);
    uint64_t left_plus_1 = explorer->left + 1;
    if (entry->left_plus_1 >= left_plus_1)
        return true;
    if (entry->left_plus_1 == 0)
        explorer->state_count++;
    *entry = (struct state){.key = key, .left_plus_1 = left_plus_1};
    return false;
}

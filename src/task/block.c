// SPDX-License-Identifier: MIT
//
// weft_within and weft_shield.
//
// The deadline in force is the earliest of all that are open, each held back by the shields inside
// it:
//
//     effective(D) = the latest of D and, for each shield inside D, max(entry of shield, D) + hold
//
// A shield holds what arrived (at D, or at the time of a cancel) for `hold` from the later of its
// entry and the arrival; several hold until the last of them gives way, so they do not add up.
// Opening a within only takes a minimum; opening a shield walks the blocks; closing restores what
// the block remembers.
#include "task/block.h"

#include "task/park.h"

#include <weft/task.h>

_Static_assert(sizeof(struct weft__block) <= sizeof(weft_block), "weft_block is too small");

static int64_t sum(int64_t a, int64_t b) // both >= 0
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static bool is_shield(const struct weft__block *block) {
    return block->hold_ns >= 0;
}

// What arrives at `at` outside of `end` (NULL: outside of all blocks), held by the shields inside
// that.
static int64_t held(const struct weft__waiter *waiter, const struct weft__block *end, int64_t at) {
    int64_t effective = at;
    for (const struct weft__block *b = waiter->blocks; b != end; b = b->outer)
        if (is_shield(b))
            effective = later(effective, sum(later(b->at, at), b->hold_ns));
    return effective;
}

static int64_t deadline_in_force(const struct weft__waiter *waiter) {
    int64_t earliest = held(waiter, NULL, waiter->inherited);
    for (const struct weft__block *b = waiter->blocks; b; b = b->outer) {
        if (is_shield(b))
            continue;
        int64_t effective = held(waiter, b, b->at);
        earliest = effective < earliest ? effective : earliest;
    }
    return earliest;
}

int64_t weft__block_cancel_at(struct weft__waiter *waiter) {
    return held(waiter, NULL, weft__load(&waiter->cancel_at, acquire));
}

static void shift(int64_t *time, int64_t delta_ns) {
    if (*time != INT64_MAX && *time != INT64_MIN) // never; expired at once
        *time = delta_ns > 0 ? sum(*time, delta_ns) : *time + delta_ns;
}

void weft__block_shift(struct weft__waiter *waiter, int64_t delta_ns) {
    shift(&waiter->deadline, delta_ns);
    shift(&waiter->inherited, delta_ns);
    for (struct weft__block *b = waiter->blocks; b; b = b->outer) {
        shift(&b->at, delta_ns);
        shift(&b->outer_deadline, delta_ns);
    }
}

static struct weft__block *open_block(weft_block *public, int64_t hold_ns) {
    struct weft__block *block = (struct weft__block *)public;
    struct weft__waiter *self = weft__self();
    if (!self)
        return NULL; // no record, no memory: every call of this thread answers -ENOMEM anyway
    block->waiter = self;
    block->outer = self->blocks;
    block->outer_deadline = self->deadline;
    block->hold_ns = hold_ns;
    self->blocks = block;
    return block;
}

weft_block *weft_priv_within(weft_block *public, int64_t ns) {
    struct weft__block *block = open_block(public, -1);
    if (!block)
        return public;
    struct weft__waiter *self = block->waiter;
    block->at = ns <= 0 ? INT64_MIN : sum(weft__fresh_now(self), ns);
    if (block->at < self->deadline)
        self->deadline = block->at;
    return public;
}

weft_block *weft_priv_shield(weft_block *public, int64_t ns) {
    struct weft__block *block = open_block(public, ns < 0 ? 0 : ns);
    if (!block)
        return public;
    struct weft__waiter *self = block->waiter;
    block->at = weft__fresh_now(self);
    self->shields++;
    self->deadline = deadline_in_force(self);
    return public;
}

void weft_priv_block_end(weft_block **public) {
    struct weft__block *block = (struct weft__block *)*public;
    struct weft__waiter *self = block->waiter;
    if (!self)
        return;
    ASSERT(self->blocks == block); // blocks end innermost first; a longjmp would break this
    self->blocks = block->outer;
    self->deadline = block->outer_deadline;
    if (is_shield(block))
        self->shields--;
    block->waiter = NULL;
}

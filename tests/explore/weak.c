// SPDX-License-Identifier: MIT
//
// What an atomic operation does: the memory model of explore.h, by views (after Kang et al., "A
// promising semantics", 2017, without promises).
//
// 1. A location keeps its last stores, each with what its writer had seen, if it was a release. A
//    thread's view says for each location how old a store it may still find. A load takes one that
//    is not older; it and, with acquire, all that the writer had seen, is seen from then on.
// 2. A fence of release makes the stores after it carry the view of the fence; a fence of acquire
//    takes up what the loads before it would have.
// 3. A seq_cst fence also takes the view of all seq_cst fences before it, and adds its own: of what
//    was stored, not of what happened before, so that it orders no plain accesses by itself. A
//    seq_cst load finds no store older than what a seq_cst access to this location has found, or a
//    seq_cst fence has seen, before.
// 4. Plain stores to an atomic (a struct is made anew) begin the location's life anew.
#include "engine.h"

#include <inttypes.h>
#include <string.h>

static struct view *view_of_current(void) {
    return &explorer->current->view;
}

static void join_seen(uint16_t *to, const uint16_t *from, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        to[i] = from[i] > to[i] ? from[i] : to[i];
}

static void join(struct view *to, const struct view *from, unsigned seen_count) {
    join_seen(to->clock, from->clock, THREADS);
    join_seen(to->seen, from->seen, seen_count);
}

static void copy(struct view *to, const struct view *from) {
    memcpy(to->clock, from->clock, sizeof to->clock);
    memcpy(to->seen, from->seen, explorer->location_count * sizeof *to->seen);
}

static void tick(struct thread *thread) {
    thread->view.clock[thread - explorer->threads]++;
}

void explore_synchronize(struct thread *to, const struct thread *from) {
    join(&to->view, &from->view, explorer->location_count);
    to->hash = explore_mix(to->hash, from->hash);
    tick(&explorer->threads[from - explorer->threads]);
}

static void note_history(uint64_t what) {
    explorer->current->hash = explore_mix(explorer->current->hash, what);
}

// ---- Locations ------------------------------------------------------------------------------

static uint64_t value_at(const void *p, unsigned size) {
    uint64_t value = 0;
    memcpy(&value, p, size); // little-endian
    return value;
}

static struct message *message_at(struct location *location, unsigned number) {
    return &location->kept[number % KEPT];
}

static uint64_t name_of(const struct location *location) {
    return (uintptr_t)location->address;
}

// A store that no thread made by an atomic operation: whoever comes here has seen it.
static void begin_anew(struct location *location) {
    location->last++;
    location->first = location->last;
    location->is_rewritten = false;
    struct message *message = message_at(location, location->last);
    message->value = value_at(location->address, location->size);
    message->hash = explore_mix(name_of(location), message->value);
    message->seen_count = 0;
    memset(message->view.clock, 0, sizeof message->view.clock);
}

static struct location *add_location(const void *p, unsigned size) {
    if (explorer->location_count == LOCATIONS)
        explore_fail("more than %d atomics in one execution", LOCATIONS - 1);
    unsigned id = explorer->location_count++;
    struct location *location = &explorer->locations[id];
    location->address = (void *)(uintptr_t)p;
    location->size = size;
    location->id = (uint16_t)id;
    location->last = 0;
    location->sc_hash = location->futex_hash = 0;
    memset(location->written_clock, 0, sizeof location->written_clock);
    memset(location->read_clock, 0, sizeof location->read_clock);
    explorer->sc.seen[id] = 0;
    for (int i = 0; i < THREADS; i++) {
        struct thread *thread = &explorer->threads[i];
        thread->view.seen[id] = thread->acquired.seen[id] = thread->released.seen[id] = 0;
    }
    begin_anew(location);
    return location;
}

struct location *explore_locate(const void *p, unsigned size) {
    uint16_t *number = explore_location_at(p);
    if (!number)
        explore_fail("an atomic that is not in the memory of the program: %p", p);
    if (*number == 0)
        *number = add_location(p, size)->id;
    struct location *location = &explorer->locations[*number];
    if (location->size != size)
        explore_fail("an atomic of %u bytes is used as one of %u", location->size, size);
    if (location->is_rewritten)
        begin_anew(location);
    return location;
}

uint64_t explore_newest(const struct location *location) {
    return location->kept[location->last % KEPT].value;
}

// ---- What a yield waits for -----------------------------------------------------------------

static unsigned look_count(const struct thread *thread) {
    return thread->look_count < LOOKS ? thread->look_count : LOOKS;
}

static struct look *note_look(struct location *location, uint64_t value) {
    struct thread *self = explorer->current;
    struct look *look = NULL;
    for (unsigned i = 0; i < look_count(self) && !look; i++)
        if (self->looks[i].location == location)
            look = &self->looks[i];
    if (!look)
        look = &self->looks[self->look_count++ % LOOKS];
    *look = (struct look){.location = location, .value = value};
    return look;
}

static bool has_changed(const struct look *look) {
    if (look->number != 0)
        return look->location->last != look->number;
    return explore_newest(look->location) != look->value;
}

// Who spins would find what it has found the last time, unless this is so.
bool explore_has_changed(const struct thread *thread) {
    for (unsigned i = 0; i < look_count(thread); i++)
        if (has_changed(&thread->looks[i]))
            return true;
    return look_count(thread) == 0;
}

// What has been stored becomes visible in finite time: who spins does not find the same again.
void explore_look_again(void) {
    struct thread *self = explorer->current;
    for (unsigned i = 0; i < look_count(self); i++) {
        const struct location *location = self->looks[i].location;
        self->view.seen[location->id] = location->last;
        note_history(location->kept[location->last % KEPT].hash);
    }
    self->look_count = 0;
}

// ---- Operations -----------------------------------------------------------------------------

static unsigned oldest_to_find(const struct location *location, enum explore_order order) {
    unsigned oldest = view_of_current()->seen[location->id];
    if (order == EXPLORE_seq_cst && explorer->sc.seen[location->id] > oldest)
        oldest = explorer->sc.seen[location->id];
    if (location->last >= KEPT && oldest + KEPT <= location->last)
        oldest = location->last - KEPT + 1u;
    return oldest > location->first ? oldest : location->first;
}

static void note_sc(struct location *location, unsigned number) {
    uint16_t *seen = &explorer->sc.seen[location->id];
    if (number <= *seen)
        return;
    *seen = (uint16_t)number;
    explorer->sc_hash -= location->sc_hash;
    location->sc_hash = explore_mix(name_of(location), message_at(location, number)->hash);
    explorer->sc_hash += location->sc_hash;
}

static uint64_t find(struct location *location, unsigned number, enum explore_order order) {
    struct thread *self = explorer->current;
    struct message *message = message_at(location, number);
    if (self->view.seen[location->id] < number)
        self->view.seen[location->id] = (uint16_t)number;
    struct view *to = order & EXPLORE_acquire ? &self->view : &self->acquired;
    join(to, &message->view, message->seen_count);
    if (order == EXPLORE_seq_cst)
        note_sc(location, number);
    location->read_clock[self - explorer->threads] = self->view.clock[self - explorer->threads];
    (void)note_look(location, message->value);
    note_history(message->hash);
    return message->value;
}

// `replaced` is the store that a read-modify-write has found: what that had seen is passed on.
static void put(struct location *location, uint64_t value, enum explore_order order,
                const struct message *replaced) {
    struct thread *self = explorer->current;
    int number = (int)(self - explorer->threads);
    uint64_t before = message_at(location, location->last)->hash;
    struct view passed_on;
    unsigned passed_on_count = 0;
    if (replaced) {
        passed_on_count = replaced->seen_count;
        memcpy(passed_on.clock, replaced->view.clock, sizeof passed_on.clock);
        memcpy(passed_on.seen, replaced->view.seen, passed_on_count * sizeof *passed_on.seen);
    }
    if (++location->last == UINT16_MAX)
        explore_fail("too many stores to one location");
    if (location->last - location->first >= KEPT)
        location->first = (uint16_t)(location->last - KEPT + 1);
    self->view.seen[location->id] = location->last;
    location->written_clock[number] = self->view.clock[number];
    struct message *message = message_at(location, location->last);
    copy(&message->view, order & EXPLORE_release ? &self->view : &self->released);
    message->seen_count = (uint16_t)explorer->location_count;
    if (replaced)
        join(&message->view, &passed_on, passed_on_count);
    message->value = value;
    message->hash = explore_mix(explore_mix(self->hash, before), value);
    memcpy(location->address, &value, location->size);
    if (order & EXPLORE_release)
        tick(self);
    if (order == EXPLORE_seq_cst)
        note_sc(location, location->last);
    if (replaced) // what a thread undoes itself is no change; what it just stores is
        (void)note_look(location, value);
    note_history(message->hash);
}

static uint64_t truncated(uint64_t value, unsigned size) {
    return size == 8 ? value : value & (((uint64_t)1 << (8 * size)) - 1);
}

uint64_t explore_load(const void *p, unsigned size, enum explore_order order, const char *site) {
    explore_step(site);
    struct location *location = explore_locate(p, size);
    explore_check_atomic(location, false);
    unsigned count = location->last - oldest_to_find(location, order) + 1;
    unsigned age = explore_choose(count, 1);
    uint64_t value = find(location, location->last - age, order);
    explore_trace("%s: %#" PRIx64 "%s", site, value, age > 0 ? " (not the newest)" : "");
    return value;
}

void explore_store(void *p, unsigned size, uint64_t v, enum explore_order order, const char *site) {
    explore_step(site);
    struct location *location = explore_locate(p, size);
    explore_check_atomic(location, true);
    put(location, v, order, NULL);
    explore_trace("%s", site);
}

void explore_own_add(void *p, unsigned size, uint64_t n, const char *site) {
    struct location *location = explore_locate(p, size);
    explore_check_atomic(location, true);
    put(location, truncated(explore_newest(location) + n, size), EXPLORE_relaxed, NULL);
    explore_trace("%s: %#" PRIx64, site, explore_newest(location));
}

static uint64_t changed(uint64_t old, enum explore_change what, uint64_t v) {
    switch (what) {
    case EXPLORE_EXCHANGE:
        return v;
    case EXPLORE_ADD:
        return old + v;
    case EXPLORE_SUB:
        return old - v;
    case EXPLORE_OR:
        return old | v;
    case EXPLORE_AND:
        return old & v;
    }
    return v;
}

static uint64_t change(struct location *location, enum explore_change what, uint64_t v,
                       enum explore_order order) {
    const struct message *found = message_at(location, location->last);
    uint64_t old = find(location, location->last, order);
    put(location, truncated(changed(old, what, v), location->size), order, found);
    return old;
}

uint64_t explore_change(void *p, unsigned size, enum explore_change what, uint64_t v,
                        enum explore_order order, const char *site) {
    explore_step(site);
    struct location *location = explore_locate(p, size);
    explore_check_atomic(location, true);
    uint64_t old = change(location, what, v, order);
    explore_trace("%s: %#" PRIx64 " -> %#" PRIx64, site, old, explore_newest(location));
    return old;
}

bool explore_cas(void *p, unsigned size, void *expected, uint64_t desired, enum explore_order order,
                 const char *site) {
    explore_step(site);
    struct location *location = explore_locate(p, size);
    uint64_t found = explore_newest(location);
    bool is_equal = found == value_at(expected, size);
    explore_check_atomic(location, is_equal);
    if (is_equal)
        change(location, EXPLORE_EXCHANGE, desired, order);
    else
        find(location, location->last, EXPLORE_acquire);
    memcpy(expected, &found, size);
    explore_trace("%s: %#" PRIx64 "%s", site, found, is_equal ? " -> the new value" : ", refused");
    return is_equal;
}

static void fence(struct thread *thread, enum explore_order order) {
    unsigned count = explorer->location_count;
    if (order & EXPLORE_acquire)
        join(&thread->view, &thread->acquired, count);
    if (order == EXPLORE_seq_cst) {
        join_seen(thread->view.seen, explorer->sc.seen, count);
        join_seen(explorer->sc.seen, thread->view.seen, count);
        explorer->sc_fence_hash = explore_mix(explorer->sc_fence_hash, thread->hash);
        thread->hash = explore_mix(thread->hash, explorer->sc_fence_hash);
        thread->hash = explore_mix(thread->hash, explorer->sc_hash);
    }
    if (order & EXPLORE_release) {
        copy(&thread->released, &thread->view);
        tick(thread);
    }
    thread->hash = explore_mix(thread->hash, order);
}

void explore_fence(enum explore_order order, const char *site) {
    explore_step(site);
    fence(explorer->current, order);
    explore_trace("%s", site);
}

// Twice, so that each sees what all others had seen.
void explore_fence_everywhere(const char *site) {
    explore_step(site);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < explorer->thread_count; i++)
            fence(&explorer->threads[i], EXPLORE_seq_cst);
    explore_trace("%s", site);
}

// ---- Locks ----------------------------------------------------------------------------------

void explore_lock(uint32_t *word, const char *site) {
    explore_block(WAIT_ZERO, word, INT64_MAX, site);
    struct location *location = explore_locate(word, sizeof *word);
    explore_check_atomic(location, true);
    change(location, EXPLORE_EXCHANGE, 1, EXPLORE_acquire);
    explore_trace("%s", site);
}

// A lock is not seen held in every execution (explore_unlock is no step): so that may fail at will.
bool explore_lock_try(uint32_t *word, const char *site) {
    explore_step(site);
    struct location *location = explore_locate(word, sizeof *word);
    bool is_free = explore_newest(location) == 0;
    bool is_taken = is_free && explore_choose(2, 1) == 0;
    explore_check_atomic(location, is_taken);
    if (is_taken)
        change(location, EXPLORE_EXCHANGE, 1, EXPLORE_acquire);
    else
        note_history(is_free);
    explore_trace("%s: %s", site, is_taken ? "taken" : "refused");
    return is_taken;
}

void explore_unlock(uint32_t *word, const char *site) {
    struct location *location = explore_locate(word, sizeof *word);
    explore_check_atomic(location, true);
    if (explore_newest(location) == 0)
        explore_fail("%s: it is not held", site);
    put(location, 0, EXPLORE_release, NULL);
    note_look(location, 0)->number = location->last;
    explore_trace("%s", site);
}

// ---- Waits ----------------------------------------------------------------------------------

uint32_t explore_futex_look(uint32_t *word) {
    struct location *location = explore_locate(word, sizeof *word);
    note_history(message_at(location, location->last)->hash);
    location->futex_hash = explore_mix(location->futex_hash, explorer->current->hash);
    note_history(location->futex_hash);
    return (uint32_t)explore_newest(location);
}

void explore_take_wake(uint32_t *is_woken, const char *site) {
    struct location *location = explore_locate(is_woken, sizeof *is_woken);
    explore_check_atomic(location, true);
    uint64_t was_woken = change(location, EXPLORE_EXCHANGE, 0, EXPLORE_acq_rel);
    explore_trace("%s%s", site, was_woken ? "" : ", not woken");
}

uint64_t explore_state_hash(void) {
    uint64_t hash = explore_mix(explorer->sc_hash, explorer->sc_fence_hash);
    hash = explore_mix(hash, (uint64_t)explorer->now_ns << 1 | explorer->current->gives_way);
    hash = explore_mix(hash, explorer->current->polls);
    for (int i = 0; i < explorer->thread_count; i++)
        hash = explore_mix(hash, explorer->threads[i].hash);
    return hash;
}

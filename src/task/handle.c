// SPDX-License-Identifier: MIT
//
// Handles and turns.
//
// 1. A handle is generation << 20 | slot. The slot's word holds the generation, whether it is open
//    or closing, how many uses it has, and for each side whether somebody has the turn (BUSY) and
//    whether others wait for it (QUEUED). Beginning and ending a use without contention is one
//    compare-and-swap each.
// 2. A use is counted before anything else of the slot is read, and refused when the generation
//    differs or the handle is closing. So between begin and end the descriptor is open and the slot
//    is this handle's.
// 3. Turns. BUSY is set by who gets the turn and handed on, still set, to the first in the queue;
//    who ends a turn and finds QUEUED does so under the lock. Who wants to wait enters the queue
//    and sets QUEUED under the lock, then looks at BUSY again: if it fell meanwhile, the first in
//    the queue takes it there.
// 4. Closing. One compare-and-swap sets CLOSING; the winner stores itself as `closer`, wakes the
//    holders, the queues and the watchers, and waits until there are no uses. Each of them sees
//    CLOSING when it wakes and ends its own operation. Stores and loads that cross (holder against
//    CLOSING, closer against the count) are seq_cst, so that at least one side sees the other.
// 5. Slots are reused oldest first, and not before WEFT__FREE_BEFORE_REUSE of them are free; each
//    use takes the next generation of 2047. A stale handle can match again only after 2047 x 4096 >
//    8,000,000 opens.
#include "task/handle.h"

#include "os/os.h"
#include "task/park.h"

#include <errno.h>

#define USES             ((uint64_t)0xffffff)
#define BUSY(side)       ((uint64_t)1 << (24 + (side)))
#define QUEUED(side)     ((uint64_t)1 << (26 + (side)))
#define CLOSING          ((uint64_t)1 << 28)
#define OPEN             ((uint64_t)1 << 29)
#define GENERATION_SHIFT 32

enum { CHUNK_BITS = 10, CHUNK_COUNT = 1 << CHUNK_BITS, NO_SLOT = 0 }; // slot 0 is never given out

static struct {
    WEFT__ATOMIC(struct weft__handle *) chunks[WEFT__SLOT_COUNT / CHUNK_COUNT];
    struct weft__lock lock; // guards all below
    uint32_t made;          // slots that exist, slot 0 included
    uint32_t first_free, last_free, free_count;
    WEFT__ATOMIC(uint64_t) serial;
    size_t open_count;
    struct weft__list shortage; // struct weft__turn: those who wait for any handle to close
    WEFT__ATOMIC(uint32_t) shortage_count;
} table = {.made = 1};

// ---- The table ------------------------------------------------------------------------------

static struct weft__handle *slot_at(uint32_t slot) {
    struct weft__handle *chunk = weft__load(&table.chunks[slot >> CHUNK_BITS], acquire);
    return chunk ? &chunk[slot & (CHUNK_COUNT - 1)] : NULL;
}

static struct weft__handle *lookup(int h) {
    return h > 0 ? slot_at((uint32_t)h & (WEFT__SLOT_COUNT - 1)) : NULL;
}

static uint64_t generation_of(int h) {
    return (uint64_t)h >> WEFT__SLOT_BITS;
}

static int add_chunk(uint32_t slot) {
    struct weft__handle *chunk = weft__alloc_lasting(CHUNK_COUNT * sizeof *chunk);
    if (!chunk)
        return -ENOMEM;
    for (uint32_t i = 0; i < CHUNK_COUNT; i++) {
        chunk[i].slot = slot + i;
        weft__list_init(&chunk[i].queue[WEFT__SIDE_READ]);
        weft__list_init(&chunk[i].queue[WEFT__SIDE_WRITE]);
        weft__list_init(&chunk[i].watchers);
    }
    weft__store(&table.chunks[slot >> CHUNK_BITS], chunk, release);
    return 0;
}

static int make_slot(uint32_t *ret_slot) {
    if (table.made == WEFT__SLOT_COUNT)
        return -EMFILE;
    uint32_t slot = table.made;
    if (!slot_at(slot) && add_chunk(slot & ~(uint32_t)(CHUNK_COUNT - 1)) < 0)
        return -ENOMEM;
    table.made++;
    *ret_slot = slot;
    return 0;
}

static int take_slot(uint32_t *ret_slot) {
    if (table.free_count <= WEFT__FREE_BEFORE_REUSE)
        return make_slot(ret_slot);
    *ret_slot = table.first_free;
    table.first_free = slot_at(table.first_free)->next_free;
    table.free_count--;
    return 0;
}

static void put_slot(struct weft__handle *handle) {
    handle->next_free = NO_SLOT;
    if (table.free_count++ == 0)
        table.first_free = handle->slot;
    else
        slot_at(table.last_free)->next_free = handle->slot;
    table.last_free = handle->slot;
}

static int open_slot(int fd, enum weft__kind kind, uint64_t serial) {
    uint32_t slot;
    int error = take_slot(&slot);
    if (error < 0)
        return error;
    struct weft__handle *handle = slot_at(slot);
    uint64_t generation = weft__load(&handle->word, relaxed) >> GENERATION_SHIFT;
    generation = generation >= WEFT__GENERATION_MAX ? 1 : generation + 1;
    handle->fd = fd;
    handle->kind = kind;
    handle->serial = serial;
    handle->addr = (weft_addr){{0}};
    weft__store(&handle->closer, NULL, relaxed);
    weft__store(&handle->error, 0, relaxed);
    weft__store(&handle->write_error, 0, relaxed);
    weft__store(&handle->is_read_shut, 0, relaxed);
    weft__store(&handle->word, generation << GENERATION_SHIFT | OPEN, release);
    table.open_count++;
    return (int)(generation << WEFT__SLOT_BITS | slot);
}

uint64_t weft__handle_serial(void) {
    return weft__fetch_add(&table.serial, 1, relaxed) + 1;
}

int weft__handle_open(int fd, enum weft__kind kind, uint64_t serial) {
    weft__lock(&table.lock);
    int h = open_slot(fd, kind, serial);
    weft__unlock(&table.lock);
    return h;
}

void weft__handle_name(int h, const weft_addr *addr) {
    lookup(h)->addr = *addr;
}

bool weft__handle_addr(int h, weft_addr *ret_addr) {
    struct weft__handle *handle = lookup(h);
    weft__lock(&table.lock); // a slot changes hands under it
    bool is_known =
        handle && weft__load(&handle->word, acquire) >> GENERATION_SHIFT == generation_of(h);
    if (is_known)
        *ret_addr = handle->addr;
    weft__unlock(&table.lock);
    return is_known && weft_addr_family(ret_addr) != 0;
}

size_t weft__handles_open(void) {
    weft__lock(&table.lock);
    size_t count = table.open_count;
    weft__unlock(&table.lock);
    return count;
}

// ---- Turns ----------------------------------------------------------------------------------

static bool is_valid(uint64_t word, int h) {
    return word >> GENERATION_SHIFT == generation_of(h) && (word & (OPEN | CLOSING)) == OPEN;
}

// Counts a use and, if nobody has or awaits the turn, takes it. Returns 1 if it has the turn, 0 if
// it must queue for it, or -EBADF.
static int count_in(struct weft__handle *handle, int h, enum weft__side side) {
    uint64_t word = weft__load(&handle->word, acquire);
    for (;;) {
        if (!is_valid(word, h))
            return -EBADF;
        bool has_turn = side == WEFT__SIDE_NONE || !(word & (BUSY(side) | QUEUED(side)));
        uint64_t next = word + 1;
        if (side != WEFT__SIDE_NONE && has_turn)
            next |= BUSY(side);
        if (weft__cas(&handle->word, &word, next, acq_rel))
            return has_turn;
    }
}

// Rule 4: the count goes down before the closer is read. The closer may be a task, which may end at
// any moment from then on, and the runtime with it: hence the foreign section (park.c, rule 5).
static void count_out(struct weft__handle *handle) {
    uint64_t word = weft__load(&handle->word, relaxed);
    while (!(word & CLOSING))
        if (weft__cas(&handle->word, &word, word - 1, seq_cst))
            return;
    weft__foreign_enter();
    word = weft__fetch_sub(&handle->word, 1, seq_cst);
    struct weft__waiter *closer = weft__load(&handle->closer, seq_cst);
    if (closer && (word & USES) == 1)
        weft__unpark(closer);
    weft__foreign_leave();
}

// With the lock: lets the first in the queue have the turn if nobody has. Returns who is to be
// woken.
static struct weft__waiter *grant(struct weft__handle *handle, enum weft__side side, bool is_free) {
    struct weft__list *queue = &handle->queue[side];
    struct weft__waiter *waiter = NULL;
    if (is_free && !weft__list_is_empty(queue)) {
        struct weft__turn *first =
            WEFT__CONTAINER(weft__list_pop_front(queue), struct weft__turn, link);
        first->is_granted = true;
        waiter = first->waiter;
        weft__fetch_or(&handle->word, BUSY(side), acq_rel);
    } else if (is_free) {
        weft__fetch_and(&handle->word, ~BUSY(side), acq_rel);
    }
    if (weft__list_is_empty(queue))
        weft__fetch_and(&handle->word, ~QUEUED(side), acq_rel);
    return waiter;
}

static bool is_granted(struct weft__turn *turn) {
    weft__lock(&turn->handle->lock);
    bool granted = turn->is_granted;
    weft__unlock(&turn->handle->lock);
    return granted;
}

// Leaves the queue. False: the turn was granted meanwhile and is ours to pass on.
static bool leave_queue(struct weft__turn *turn) {
    weft__lock(&turn->handle->lock);
    bool was_queued = !turn->is_granted;
    if (was_queued) {
        weft__list_remove(&turn->link);
        (void)grant(turn->handle, turn->side, false);
    }
    weft__unlock(&turn->handle->lock);
    return was_queued;
}

static void enter_queue(struct weft__turn *turn) {
    struct weft__handle *handle = turn->handle;
    weft__lock(&handle->lock);
    weft__list_push_back(&handle->queue[turn->side], &turn->link);
    uint64_t word = weft__fetch_or(&handle->word, QUEUED(turn->side), acq_rel);
    if (!(word & BUSY(turn->side))) { // then nobody stands before us, and nobody is to be woken
        struct weft__waiter *first = grant(handle, turn->side, true);
        ASSERT(first == turn->waiter);
    }
    weft__unlock(&handle->lock);
}

static int await_turn(struct weft__turn *turn, int h) {
    struct weft__waiter *self = turn->waiter;
    bool reads = turn->side == WEFT__SIDE_READ;
    weft__waits(self, reads ? "its turn to read" : "its turn to write", h, NULL);
    enter_queue(turn);
    int error = 0;
    while (!is_granted(turn)) {
        error = weft__turn_is_closing(turn) ? -EBADF : weft__interrupted(self);
        if (error == 0 && self->may_not_wait)
            error = -ENOMEM;
        if (error < 0)
            break;
        weft__park(self, weft__interrupt_at(self));
    }
    if (error == 0 && weft__turn_is_closing(turn)) // granted, but too late to begin anything
        error = -EBADF;
    if (error < 0 && leave_queue(turn))
        count_out(turn->handle);
    else if (error < 0)
        weft__turn_end(turn);
    return error;
}

int weft__turn_begin(struct weft__turn *turn, struct weft__waiter *self, int h,
                     enum weft__side side, unsigned kinds) {
    struct weft__handle *handle = lookup(h);
    if (!handle)
        return -EBADF;
    *turn = (struct weft__turn){.handle = handle, .side = side, .waiter = self};
    int has_turn = count_in(handle, h, side);
    if (has_turn < 0)
        return has_turn;
    if (!(handle->kind & kinds)) {
        turn->side = has_turn ? side : WEFT__SIDE_NONE;
        weft__turn_end(turn);
        return -ENOTSUP;
    }
    return has_turn ? 0 : await_turn(turn, h);
}

void weft__turn_end(struct weft__turn *turn) {
    struct weft__handle *handle = turn->handle;
    if (turn->side == WEFT__SIDE_NONE) {
        count_out(handle);
        return;
    }
    uint64_t word = weft__load(&handle->word, relaxed);
    while (!(word & (QUEUED(turn->side) | CLOSING)))
        if (weft__cas(&handle->word, &word, (word - 1) & ~BUSY(turn->side), release))
            return;
    weft__foreign_enter();
    weft__lock(&handle->lock);
    struct weft__waiter *next = grant(handle, turn->side, true);
    weft__unlock(&handle->lock);
    if (next)
        weft__unpark(next);
    count_out(handle);
    weft__foreign_leave();
}

void weft__turn_waits(struct weft__turn *turn) {
    if (turn->side != WEFT__SIDE_NONE) {
        weft__store(&turn->handle->holder[turn->side], turn->waiter, seq_cst);
        return;
    }
    weft__lock(&turn->handle->lock);
    weft__list_push_back(&turn->handle->watchers, &turn->link);
    weft__unlock(&turn->handle->lock);
}

void weft__turn_waited(struct weft__turn *turn) {
    if (turn->side != WEFT__SIDE_NONE) {
        weft__store(&turn->handle->holder[turn->side], NULL, release);
        return;
    }
    weft__lock(&turn->handle->lock);
    weft__list_remove(&turn->link);
    weft__unlock(&turn->handle->lock);
}

bool weft__turn_is_closing(const struct weft__turn *turn) {
    return weft__load(&turn->handle->word, seq_cst) & CLOSING;
}

// ---- Closing --------------------------------------------------------------------------------

static void wake_list(struct weft__list *list) {
    for (struct weft__list *i = weft__list_first(list); i; i = weft__list_next(list, i))
        weft__unpark(WEFT__CONTAINER(i, struct weft__turn, link)->waiter);
}

static void wake_all(struct weft__handle *handle) {
    for (int side = 0; side < WEFT__SIDES; side++) {
        struct weft__waiter *holder = weft__load(&handle->holder[side], seq_cst);
        if (holder)
            weft__unpark(holder);
    }
    weft__lock(&handle->lock);
    wake_list(&handle->queue[WEFT__SIDE_READ]);
    wake_list(&handle->queue[WEFT__SIDE_WRITE]);
    wake_list(&handle->watchers);
    weft__unlock(&handle->lock);
}

int weft__handle_close(struct weft__waiter *self, int h, struct weft__handle **ret_handle) {
    struct weft__handle *handle = lookup(h);
    if (!handle)
        return -EBADF;
    uint64_t word = weft__load(&handle->word, acquire);
    do
        if (!is_valid(word, h))
            return -EBADF;
    while (!weft__cas(&handle->word, &word, word | CLOSING, seq_cst));
    if (word & USES) {
        weft__waits(self, "close", h, NULL);
        weft__store(&handle->closer, self, seq_cst);
        weft__foreign_enter();
        wake_all(handle);
        weft__foreign_leave();
        while (weft__load(&handle->word, seq_cst) & USES)
            weft__park(self, INT64_MAX);
    }
    *ret_handle = handle;
    return 0;
}

int weft__handle_take_fd(struct weft__handle *handle) {
    int fd = handle->fd;
    handle->fd = -1; // tells the child of a fork(2) that comes now (forget_uses)
    return fd;
}

static void wake_shortage(void) {
    if (weft__load(&table.shortage_count, seq_cst) == 0)
        return;
    weft__lock(&table.lock);
    wake_list(&table.shortage);
    weft__unlock(&table.lock);
}

void weft__handle_free(struct weft__handle *handle) {
    uint64_t generation = weft__load(&handle->word, relaxed) >> GENERATION_SHIFT;
    weft__lock(&table.lock);
    weft__store(&handle->word, generation << GENERATION_SHIFT, release);
    put_slot(handle);
    table.open_count--;
    weft__unlock(&table.lock);
    wake_shortage();
}

void weft__handle_await_close(struct weft__waiter *self, int64_t until_ns) {
    struct weft__turn turn = {.waiter = self};
    weft__waits(self, "a descriptor to be free", 0, NULL);
    weft__lock(&table.lock);
    if (!table.shortage.next)
        weft__list_init(&table.shortage);
    weft__list_push_back(&table.shortage, &turn.link);
    weft__fetch_add(&table.shortage_count, 1, seq_cst);
    weft__unlock(&table.lock);
    weft__park(self, until_ns);
    weft__lock(&table.lock);
    weft__list_remove(&turn.link);
    weft__fetch_sub(&table.shortage_count, 1, seq_cst);
    weft__unlock(&table.lock);
}

// ---- After fork, after a crash, and for tests -----------------------------------------------

// Open handles stay open; whatever the parent's other tasks and threads were doing with them did
// not come along. But one whose descriptor was just being closed is closed, because in the child
// that number may soon be another socket's. Returns whether it was such a one.
static bool forget_uses(struct weft__handle *handle) {
    uint64_t word = weft__load(&handle->word, relaxed);
    bool is_gone = (word & CLOSING) && handle->fd < 0;
    word &= ~(USES | CLOSING | BUSY(0) | BUSY(1) | QUEUED(0) | QUEUED(1));
    weft__store(&handle->word, is_gone ? word & ~OPEN : word, relaxed);
    handle->lock = (struct weft__lock){0};
    for (int side = 0; side < WEFT__SIDES; side++) {
        weft__store(&handle->holder[side], NULL, relaxed);
        weft__list_init(&handle->queue[side]);
    }
    weft__list_init(&handle->watchers);
    weft__store(&handle->closer, NULL, relaxed);
    return is_gone;
}

// Another thread may have been in the middle of taking a slot, or of giving one back.
static void rebuild_free_list(void) {
    table.first_free = table.last_free = NO_SLOT;
    table.free_count = 0;
    table.open_count = 0;
    for (uint32_t slot = 1; slot < table.made; slot++) {
        struct weft__handle *handle = slot_at(slot);
        if (weft__load(&handle->word, relaxed) & OPEN)
            table.open_count++;
        else
            put_slot(handle);
    }
}

void weft__handles_after_fork(void) {
    bool is_list_wrong = weft__load(&table.lock.word, relaxed) != 0;
    table.lock = (struct weft__lock){0};
    weft__list_init(&table.shortage);
    weft__store(&table.shortage_count, 0, relaxed);
    for (uint32_t slot = 1; slot < table.made; slot++)
        is_list_wrong |= forget_uses(slot_at(slot));
    if (is_list_wrong)
        rebuild_free_list();
}

// A simulated host has crashed; nobody else runs meanwhile.
void weft__handles_abandon(bool (*is_gone)(int fd, const void *arg), const void *arg) {
    for (uint32_t slot = 1; slot < table.made; slot++) {
        struct weft__handle *handle = slot_at(slot);
        uint64_t word = weft__load(&handle->word, relaxed);
        if ((word & (OPEN | CLOSING)) != OPEN || !is_gone(handle->fd, arg))
            continue;
        weft__store(&handle->word, word | CLOSING, relaxed);
        (word & USES ? wake_all : weft__handle_free)(handle);
    }
}

void weft__handles_discard(void) {
    for (uint32_t slot = 1; slot < table.made; slot++) {
        struct weft__handle *handle = slot_at(slot);
        if (weft__load(&handle->word, relaxed) & CLOSING) {
            (void)forget_uses(handle);
            weft__handle_free(handle);
        }
    }
    weft__list_init(&table.shortage);
    weft__store(&table.shortage_count, 0, relaxed);
}

static int length(const struct weft__list *list) {
    int count = 0;
    for (struct weft__list *i = weft__list_first(list); i; i = weft__list_next(list, i), count++)
        ;
    return count;
}

int weft__handle_waiting(int h, enum weft__side side) {
    struct weft__handle *handle = lookup(h);
    if (!handle || !is_valid(weft__load(&handle->word, acquire), h))
        return -EBADF;
    weft__lock(&handle->lock);
    int count = length(&handle->queue[side]) + length(&handle->watchers) +
                (weft__load(&handle->holder[side], seq_cst) != NULL);
    weft__unlock(&handle->lock);
    return count;
}

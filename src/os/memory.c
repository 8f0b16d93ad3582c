// SPDX-License-Identifier: MIT
//
// Memory with a memory: each block remembers the allocator that made it, so that weft__free is
// right after the allocator was changed, and tests can count what is left and fail every
// allocation. Not a pool: task stacks come from os/pages.h, objects in numbers from their own
// lists.
//
// The allocators that were ever in use stand in a small table; a block's header points at its
// entry. An entry is taken over by another allocator only when it is not the one in use and has no
// living block. Why no thread can see an entry change under its hands:
// 1. weft__alloc first counts itself into the entry (`living`), then looks again whether the entry
//    is still the one in use. If not, it counts itself out and starts over.
// 2. weft__alloc_use first makes another entry the one in use, and only a later call, which takes
//    the lock, may find the old one idle and rewrite it.
// 3. Count-then-look against switch-then-look-at-the-count is Dekker's pattern: all four accesses
//    are seq_cst, so at least one side sees the other.
// 4. weft__free counts the block out with release after it has used the entry; the rewriter has
//    read that count, so it comes later.
#include "os/os.h"

#include "base/assert.h"
#include "os/lock.h"

#include <stdlib.h>
#include <string.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_MALLOCLIKE_BLOCK(block, size, redzone, is_zeroed) (void)(size)
#define VALGRIND_FREELIKE_BLOCK(block, redzone)                    (void)0
#endif

struct entry {
    struct weft__allocator allocator; // alloc is NULL: malloc(3), or nobody yet
    WEFT__ATOMIC(size_t) living;      // blocks made with it, and threads about to make one
};

struct header { // 16 bytes, so that the block behind it keeps the alignment
    struct entry *entry;
    size_t size; // of the whole, header included
};

_Static_assert(sizeof(struct header) <= 16, "blocks are aligned to 16 bytes");

enum { HEADER_SIZE = 16, ENTRY_COUNT = 16 };

static struct entry entries[ENTRY_COUNT]; // entry 0 is malloc(3) for ever
static WEFT__ATOMIC(struct entry *) in_use = &entries[0];
static struct weft__lock use_lock; // guards rewriting of entries

// The entry in use, with this thread counted into it: points 1 and 3 above.
static struct entry *enter_used(void) {
    for (;;) {
        struct entry *entry = weft__load(&in_use, acquire);
        weft__fetch_add(&entry->living, 1, seq_cst);
        if (weft__load(&in_use, seq_cst) == entry)
            return entry;
        weft__fetch_sub(&entry->living, 1, release);
    }
}

// Zeroed memory. malloc(3)'s own calloc knows which pages are zero already.
static void *obtain(const struct entry *entry, size_t size) {
    if (entry->allocator.alloc == NULL)
        return calloc(1, size);
    void *block = entry->allocator.alloc(size, entry->allocator.context);
    if (block != NULL)
        memset(block, 0, size);
    return block;
}

// The entry has been entered; it is left again when there is no memory.
static void *alloc_from(struct entry *entry, size_t size) {
    bool is_refused = size > PTRDIFF_MAX - HEADER_SIZE || weft__fail(WEFT__FAIL_ALLOC) != 0;
    struct header *header = is_refused ? NULL : obtain(entry, size + HEADER_SIZE);
    if (header == NULL) {
        weft__fetch_sub(&entry->living, 1, release);
        return NULL;
    }
    header->entry = entry;
    header->size = size + HEADER_SIZE;
    void *block = (char *)header + HEADER_SIZE;
    // Otherwise Valgrind, which sees no pointer to the header, takes every living block of ours for
    // possibly lost. What an allocator of the user's does is told by its author or not at all.
    if (entry->allocator.alloc == NULL)
        VALGRIND_MALLOCLIKE_BLOCK(block, size, 0, 1);
    return block;
}

void *weft__alloc(size_t size) {
    return alloc_from(enter_used(), size);
}

void *weft__alloc_lasting(size_t size) {
    weft__fetch_add(&entries[0].living, 1, relaxed); // this entry is never rewritten
    return alloc_from(&entries[0], size);
}

void weft__free(void *block) {
    if (block == NULL)
        return;
    struct header *header = (struct header *)((char *)block - HEADER_SIZE);
    struct entry *entry = header->entry;
    ASSERT(entry >= entries && entry < entries + ENTRY_COUNT);
    const struct weft__allocator *allocator = &entry->allocator;
    if (allocator->alloc != NULL) {
        allocator->free(header, header->size, allocator->context);
    } else {
        VALGRIND_FREELIKE_BLOCK(block, 0);
        free(header);
    }
    weft__fetch_sub(&entry->living, 1, release);
}

static bool is_same(const struct weft__allocator *a, const struct weft__allocator *b) {
    return a->alloc == b->alloc && a->free == b->free && a->context == b->context;
}

// An entry for this allocator: the one that has it, or an idle one, or NULL. The caller holds the
// lock.
static struct entry *find_entry(const struct weft__allocator *allocator) {
    struct entry *idle = NULL;
    for (size_t i = 1; i < ENTRY_COUNT; i++) {
        struct entry *entry = &entries[i];
        if (is_same(&entry->allocator, allocator))
            return entry;
        if (entry != weft__load(&in_use, relaxed) && weft__load(&entry->living, seq_cst) == 0)
            idle = entry;
    }
    if (idle != NULL)
        idle->allocator = *allocator;
    return idle;
}

void weft__alloc_use(const struct weft__allocator *allocator) {
    bool is_malloc = allocator == NULL || allocator->alloc == NULL;
    ASSERT(is_malloc || allocator->free != NULL);
    weft__lock(&use_lock);
    struct entry *entry = is_malloc ? &entries[0] : find_entry(allocator);
    if (entry != NULL)
        weft__store(&in_use, entry, seq_cst);
    weft__unlock(&use_lock);
    if (entry == NULL)
        weft__log(WEFT__LOG_WARN, "memory of %d allocators is in use: the new one is ignored",
                  ENTRY_COUNT - 1);
}

size_t weft__alloc_living(void) {
    size_t living = 0;
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        living += weft__load(&entries[i].living, relaxed);
    return living;
}

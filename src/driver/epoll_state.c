// SPDX-License-Identifier: MIT
//
// The table behind epoll_state.h: an array of chunks of 64 states, both made when first needed. It
// grows with the highest descriptor waited for and never shrinks.
#include "driver/epoll_state.h"

#include "base/assert.h"
#include "os/os.h"

#include <string.h>

enum { CHUNK_SIZE = 64, FIRST_CHUNKS = 8 };

struct weft__epoll_state *weft__epoll_find(const struct weft__epoll_table *table, int fd) {
    ASSERT(fd >= 0);
    size_t chunk = (size_t)fd / CHUNK_SIZE;
    if (chunk >= table->chunk_count || table->chunks[chunk] == NULL)
        return NULL;
    return &table->chunks[chunk][fd % CHUNK_SIZE];
}

// Room for a chunk of that index. Doubling keeps the copying linear in the number of descriptors.
static bool grow(struct weft__epoll_table *table, size_t chunk) {
    size_t count = table->chunk_count > 0 ? table->chunk_count : FIRST_CHUNKS;
    while (count <= chunk)
        count *= 2;
    if (count == table->chunk_count)
        return true;
    struct weft__epoll_state **chunks = weft__alloc(count * sizeof(struct weft__epoll_state *));
    if (chunks == NULL)
        return false;
    if (table->chunk_count > 0)
        memcpy(chunks, table->chunks, table->chunk_count * sizeof(struct weft__epoll_state *));
    weft__free(table->chunks);
    table->chunks = chunks;
    table->chunk_count = count;
    return true;
}

struct weft__epoll_state *weft__epoll_get(struct weft__epoll_table *table, int fd) {
    struct weft__epoll_state *state = weft__epoll_find(table, fd);
    size_t chunk = (size_t)fd / CHUNK_SIZE;
    if (state != NULL || !grow(table, chunk))
        return state;
    struct weft__epoll_state *states = weft__alloc(CHUNK_SIZE * sizeof *states);
    if (states == NULL)
        return NULL;
    for (size_t i = 0; i < CHUNK_SIZE; i++)
        weft__list_init(&states[i].waiting);
    table->chunks[chunk] = states;
    return &states[fd % CHUNK_SIZE];
}

void weft__epoll_table_free(struct weft__epoll_table *table) {
    for (size_t i = 0; i < table->chunk_count; i++)
        weft__free(table->chunks[i]);
    weft__free(table->chunks);
    *table = (struct weft__epoll_table){0};
}

// SPDX-License-Identifier: MIT
//
// What one epoll driver keeps about each descriptor that somebody has waited for there: a table by
// descriptor number. Not shared between drivers, and not told when a descriptor is closed: the
// serial says whether a state is still about the same handle (driver.h, point 11).
#ifndef WEFT__EPOLL_STATE_H
#define WEFT__EPOLL_STATE_H

#include "driver/driver.h"

enum weft__epoll_type { WEFT__EPOLL_UNKNOWN, WEFT__EPOLL_STREAM, WEFT__EPOLL_OTHER };

struct weft__epoll_state {
    uint64_t serial;
    uint32_t ready;             // EPOLLIN, EPOLLOUT and more, see epoll.c
    bool is_registered;         // under this serial
    enum weft__epoll_type type; // asked of the kernel when it first matters
    struct weft__list waiting;  // ops, in order of submission
};

// States stand in chunks that never move, because lists point into them. Zeroed is empty.
struct weft__epoll_table {
    struct weft__epoll_state **chunks;
    size_t chunk_count;
};

// The state of a descriptor, or NULL when none was ever made.
struct weft__epoll_state *weft__epoll_find(const struct weft__epoll_table *table, int fd);

// The same, making it if needed; NULL when there is no memory.
struct weft__epoll_state *weft__epoll_get(struct weft__epoll_table *table, int fd);

void weft__epoll_table_free(struct weft__epoll_table *table);

#endif

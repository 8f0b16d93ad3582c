// SPDX-License-Identifier: MIT
//
// Every atomic of the library goes through this header, so that a model checker or an interleaving
// explorer can replace it as a whole. Orders are named at each use and justified there; there is
// no default order. Not a lock: that is os/lock.h.
#ifndef WEFT__ATOMIC_H
#define WEFT__ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// A field of type WEFT__ATOMIC(T) is touched only by the macros below. `order` is one of relaxed,
// acquire, release, acq_rel, seq_cst.
#define WEFT__ATOMIC(T) _Atomic(T)

#define weft__load(p, order)         atomic_load_explicit((p), memory_order_##order)
#define weft__store(p, v, order)     atomic_store_explicit((p), (v), memory_order_##order)
#define weft__exchange(p, v, order)  atomic_exchange_explicit((p), (v), memory_order_##order)
#define weft__fetch_add(p, v, order) atomic_fetch_add_explicit((p), (v), memory_order_##order)
#define weft__fetch_sub(p, v, order) atomic_fetch_sub_explicit((p), (v), memory_order_##order)
#define weft__fetch_or(p, v, order)  atomic_fetch_or_explicit((p), (v), memory_order_##order)
#define weft__fetch_and(p, v, order) atomic_fetch_and_explicit((p), (v), memory_order_##order)
#define weft__fence(order)           atomic_thread_fence(memory_order_##order)
#define weft__compiler_fence()       atomic_signal_fence(memory_order_seq_cst)

// Adds to a counter that only one thread writes and others read: no read-modify-write is needed.
#define weft__own_add(p, n) weft__store((p), weft__load((p), relaxed) + (n), relaxed)

// Compare and swap, strong; on failure `*expected` is what was found (read with acquire).
#define weft__cas(p, expected, desired, order)                                                     \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), memory_order_##order,      \
                                            memory_order_acquire)

#endif

// SPDX-License-Identifier: MIT
//
// Stands in for base/atomic.h and os/lock.h in everything that is explored: included before all
// else by the compiler's -include, it takes their include guards. Each operation is a call into the
// explorer, which may let another thread go first and which decides what a load finds (weak.c).
// Its last argument says where it stands and what it is, for the printed schedule.
#ifndef WEFT__ATOMIC_H
#define WEFT__ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

// Bits, so that weak.c asks "does it acquire?".
enum explore_order {
    EXPLORE_relaxed = 0,
    EXPLORE_acquire = 1,
    EXPLORE_release = 2,
    EXPLORE_acq_rel = 3,
    EXPLORE_seq_cst = 7,
};

enum explore_change { EXPLORE_EXCHANGE, EXPLORE_ADD, EXPLORE_SUB, EXPLORE_OR, EXPLORE_AND };

uint64_t explore_load(const void *p, unsigned size, enum explore_order order, const char *site);
void explore_store(void *p, unsigned size, uint64_t v, enum explore_order order, const char *site);
uint64_t explore_change(void *p, unsigned size, enum explore_change what, uint64_t v,
                        enum explore_order order, const char *site);
bool explore_cas(void *p, unsigned size, void *expected, uint64_t desired, enum explore_order order,
                 const char *site);
void explore_fence(enum explore_order order, const char *site);
void explore_fence_everywhere(const char *site); // in all threads at once: membarrier(2)

// Not _Atomic: the explorer keeps the value here, and sees plain accesses to it as such.
#define WEFT__ATOMIC(T) __typeof__(T)

#define EXPLORE_TEXT_(x)   #x
#define EXPLORE_TEXT(x)    EXPLORE_TEXT_(x)
#define EXPLORE_SITE(text) __FILE__ ":" EXPLORE_TEXT(__LINE__) ": " text

#define EXPLORE_CHANGE(p, what, v, order, name)                                                    \
    ({                                                                                             \
        (__typeof__(*(p)))explore_change((p), sizeof *(p), what, (uint64_t)(v), EXPLORE_##order,   \
                                         EXPLORE_SITE(name "(" #p ", " #v ", " #order ")"));       \
    })

#define weft__load(p, order)                                                                       \
    ((__typeof__(*(p)))explore_load((p), sizeof *(p), EXPLORE_##order,                             \
                                    EXPLORE_SITE("load(" #p ", " #order ")")))
#define weft__store(p, v, order)                                                                   \
    explore_store((p), sizeof *(p), (uint64_t)(v), EXPLORE_##order,                                \
                  EXPLORE_SITE("store(" #p ", " #v ", " #order ")"))
#define weft__exchange(p, v, order)  EXPLORE_CHANGE(p, EXPLORE_EXCHANGE, v, order, "exchange")
#define weft__fetch_add(p, v, order) EXPLORE_CHANGE(p, EXPLORE_ADD, v, order, "fetch_add")
#define weft__fetch_sub(p, v, order) EXPLORE_CHANGE(p, EXPLORE_SUB, v, order, "fetch_sub")
#define weft__fetch_or(p, v, order)  EXPLORE_CHANGE(p, EXPLORE_OR, v, order, "fetch_or")
#define weft__fetch_and(p, v, order) EXPLORE_CHANGE(p, EXPLORE_AND, v, order, "fetch_and")
#define weft__cas(p, expected, desired, order)                                                     \
    explore_cas((p), sizeof *(p), (expected), (uint64_t)(desired), EXPLORE_##order,                \
                EXPLORE_SITE("cas(" #p ", " #expected ", " #desired ", " #order ")"))
#define weft__fence(order) explore_fence(EXPLORE_##order, EXPLORE_SITE("fence(" #order ")"))

// Between a store and a load of one thread: the program's order is kept here anyhow.
#define weft__compiler_fence() ((void)0)

// No step of its own: that the store comes late is, for others, that they find the one before.
void explore_own_add(void *p, unsigned size, uint64_t n, const char *site);
#define weft__own_add(p, n)                                                                        \
    explore_own_add((p), sizeof *(p), (uint64_t)(n), EXPLORE_SITE("own_add(" #p ", " #n ")"))

// A lock is one step to take, when it is free, and none to give back: nothing but "it is free" can
// be seen of that. The real one is explored by itself (lock.c).
#ifndef EXPLORE_REAL_LOCK
#define WEFT__LOCK_H

struct weft__lock {
    WEFT__ATOMIC(uint32_t) word; // 0 free, 1 held
};

// A mutex like the other one, for who uses it: only its owner may call itself `self`.
struct weft__biased_lock {
    struct weft__lock lock;
    WEFT__ATOMIC(const void *) owner;
};

void explore_lock(uint32_t *word, const char *site);
void explore_unlock(uint32_t *word, const char *site);
void explore_biased_lock(uint32_t *word, const void *self, const char *site);
bool explore_lock_try(uint32_t *word, const char *site);
bool explore_biased_try(uint32_t *word, const void *self, const char *site);
void weft__heavy_barrier_ask(void);

#define weft__lock(l)   explore_lock(&(l)->word, EXPLORE_SITE("lock(" #l ")"))
#define weft__unlock(l) explore_unlock(&(l)->word, EXPLORE_SITE("unlock(" #l ")"))
#define weft__biased_lock(l, self)                                                                 \
    explore_biased_lock(&(l)->lock.word, (self), EXPLORE_SITE("lock(" #l ")"))
#define weft__biased_lock_first(l, self) weft__biased_lock(l, self)
#define weft__biased_try(l, self)                                                                  \
    explore_biased_try(&(l)->lock.word, (self), EXPLORE_SITE("try(" #l ")"))
#define weft__biased_unlock(l) explore_unlock(&(l)->lock.word, EXPLORE_SITE("unlock(" #l ")"))
#define weft__bias_to(l, self) ((void)(l), (void)(self))
#endif

#endif

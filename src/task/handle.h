// SPDX-License-Identifier: MIT
//
// Handles: the numbers that programs hold, the table behind them, the turns at a handle and its
// closing. The essay stands in handle.c. The table is the process's, not the runtime's: handles
// work without one and outlive it.
#ifndef WEFT__HANDLE_H
#define WEFT__HANDLE_H

#include "os/lock.h"
#include "task/waiter.h"

enum {
    WEFT__SLOT_BITS = 20,
    WEFT__SLOT_COUNT = 1 << WEFT__SLOT_BITS,
    WEFT__GENERATION_MAX = 2047, // 11 bits, from 1
    WEFT__FREE_BEFORE_REUSE = 4096,
};

enum weft__kind { // bits, so that a call can name a set
    WEFT__KIND_STREAM = 1,
    WEFT__KIND_LISTENER = 2,
    WEFT__KIND_DATAGRAM = 4,
    WEFT__KIND_ANY = 7,
};

// Which queue an operation waits in. Operations of one side run one at a time, in order.
enum weft__side { WEFT__SIDE_READ, WEFT__SIDE_WRITE, WEFT__SIDES, WEFT__SIDE_NONE = WEFT__SIDES };

struct weft__handle {
    WEFT__ATOMIC(uint64_t) word;                             // handle.c
    WEFT__ATOMIC(struct weft__waiter *) holder[WEFT__SIDES]; // who waits in a driver, if anybody
    WEFT__ATOMIC(struct weft__waiter *) closer;
    WEFT__ATOMIC(int) error;       // a stream's fatal error: sticky
    WEFT__ATOMIC(int) write_error; // -EPIPE: sticks to writes only
    WEFT__ATOMIC(uint32_t) is_read_shut;
    struct weft__lock lock;               // guards the queues and the watchers
    struct weft__list queue[WEFT__SIDES]; // struct weft__turn, first come first
    struct weft__list watchers;           // likewise; they wait for readiness and take no turn
    weft_addr addr;                       // whom it talks to, or where it is bound: for sentences
    uint64_t serial;                      // never the same twice; written before the word is
    int fd;                               // -1 from the moment at which its closer goes to close it
    enum weft__kind kind;
    uint32_t slot, next_free;
};

// One caller's stay at a handle. On its stack.
struct weft__turn {
    struct weft__handle *handle;
    enum weft__side side;
    struct weft__waiter *waiter;
    struct weft__list link;
    bool is_granted; // guarded by the handle's lock
};

// A number for an operation on a descriptor that has no handle yet, and then for that handle.
uint64_t weft__handle_serial(void);
// Makes a handle for a descriptor (takes it on success only). Returns it, -EMFILE or -ENOMEM.
int weft__handle_open(int fd, enum weft__kind kind, uint64_t serial);

// Says what the handle's sentences name. By who opened it, before anybody else knows it.
void weft__handle_name(int h, const weft_addr *addr);
// What a handle was named, also after its close, as long as its slot was not used again. False:
// unknown.
bool weft__handle_addr(int h, weft_addr *ret_addr);

// Begins a use, so that the descriptor stays; with a side, also waits for the turn, which may be
// interrupted. Returns 0; -EBADF, -ENOTSUP (a kind that is not among `kinds`), -ECANCELED,
// -ETIMEDOUT, -ENOMEM.
int weft__turn_begin(struct weft__turn *turn, struct weft__waiter *self, int h,
                     enum weft__side side, unsigned kinds);
void weft__turn_end(struct weft__turn *turn);

// Around a wait in a driver, so that a close finds who waits. After weft__turn_waits the caller
// looks at weft__turn_is_closing once, and again after each wake.
void weft__turn_waits(struct weft__turn *turn);
void weft__turn_waited(struct weft__turn *turn);
bool weft__turn_is_closing(const struct weft__turn *turn);

// Marks the handle as closing, ends what is in flight, waits for that. Returns 0 with the
// descriptor, which is now the caller's to close, or -EBADF. weft__handle_free then gives the slot
// back.
int weft__handle_close(struct weft__waiter *self, int h, struct weft__handle **ret_handle);
// The descriptor of a handle that is closing, for close(2) right after this.
int weft__handle_take_fd(struct weft__handle *handle);
void weft__handle_free(struct weft__handle *handle);

// Waits until some handle is closed, at most until `until_ns` (for accept when descriptors run
// short).
void weft__handle_await_close(struct weft__waiter *self, int64_t until_ns);

// Of a simulated host that has crashed (src/sim). All its descriptors are gone: uses of others end
// with -EBADF. And, when none of its tasks is left: closes that nobody will end.
void weft__handles_abandon(bool (*is_gone)(int fd, const void *arg), const void *arg);
void weft__handles_discard(void);

void weft__handles_after_fork(void);
size_t weft__handles_open(void);
int weft__handle_waiting(int h, enum weft__side side); // for tests

#endif

// SPDX-License-Identifier: MIT
//
// The driver contract: what every driver (uring, epoll, thread, sim) does, stated before any code.
// A driver completes operations. It knows descriptors and buffers; it knows no tasks, no handles,
// no deadlines and no cancellation policy: those belong to the layers above.
#ifndef WEFT__DRIVER_H
#define WEFT__DRIVER_H

#include "base/atomic.h"
#include "base/list.h"

#include <stddef.h>
#include <stdint.h>
#include <weft/addr.h>

// 1. One thread drives a driver: the one that called `start`. Every entry is called on that thread
//    alone, but `wake` and `now`, which any thread may call between start and stop.
// 2. `try` makes one attempt that never waits: a result >= 0, a negative errno, or -EAGAIN when it
//    would have to wait (also when the driver knows that an attempt would be wasted).
// 3. `submit` takes an operation that has to wait. It completes exactly once, on this driver, on
//    its thread: `op->result` is set, then `op->done(op)` is called, always from inside `wait` or
//    `cancel`, never from inside `submit` (so the caller of submit may go on using the op). From
//    submit to done the driver owns the op and may use its buffers; after done it never touches
//    them again.
// 4. `cancel` is a request. The completion still arrives, from inside `cancel` or a later `wait`:
//    either with -ECANCELED and then without any effect, or with what the operation did.
// 5. `wait(until)` submits what is pending, completes what is ready and, if nothing was, waits
//    until something is, until `wake` was called, or until the monotonic clock reads `until`
//    (0: only look; INT64_MAX: no limit). It may return early for no reason.
// 6. `wake` makes the `wait` under way, or else the next one, return at once. Wakes coalesce.
// 7. `now` reads a clock in nanoseconds. Virtual on the simulator, where it moves only in `wait`.
// 8. `ctl` does what never waits: see weft__ctl below.
// 9. `choose(what, n)`, n >= 1, picks one of n equal possibilities: the simulator answers from its
//    seed. Real drivers have none: it is always the first.
// 10. `-EINTR` never leaves a driver. SIGPIPE never arises. Descriptors are non-blocking and
//     CLOEXEC.
// 11. A descriptor belongs to no driver. Whatever a driver keeps about one (an epoll registration,
//     a hint) is attached at the first wait there and named by `op->fd` and `op->serial`, the
//     64-bit number that the handle table gives each opened handle and never twice; state found
//     under another serial is stale and is replaced.
// 12. `stop` comes after the last `wake` has returned, and when no operation is pending.
// 13. `beside`, which the simulator alone has, makes one more driver for the same thread, on the
//     same clock and network, so that several workers can take turns there. `wait` of one may go
//     over to one whose `wait` can end: it calls `relay(from, to)`, which returns when somebody
//     goes over to `from`. Nothing but `wait` does that. The first driver is the last to stop.

enum weft__op_kind {
    WEFT__OP_READ,    // recv(2) into iov[0..count), flags: WEFT__OP_PEEK
    WEFT__OP_WRITE,   // send(2) from iov[0..count)
    WEFT__OP_RECVMSG, // a datagram into iov; sets *peer (if not NULL) and WEFT__OP_TRUNCATED in
                      // flags. The result is what was stored, never more than the iov holds.
    WEFT__OP_SENDMSG, // a datagram from iov to *peer (NULL: the connected peer)
    WEFT__OP_ACCEPT,  // result: the new descriptor (non-blocking, CLOEXEC); sets *peer if not NULL
    WEFT__OP_CONNECT, // to *peer; result 0
    WEFT__OP_READY,   // until fd is readable/writable: `events` in, result: the events that are
    WEFT__OP_RESOLVE, // a name: see struct weft__op_resolve
};

enum {
    WEFT__OP_PEEK = 1 << 0,      // in: leave the data where it is
    WEFT__OP_TRUNCATED = 1 << 1, // out: the datagram was longer than the buffer
    WEFT__OP_INSIST = 1 << 2,    // in: `try` makes the attempt, whatever the driver thinks of it
};

enum { WEFT__READABLE = 1, WEFT__WRITABLE = 2 };

struct iovec; // <sys/uio.h>, which only the layers that may use system headers look into

struct weft__op_resolve {
    const char *host;    // borrowed until done
    uint16_t port;       // set in every address
    weft_addr *ret_list; // filled from the front, in getaddrinfo(3)'s order (RFC 6724)
    size_t capacity;     // result: how many were found and stored, >= 1,
};                       // or -WEFT_ENAME, -WEFT_ENAMEFAIL

struct weft__op {
    enum weft__op_kind kind;
    int fd;
    uint64_t serial;
    uint32_t flags;
    uint32_t events;
    const struct iovec *iov; // borrowed until done, at most WEFT__IOV_MAX of them
    size_t count;
    weft_addr *peer; // borrowed until done
    struct weft__op_resolve *resolve;

    int64_t result;
    void (*done)(struct weft__op *op);
    void *owner; // the caller's

    // The driver's, from submit to done. All zero before submit, and again in `done`; except that a
    // `try` of a connect that began the connection leaves a note in `slot` for the submit after it.
    struct weft__list link;
    uint64_t slot; // "operations are named by slot and generation": the name that this driver gave
    void *driver_data;
    bool is_pending;             // true from submit to done
    struct weft__driver *driver; // the simulator's alone: which of its drivers it was submitted to
};

enum { WEFT__IOV_MAX = 64 }; // longer vectors are cut by the layer above (a short write is legal)

enum weft__clock { WEFT__MONOTONIC, WEFT__WALL };

enum weft__choice {
    WEFT__PICK_READY,     // which of n ready tasks runs next
    WEFT__PICK_UNSTARTED, // which of n unstarted tasks is started next
    WEFT__PICK_YIELD,     // 1: yield before an operation for no reason
    WEFT__PICK_INLINE,    // 1: do not try inline, suspend
    WEFT__PICK_WORKER,    // which of n other workers is called, or searched, first
    WEFT__PICK_TURN,      // by how many of n picks the turn of a worker is shorter
    WEFT__PICK_STEAL,     // 1: leave to their worker the unstarted tasks that were found
    WEFT__PICK_STARVE,    // 1: there is no memory for the stack of the task that starts
    WEFT__PICK_CANCEL,    // 1: the scope of the task that waits is cancelled
};

// What never waits. `ctl` returns >= 0 or a negative errno.
enum weft__ctl_kind {
    WEFT__CTL_SOCKET,   // family (WEFT_IPV4, WEFT_IPV6), type; result: the descriptor
    WEFT__CTL_BIND,     // fd, *addr
    WEFT__CTL_LISTEN,   // fd, value: backlog
    WEFT__CTL_CONNECT,  // fd, *addr: of a datagram socket (never waits)
    WEFT__CTL_LOCAL,    // fd -> *addr: getsockname(2)
    WEFT__CTL_PEER,     // fd -> *addr: getpeername(2)
    WEFT__CTL_SHUTDOWN, // fd, value: WEFT__SHUT_*
    WEFT__CTL_SET,      // fd, option, value
    WEFT__CTL_GET,      // fd, option -> result
    WEFT__CTL_CLOSE,    // fd: close(2), result 0 always
    WEFT__CTL_RANDOM,   // data, size: filled with random bytes; result 0
    WEFT__CTL_WALL,     // result: the wall clock of the host, in nanoseconds since 1970
};

enum { WEFT__STREAM = 1, WEFT__DATAGRAM = 2 };
enum { WEFT__SHUT_READ = 1, WEFT__SHUT_WRITE = 2, WEFT__SHUT_BOTH = 3 };

enum weft__option {
    WEFT__OPT_REUSEADDR,
    WEFT__OPT_REUSEPORT,
    WEFT__OPT_V6ONLY,
    WEFT__OPT_NODELAY,
    WEFT__OPT_KEEPALIVE,
    WEFT__OPT_KEEPALIVE_IDLE_S,
    WEFT__OPT_KEEPALIVE_INTERVAL_S,
    WEFT__OPT_KEEPALIVE_COUNT,
    WEFT__OPT_LINGER_ZERO, // set only: close(2) then sends RST
    WEFT__OPT_SEND_BUFFER, // bytes
    WEFT__OPT_RECEIVE_BUFFER,
    WEFT__OPT_BROADCAST,
    WEFT__OPT_TTL,
    WEFT__OPT_ERROR, // get only: SO_ERROR, taken
};

struct weft__ctl {
    enum weft__ctl_kind kind;
    int fd;
    int family;
    int type;
    enum weft__option option;
    int value;
    weft_addr *addr;
    void *data;
    size_t size;
    uint32_t host; // of a new descriptor, a clock: 0 is this machine, else one of the simulator's
};

// Counters, written by the driver's thread alone, read by any.
struct weft__driver_stats {
    WEFT__ATOMIC(uint64_t) tries, submits, completions, cancels, waits;
    WEFT__ATOMIC(uint64_t) sqe[256]; // io_uring only: requests by opcode
};

struct weft__driver; // one object, owned by one thread

typedef void weft__relay(struct weft__driver *from, struct weft__driver *to);

struct weft__driver_class {
    const char *name; // "uring", "epoll", "thread", "sim"
    bool is_virtual;  // clock and network are made up: beside this driver there are no threads
    void (*stop)(struct weft__driver *d); // no op may be pending; frees the driver
    int64_t (*try)(struct weft__driver *d, struct weft__op *op);
    // 0; or -ENOMEM, or another error of epoll_ctl(2): then the op was not taken
    int (*submit)(struct weft__driver *d, struct weft__op *op);
    void (*cancel)(struct weft__driver *d, struct weft__op *op);
    void (*wait)(struct weft__driver *d, int64_t until_ns);
    void (*wake)(struct weft__driver *d);
    int64_t (*now)(struct weft__driver *d, enum weft__clock clock);
    int64_t (*ctl)(struct weft__driver *d, struct weft__ctl *ctl);
    uint32_t (*choose)(struct weft__driver *d, enum weft__choice what, uint32_t n);
    // 0 or -ENOMEM; NULL on real drivers. Each call may set another `relay`: the last one counts.
    int (*beside)(struct weft__driver *d, weft__relay *relay, struct weft__driver **ret_driver);
};

struct weft__driver { // the first member of every driver's own struct
    const struct weft__driver_class *class;
    struct weft__driver_stats stats;
    WEFT__ATOMIC(size_t) pending; // operations submitted and not yet done; read by anybody
    void *owner;                  // its user's, for `relay`
};

// Rule 9 for any driver: those without a choice take the first.
static inline uint32_t weft__driver_choose(struct weft__driver *d, enum weft__choice what,
                                           size_t n) {
    return d->class->choose ? d->class->choose(d, what, (uint32_t)n) : 0;
}

// `start` of each driver: makes it for the calling thread. Returns 0 or a negative errno; `ret_why`
// (may be NULL) then names what failed, as a static string ("io_uring_setup", "epoll_create1").
int weft__thread_start(struct weft__driver **ret_driver, const char **ret_why);
int weft__epoll_start(struct weft__driver **ret_driver, const char **ret_why);
int weft__uring_start(struct weft__driver **ret_driver, const char **ret_why);
int weft__sim_start(uint64_t seed, struct weft__driver **ret_driver, const char **ret_why);
uint64_t weft__sim_trace_hash(struct weft__driver *sim); // of all that has happened so far

// The ladder (driver/choose.c): `name` is "auto", "uring", "epoll" (NULL: auto). With auto,
// io_uring is used if its functional probe passes, else epoll; `note` receives one sentence saying
// what was chosen and why. Any other name means that driver or a failed start, with the cause in
// `note`.
int weft__driver_start(const char *name, struct weft__driver **ret_driver, char *note,
                       size_t note_size);

#endif

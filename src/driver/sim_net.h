// SPDX-License-Identifier: MIT
// What the files of the simulated driver share: the simulated machine, its sockets and the packets
// between them. One thread, no locks, no system calls.
// Not for anybody above: see sim.h.
//
//   sim.c            the driver: virtual time, events, choices, the trace
//   sim_front.c      several drivers that share the machine: whose turn it is
//   sim_op.c         operations: the queues at each socket, attempts, completion in order by seed
//   sim_ctl.c        descriptors, options, names of sockets: what never waits
//   sim_port.c       which socket a port belongs to: bind(2)'s rules, lookup, TIME_WAIT
//   sim_address.c    names inside, and which address a socket sends from
//   sim_host.c       hosts, the links between them, what is lost
//   sim_handshake.c  how a connection begins; sim_tcp.c: all else about one, as in Linux
//   sim_stream.c     the bytes and packets of a connection: windows, order, delivery
//   sim_keepalive.c  connections on which nobody sends
//   sim_udp.c        datagrams
//   sim_name.c       names
//   sim_fault.c      what goes wrong by chance, and how often
//   sim_watch.c      what the capture (sim_capture.c) and the timeline (sim_log.c) tell of it all
//
// 1. Time. An event stands in `events`, keyed by the virtual time at which it fires. Time moves in
//    `wait` alone, from one event to the next, and only when no operation can complete.
// 2. Causes travel. What one socket does to another is a packet: it arrives by an event, a few
//    microseconds later. Nothing reaches across two sockets at once, but the acknowledgement
//    of what has arrived, and that not while the way back is cut.
// 3. Choices. Each random stream has one use, so that a run with one more latency drawn still
//    schedules its tasks in the same order.
// 4. Turns. Whatever may let a waiting operation complete calls weft__sim_touch for its queue. The
//    touched queues are served in `wait`, in an order by seed, and first come, first served within
//    a queue.
// 5. Addresses. Inside, an IPv4 address is its IPv4-mapped IPv6 address, so there is one kind of
//    name; a socket shows names in its own family.
#ifndef WEFT__SIM_NET_H
#define WEFT__SIM_NET_H
#include "base/heap.h"
#include "base/rng.h"
#include "driver/op.h"
#include "driver/sim.h"

enum {
    WEFT__SIM_FD_FIRST = 1 << 24, // far above the descriptors of any process
    WEFT__SIM_FD_MAX = 1 << 20,   // so many at most: -EMFILE

    WEFT__SIM_PORT_BUCKETS = 4096,
    WEFT__SIM_TIME_WAIT_MAX = 16384, // tcp_max_tw_buckets: beyond it nobody is remembered

    WEFT__SIM_PACKETS = 16, // in flight in one direction of a connection

    WEFT__SIM_OPTIONS = WEFT__OPT_ERROR + 1,
};
struct weft__sim;
struct weft__sim_host;
struct weft__sim_front;
struct weft__sim_socket;
struct weft__sim_stream;
struct weft__sim_datagram;

// ---- Events and traces (sim.c) ----

// Something that will happen. Zeroed: not set. It lives inside the thing it is about.
struct weft__sim_event {
    struct weft__heap_node node;
    void (*fire)(struct weft__sim *sim, struct weft__sim_event *event);
};

// What goes into the trace.
enum weft__sim_trace {
    WEFT__SIM_TRACE_SUBMIT = 1,
    WEFT__SIM_TRACE_TRY,
    WEFT__SIM_TRACE_DONE,
    WEFT__SIM_TRACE_CANCEL,
    WEFT__SIM_TRACE_CTL,
    WEFT__SIM_TRACE_PACKET,
    WEFT__SIM_TRACE_DATAGRAM,
    WEFT__SIM_TRACE_DROP,
    WEFT__SIM_TRACE_CHOICE,
    WEFT__SIM_TRACE_CUT,
    WEFT__SIM_TRACE_FAULT,
    WEFT__SIM_TRACE_FRONT,
    WEFT__SIM_TRACE_HOST,
};

int64_t weft__sim_now(struct weft__sim *sim);
void weft__sim_set(struct weft__sim *sim, struct weft__sim_event *event, int64_t at_ns);
void weft__sim_unset(struct weft__sim *sim, struct weft__sim_event *event);
bool weft__sim_is_set(const struct weft__sim_event *event);
void weft__sim_trace(struct weft__sim *sim, enum weft__sim_trace what, int64_t who, int64_t size);

// ---- Ports (sim_port.c) ----

struct weft__sim_name {
    uint8_t ip[16]; // IPv4 is mapped: ::ffff:a.b.c.d
    uint16_t port;
};

// ---- Hosts and links (sim_host.c) ----

struct weft__sim_host {
    struct weft__sim *sim;
    uint32_t number;
    struct weft__sim_name ips[WEFT__SIM_IPS]; // without ports
    size_t ip_count;
    bool is_down;        // nothing arrives here
    int64_t wall_off_ns; // of its wall clock, from the world's
};

// From one host to another, or to itself.
struct weft__sim_way {
    struct weft__sim_link link;
    bool is_cut, is_stormy; // by the program; by an accident
    int64_t free_at;        // when the last packet will have left, if it takes time to send one
};

struct weft__sim_host *weft__sim_host_make(struct weft__sim *sim); // NULL: no memory
void weft__sim_hosts_free(struct weft__sim *sim);
// The host that `from` reaches under this address; NULL: none has it.
struct weft__sim_host *weft__sim_host_of(struct weft__sim_host *from,
                                         const struct weft__sim_name *name);
// The address that it has in a family, or NULL.
const struct weft__sim_name *weft__sim_host_ip(const struct weft__sim_host *host, bool is_v4);
bool weft__sim_is_local(const struct weft__sim_host *host, const struct weft__sim_name *name);
struct weft__sim_way *weft__sim_way(const struct weft__sim_host *from,
                                    const struct weft__sim_host *to);
// When a packet that leaves now arrives; whether none can; whether one that is due does not.
int64_t weft__sim_arrival(struct weft__sim *sim, struct weft__sim_way *way, size_t size);
bool weft__sim_is_cut(const struct weft__sim *sim, const struct weft__sim_way *way);
bool weft__sim_is_lost(struct weft__sim *sim, const struct weft__sim_way *way);

// ---- Faults (sim_fault.c) ----

void weft__sim_faults_init(struct weft__sim *sim, uint64_t seed);
// Whether it happens this time: at the rate of this run, or at another. Counted if so.
bool weft__sim_strikes(struct weft__sim *sim, enum weft__sim_fault fault);
bool weft__sim_strikes_at(struct weft__sim *sim, enum weft__sim_fault fault, double rate);
// More of the chance that belongs to a fault: a number from 0 to n - 1.
uint64_t weft__sim_fault_below(struct weft__sim *sim, enum weft__sim_fault fault, uint64_t n);
// The size, or if it strikes one from 1 to that.
size_t weft__sim_shorten(struct weft__sim *sim, enum weft__sim_fault fault, size_t size);
// 0, or if it strikes one of the two errors.
int weft__sim_shortage(struct weft__sim *sim, enum weft__sim_fault fault, int one, int other);

// A socket's, or a past connection's, claim to a port. It holds the port as long as it is in the
// table; while `socket` is NULL it is a connection in TIME_WAIT.
struct weft__sim_claim {
    struct weft__list link; // in a bucket of the table: children stand behind all others
    struct weft__sim_host *host;
    struct weft__sim_socket *socket;
    struct weft__sim_name local, remote; // the remote port is 0 while there is none
    int type;
    bool is_bound;                  // by bind(2) or listen(2): no connection may share it
    bool is_fixed;                  // by its number: kept until the descriptor is closed
    bool is_child;                  // of a listener: never the answer to a lookup
    bool is_reusable, is_shareable; // in TIME_WAIT: the socket had SO_REUSEADDR, SO_REUSEPORT
    struct weft__sim_event expiry;  // of TIME_WAIT
};

// bind(2), and what is done for a socket that needs a port and has none: a wildcard and port 0. The
// port is then chosen by seed.
int weft__sim_bind(struct weft__sim_socket *s, const struct weft__sim_name *local);
// For a connection: makes sure that nobody has this pair of names, choosing a port if `s` has none.
int weft__sim_bind_pair(struct weft__sim_socket *s, const struct weft__sim_name *local,
                        const struct weft__sim_name *remote);
// A claim beside the listener's for a connection that came in. Returns 0 or -ENOMEM.
int weft__sim_bind_child(struct weft__sim_socket *child, const struct weft__sim_name *local,
                         const struct weft__sim_name *remote);
// From now on the bound socket has these names.
void weft__sim_rename(struct weft__sim_socket *s, const struct weft__sim_name *local,
                      const struct weft__sim_name *remote);
// Whether bind(2), or listen(2), is refused with -EADDRINUSE.
bool weft__sim_is_taken(const struct weft__sim_socket *s, const struct weft__sim_name *local);
// Ends the claim, if there is one; with `time_wait` the name stays taken for a minute.
void weft__sim_unbind(struct weft__sim_socket *s, bool time_wait);
// Who gets a SYN or a datagram: the most specific name wins. NULL: nobody.
struct weft__sim_socket *weft__sim_find(struct weft__sim_host *host, int type,
                                        const struct weft__sim_name *to,
                                        const struct weft__sim_name *from);
void weft__sim_ports_free(struct weft__sim *sim);
void weft__sim_ports_forget(const struct weft__sim_host *host); // TIME_WAIT of one

// ---- Names (sim_address.c) ----

struct weft__sim_name weft__sim_wildcard(int family);
bool weft__sim_is_v4(const struct weft__sim_name *name);
bool weft__sim_is_wildcard(const struct weft__sim_name *name);
bool weft__sim_is_loopback(const struct weft__sim_name *name);
bool weft__sim_is_broadcast(const struct weft__sim_name *name);
bool weft__sim_same_ip(const struct weft__sim_name *a, const struct weft__sim_name *b);
bool weft__sim_same_name(const struct weft__sim_name *a, const struct weft__sim_name *b);

struct weft__sim_name weft__sim_name_of(const weft_addr *addr); // of an IPv4 or IPv6 address
// A name in the socket's family, and back. A strict reading refuses an IPv4 address on an IPv6
// socket, as bind(2) and TCP's connect(2) do; UDP takes it. Returns 0, -EINVAL or -EAFNOSUPPORT.
weft_addr weft__sim_show(const struct weft__sim_socket *s, const struct weft__sim_name *name);
int weft__sim_read_name(const struct weft__sim_socket *s, const weft_addr *addr, bool is_strict,
                        struct weft__sim_name *ret_name);
// Makes a wildcard in `to` the loopback address, and finds the address that s sends from. Returns
// 0; -ENETUNREACH when no way leads there; -EAFNOSUPPORT from a mapped address to IPv6; -EINVAL
// when it is bound to loopback and what it asks for is elsewhere.
int weft__sim_route(const struct weft__sim_socket *s, struct weft__sim_name *to,
                    struct weft__sim_name *ret_from);

// ---- Sockets ----

// Operations that wait for the same thing, in order of arrival.
struct weft__sim_queue {
    struct weft__sim_socket *socket; // whose it is
    struct weft__list ops;
    struct weft__heap_node turn;  // linked: touched, to be looked at
    struct weft__sim_event later; // set: touched, but stalled
};

enum weft__sim_tcp_state {
    WEFT__SIM_IDLE,      // made, perhaps bound
    WEFT__SIM_LISTENING, //
    WEFT__SIM_CONNECTING,
    WEFT__SIM_HALF_OPEN, // a child whose peer has not yet answered: no descriptor knows it
    WEFT__SIM_ESTABLISHED,
    WEFT__SIM_CLOSED, // was established
};

struct weft__sim_tcp {
    enum weft__sim_tcp_state state;
    struct weft__sim_stream *stream; // with CONNECTING, HALF_OPEN, ESTABLISHED, CLOSED
    int end;                         // which end of the stream is ours

    bool is_connect_unanswered; // a connect(2) began, and no connect(2) has told its outcome
    bool is_fin_received;
    bool is_fin_queued, is_fin_acked; // ours
    bool is_last_ack;                 // the peer's FIN came before ours: the peer has the TIME_WAIT
    bool is_orphan;                   // closed by its owner; the goodbye goes on
    int syn_count, probe_count;
    struct weft__sim_event timer; // the next SYN, or probe; orphaned: the end of patience

    int backlog;                       // of a listener
    size_t queued_count;               // in both lists
    struct weft__list half_open;       // children on their way
    struct weft__list accept_queue;    // children that accept(2) may take
    struct weft__list sibling;         // of a child, in one of those
    struct weft__sim_socket *listener; // of a child, until it is accepted
};

struct weft__sim_udp {
    struct weft__list received; // datagrams
    size_t received_size;       // with the overhead of each
    int64_t last_arrival_ns;    // of what this socket sent
};

struct weft__sim_socket {
    struct weft__sim *sim;
    struct weft__sim_host *host;
    struct weft__list link; // in sim->sockets
    int64_t number;         // counts the sockets of a run: its name in the trace
    int fd;                 // -1: not yet accepted, or an orphan that still says goodbye
    int family, type;
    struct weft__sim_name local, remote;
    struct weft__sim_claim *claim;
    bool is_connected;
    bool is_local_fixed; // bind(2) named an IP address
    bool is_read_shut, is_write_shut;
    bool is_linger_zero;
    bool is_send_size_set;
    int error; // SO_ERROR: a positive errno
    int options[WEFT__SIM_OPTIONS];
    struct weft__sim_queue readers, writers, watchers;
    struct weft__sim_tcp tcp;
    struct weft__sim_udp udp;
};

// sim_ctl.c. `make` gives no descriptor yet; -ENOMEM is NULL.
struct weft__sim_socket *weft__sim_socket_make(struct weft__sim_host *host, int family, int type);
int weft__sim_socket_open(struct weft__sim_socket *s); // gives it a descriptor, or -EMFILE, -ENOMEM
void weft__sim_socket_free(struct weft__sim_socket *s); // TCP has let go of its stream before
void weft__sim_socket_lose(struct weft__sim_socket *s); // and its descriptor, at once
struct weft__sim_socket *weft__sim_socket_at(struct weft__sim *sim, int fd);
int weft__sim_take_error(struct weft__sim_socket *s); // 0 or a negative errno, once
int64_t weft__sim_ctl(struct weft__driver *d, struct weft__ctl *ctl);

// sim_op.c. The socket's state changed in a way that its waiting operations may care about.
void weft__sim_touch(struct weft__sim_socket *s, struct weft__sim_queue *queue);
void weft__sim_touch_all(struct weft__sim_socket *s);
// Copy between the op's buffers, from `offset` on, and memory; all of it fits.
void weft__sim_scatter(const struct weft__op *op, size_t offset, const void *from, size_t size);
void weft__sim_gather(const struct weft__op *op, size_t offset, void *to, size_t size);
// Completes what can be, and calls back for what this front has submitted. True: it did.
bool weft__sim_serve(struct weft__sim_front *front);
// The result is known and the effect has been had: the op's front calls back from its next pass.
void weft__sim_finish(struct weft__sim *sim, struct weft__op *op, int64_t result);
int64_t weft__sim_try(struct weft__driver *d, struct weft__op *op);
int weft__sim_submit(struct weft__driver *d, struct weft__op *op);
void weft__sim_cancel(struct weft__driver *d, struct weft__op *op);

// ---- Streams (sim_stream.c) ----

enum weft__sim_packet_kind {
    WEFT__SIM_PACKET_SYN,
    WEFT__SIM_PACKET_SYN_ACK,
    WEFT__SIM_PACKET_ACK,
    WEFT__SIM_PACKET_DATA,
    WEFT__SIM_PACKET_FIN,
    WEFT__SIM_PACKET_RST,
};

struct weft__sim_packet {
    enum weft__sim_packet_kind kind;
    int64_t at_ns;
    uint64_t end; // DATA: the stream's offset behind its last byte
};

// What sim_watch.c remembers of one direction.
struct weft__sim_seen {
    uint64_t window_end; // the offset up to which the receiver has been shown to admit bytes
    uint64_t start;      // where the bytes of the packet that is due begin
    bool has_begun;      // by SYN or SYN+ACK
    bool is_lost;        // the packet that is due next, when it was sent last
    bool has_fin_arrived;
};

// One direction. Offsets count its bytes from the first: read <= arrived <= sent <= written, and
// acked <= arrived, which differ only while an acknowledgement is lost. The window promised by the
// receiver is never taken back: sent <= read + window.
struct weft__sim_pipe {
    struct weft__sim_stream *stream;
    int end;                                                // who writes
    struct weft__sim_event event;                           // at the next packet's arrival
    struct weft__sim_packet packets[WEFT__SIM_PACKETS + 1]; // a ring; the last place is for a reset
    size_t first, count;
    int64_t last_arrival_ns;
    struct weft__sim_event resend; // of what has arrived, until somebody says so
    size_t unheard;                // so many of the packets, the first ones
    int losses;                    // in a row
    struct weft__list chunks;      // the bytes from `read` to `written`
    size_t head_size;              // of the first chunk, that is read already
    uint64_t read, arrived, acked, sent, written;
    size_t window;
    bool is_fin_queued, is_fin_sent, is_reset;
    struct weft__sim_seen seen;
};

// A connection. pipes[e] carries what end e writes; end 0 is who connected.
struct weft__sim_stream {
    struct weft__sim *sim;
    int64_t number;
    struct weft__sim_pipe pipes[2];
    struct weft__sim_socket *ends[2]; // NULL: nobody there (any more)
    struct weft__sim_name names[2];
    struct weft__sim_host *hosts[2]; // [1] is NULL if nobody has that address
    int holds;                       // handlers at work on it
};

struct weft__sim_stream *weft__sim_stream_make(struct weft__sim *sim);
// A packet of the handshake. The rest send themselves by what follows.
void weft__sim_stream_send(struct weft__sim_stream *stream, int end,
                           enum weft__sim_packet_kind kind);
// Sends what the window admits, then the FIN if is_fin_queued.
void weft__sim_stream_push(struct weft__sim_stream *stream, int end);
// Both move at most what fits and is there: bytes moved, or -ENOMEM.
int64_t weft__sim_stream_write(struct weft__sim_stream *stream, int end, const struct weft__op *op,
                               size_t limit);
int64_t weft__sim_stream_read(struct weft__sim_stream *stream, int end, const struct weft__op *op,
                              size_t limit, bool peek);
// The data of a packet that has arrived may be read, and is acknowledged. Data that is not taken
// stays with its sender, until the reset that answers it.
void weft__sim_stream_take(struct weft__sim_stream *stream, int end,
                           const struct weft__sim_packet *packet);
// This end is gone without a word, and so is what it has not read. The last one frees all.
void weft__sim_stream_leave(struct weft__sim_stream *stream, int end);
// Takes back what this end has not sent yet, and sends a reset behind what it has.
void weft__sim_stream_reset(struct weft__sim_stream *stream, int end);
// Forgets what this end has sent and not sent: its peer will hear no more of it.
void weft__sim_stream_discard(struct weft__sim_stream *stream, int end);
size_t weft__sim_stream_unread(const struct weft__sim_stream *stream, int end);
// The most bytes that a packet of this pipe carries; and a copy of bytes that nobody has read yet.
size_t weft__sim_stream_mss(const struct weft__sim_pipe *pipe);
void weft__sim_stream_copy(const struct weft__sim_pipe *pipe, uint64_t offset, void *to,
                           size_t size);
size_t weft__sim_stream_unacked(const struct weft__sim_stream *stream, int end);

// ---- Protocols ----

// sim_tcp.c. The attempts answer as `try` does.
int64_t weft__sim_tcp_connect(struct weft__sim_socket *s, const weft_addr *peer);
int64_t weft__sim_tcp_accept(struct weft__sim_socket *s, struct weft__op *op);
int64_t weft__sim_tcp_read(struct weft__sim_socket *s, struct weft__op *op);
int64_t weft__sim_tcp_write(struct weft__sim_socket *s, struct weft__op *op);
uint32_t weft__sim_tcp_ready(const struct weft__sim_socket *s); // WEFT__READABLE, WEFT__WRITABLE
int weft__sim_tcp_listen(struct weft__sim_socket *s, int backlog);
int weft__sim_tcp_shutdown(struct weft__sim_socket *s, int how);
void weft__sim_tcp_close(struct weft__sim_socket *s);  // its descriptor is gone
void weft__sim_tcp_resize(struct weft__sim_socket *s); // SO_RCVBUF was set

// sim_keepalive.c. A way was cut, or a host went down; an option of the socket was set.
void weft__sim_keepalive_look(struct weft__sim *sim);
void weft__sim_keepalive_begin(struct weft__sim_socket *s);

// sim_udp.c.
int weft__sim_udp_connect(struct weft__sim_socket *s, const weft_addr *peer);
int weft__sim_udp_shutdown(struct weft__sim_socket *s, int how);
int64_t weft__sim_udp_send(struct weft__sim_socket *s, struct weft__op *op);
int64_t weft__sim_udp_receive(struct weft__sim_socket *s, struct weft__op *op);
uint32_t weft__sim_udp_ready(const struct weft__sim_socket *s);
void weft__sim_udp_drop_received(struct weft__sim_socket *s);
void weft__sim_udp_drop_in_flight(struct weft__sim *sim);

// sim_name.c.
void weft__sim_resolve(struct weft__sim *sim, struct weft__op *op); // a submitted one
void weft__sim_names_free(struct weft__sim *sim);
void weft__sim_name_drop(struct weft__sim *sim, const char *name); // if it is known

// The name that resolves to an address of the host, or NULL.
const char *weft__sim_host_name(const struct weft__sim_host *host);

void weft__sim_watch_close(struct weft__sim *sim); // sim_capture.c

// ---- Fronts (sim_front.c) ----

// A driver of the machine, as its user sees it: a worker has one of its own. The machine belongs to
// all of them, and lives in the `wait` of any; operations and wakes are each one's own. One runs at
// a time, the others are inside their `wait`.
struct weft__sim_front {
    struct weft__driver driver;
    struct weft__sim *sim;
    struct weft__list link;
    uint32_t number;                 // from 0: its name in the trace
    struct weft__list finished;      // its operations whose result is known
    WEFT__ATOMIC(uint32_t) is_woken; // by any thread
    bool is_busy;                    // its wait has called back
    int64_t until_ns;                // of its wait; 0 before the first
};

int weft__sim_beside(struct weft__driver *d, weft__relay *relay, struct weft__driver **ret_driver);
// Links it behind the others.
void weft__sim_front_add(struct weft__sim *sim, struct weft__sim_front *front);
bool weft__sim_is_shared(const struct weft__sim *sim); // there are several
// By seed one of those whose wait can end; NULL: none can, before time moves.
struct weft__sim_front *weft__sim_front_pick(struct weft__sim *sim);
// When the first of their waits ends by itself, at the latest `until_ns`.
int64_t weft__sim_front_until(const struct weft__sim *sim, int64_t until_ns);
// Of all of them.
size_t weft__sim_pending(const struct weft__sim *sim);
uint64_t weft__sim_completions(const struct weft__sim *sim);

// ---- The whole ----

struct weft__sim_slot {
    struct weft__sim_socket *socket; // NULL: free
    uint32_t next_free;              // its successor in the list of free ones, plus 1
};

struct weft__sim {
    struct weft__sim_front front; // the first, which is the machine's own
    struct weft__list fronts;     // all of them
    uint32_t front_count;         // so far
    weft__relay *relay;
    uint64_t seed;
    WEFT__ATOMIC(int64_t) now; // any thread may read it
    struct weft__heap events;
    struct weft__heap turns; // touched queues, keyed by seed
    uint64_t op_count;
    uint64_t hash, steps;
    struct weft__rng network, scheduler, application, chance;
    struct {
        double rate;
        uint64_t hits;
        struct weft__rng rng; // its own, so that leaving one out leaves the others as they were
    } faults[WEFT__SIM_FAULTS];

    struct weft__sim_slot *slots; // by descriptor
    uint32_t slot_count, slot_capacity;
    uint32_t free_slot; // plus 1; the one freed last, so that stale descriptors hurt
    struct weft__list sockets;
    int64_t socket_count;

    struct weft__sim_host **hosts; // by number; hosts[0] is whose operations name no other
    struct weft__sim_way *ways;    // a square: [from * host_capacity + to]
    uint32_t host_count, host_capacity;
    struct weft__sim_link link; // between hosts, if nobody says otherwise

    struct weft__list *buckets; // WEFT__SIM_PORT_BUCKETS of them
    size_t time_wait_count;
    struct weft__list in_flight; // datagrams
    struct weft__list names;
    struct weft__list lookups; // RESOLVE operations; op->slot is the time of the answer
    struct weft__sim_event lookup_event;

    struct weft__sim_capture *capture; // NULL: none
    struct weft__sim_sink *log;        // NULL: none
};

static inline struct weft__sim_front *weft__sim_front_of(struct weft__driver *d) {
    return WEFT__CONTAINER(d, struct weft__sim_front, driver);
}

static inline struct weft__sim *weft__sim_of(struct weft__driver *d) {
    return weft__sim_front_of(d)->sim;
}

#endif

// SPDX-License-Identifier: MIT
// What the simulated driver offers beyond the contract of driver.h, to tests and to the layers
// above. It is made by weft__sim_start, which driver.h declares.
// Not for its own files: those share sim_net.h.
#ifndef WEFT__SIM_H
#define WEFT__SIM_H

#include "driver/driver.h"

#include <stdbool.h>

// From now on `name` resolves to these addresses, `delay_ns` after it was asked for; with a count
// of 0 the answer is that there is no such name. A second call replaces the first. Copies all it
// is given. Returns 0 or -ENOMEM.
int weft__sim_name_add(struct weft__driver *d, const char *name, const weft_addr *list,
                       size_t count, int64_t delay_ns);

// A host of the simulated world, with at most one address of each family. The number is what
// weft__ctl.host carries; 0 is there from the start, with loopback alone. Returns
// the number, -EINVAL (an address that no host can have), -EADDRINUSE, -ENOSPC or -ENOMEM.
enum { WEFT__SIM_IPS = 2 };
int weft__sim_host_add(struct weft__driver *d, const weft_addr *ips, size_t count);
// Takes back the last one, and its name, before anything has run there.
void weft__sim_host_drop(struct weft__driver *d, const char *name);

// The way from one host to another. Probabilities are from 0 to 1, of each packet.
struct weft__sim_link {
    int64_t latency_ns, jitter_ns; // a packet takes from latency to latency + jitter
    int64_t bytes_per_s;           // 0: no limit
    double loss;                   // a stream sends again what is lost, a datagram is gone
    double duplication;            // datagrams that arrive twice
    double reordering;             // datagrams that others overtake
    uint32_t mtu;                  // bytes of a packet, headers included
};

struct weft__sim_link weft__sim_link_ordinary(void);
// All links between two hosts, those of hosts still to come included; one direction of one.
void weft__sim_link_all(struct weft__driver *d, const struct weft__sim_link *link);
void weft__sim_link_set(struct weft__driver *d, uint32_t from, uint32_t to,
                        const struct weft__sim_link *link);
struct weft__sim_link weft__sim_link_base(struct weft__driver *d); // what weft__sim_link_all set
// While it is cut nothing arrives, not even what is on its way. By the program, or by an accident:
// each ends its own.
void weft__sim_cut(struct weft__driver *d, uint32_t from, uint32_t to, bool is_cut);
void weft__sim_storm(struct weft__driver *d, uint32_t from, uint32_t to, bool is_cut);

// The host is without power: its sockets are gone without a word, what it has sent and nobody has
// received is, too, and nothing arrives there. Operations that wait at its sockets complete with
// -EBADF, before this returns; not for an event or a callback of the driver.
void weft__sim_host_down(struct weft__driver *d, uint32_t host);
void weft__sim_host_up(struct weft__driver *d, uint32_t host);
// The number of the host whose descriptor it is, or -1.
int weft__sim_host_of_fd(struct weft__driver *d, int fd);
// Forgets all operations that are pending: who waits for them will never look.
void weft__sim_abandon(struct weft__driver *d);
// The wall clock of a host: moved, and how far it is from the world's.
void weft__sim_jump(struct weft__driver *d, uint32_t host, int64_t ns);
int64_t weft__sim_wall_off(struct weft__driver *d, uint32_t host);

// What can go wrong. A rate is the chance, from 0 to 1, each time that it could.
enum weft__sim_fault {
    WEFT__SIM_SHORT_READS,  // a read of a stream moves fewer bytes than there are
    WEFT__SIM_SHORT_WRITES, // and a write fewer than there is room for
    WEFT__SIM_STALLS,       // what could complete takes a little longer
    WEFT__SIM_DRIPS,        // a packet of a stream carries a few bytes only
    WEFT__SIM_LOSS,         // these three are a link's
    WEFT__SIM_DUPLICATION,
    WEFT__SIM_REORDERING,
    WEFT__SIM_REFUSALS,         // ECONNREFUSED from a host that listens
    WEFT__SIM_RESETS,           // a packet is answered with a reset, and its receiver gets one, too
    WEFT__SIM_TIMEOUTS,         // ETIMEDOUT to whoever sent a packet
    WEFT__SIM_ABORTS,           // ECONNABORTED of an accept
    WEFT__SIM_FD_SHORTAGES,     // EMFILE, ENFILE
    WEFT__SIM_BUFFER_SHORTAGES, // ENOBUFS of a send or an accept
    WEFT__SIM_MEMORY_SHORTAGES, // ENOMEM of an operation
    WEFT__SIM_NAME_FAILURES,    // a resolver that answers WEFT_ENAMEFAIL
    WEFT__SIM_NAME_LOSSES,      // and one that knows of no such name
    WEFT__SIM_NAME_DELAYS,      // or takes seconds
    WEFT__SIM_NAME_CHANGES,     // or answers with another's addresses
    WEFT__SIM_STACK_SHORTAGES,  // WEFT__PICK_STARVE
    WEFT__SIM_YIELDS,           // WEFT__PICK_YIELD: this and the next two are on from the start
    WEFT__SIM_SUSPENSIONS,      // WEFT__PICK_INLINE
    WEFT__SIM_LATE_CANCELS,     // an operation that is cancelled completes later, perhaps is done
    WEFT__SIM_PARTITIONS,       // accidents: see weft__sim_accident
    WEFT__SIM_PAUSES,
    WEFT__SIM_CLOCK_JUMPS,
    WEFT__SIM_CRASHES,
    WEFT__SIM_CANCELS, // WEFT__PICK_CANCEL
    WEFT__SIM_FAULTS
};
const char *weft__sim_fault_name(enum weft__sim_fault fault);
void weft__sim_fault_set(struct weft__driver *d, enum weft__sim_fault fault, double rate);
double weft__sim_fault_rate(struct weft__driver *d, enum weft__sim_fault fault);
uint64_t weft__sim_fault_hits(struct weft__driver *d, enum weft__sim_fault fault);
// What it is, for those that are on from the start; 0 for the others.
double weft__sim_fault_base(enum weft__sim_fault fault);
// Turns on some of those that are off, by seed, crashes and cancels excepted, which a program does
// not survive by being correct. allowed  a bit for each that may be.
void weft__sim_fault_draw_all(struct weft__driver *d, uint64_t allowed);

// How many things have happened: choices, attempts, packets; and how much time has passed, in
// nanoseconds. Both in a signal handler, too.
uint64_t weft__sim_steps(struct weft__driver *d);
int64_t weft__sim_elapsed(struct weft__driver *d);
// How many descriptors are open, on all hosts.
uint32_t weft__sim_descriptors(struct weft__driver *d);

// From now on each packet that leaves a host is written to a pcapng file, and each thing that
// happens to a packet to a text file, a line each. To be called before the first packet, once.
// They change nothing of the run. A write that fails is logged, and ends the file. `stop` closes
// both. Returns 0, -ENOMEM, or what open(2) says.
int weft__sim_capture_open(struct weft__driver *d, const char *path);
int weft__sim_log_open(struct weft__driver *d, const char *path);
// A line of the timeline about a host: "crashes".
void weft__sim_note(struct weft__driver *d, uint32_t host, const char *what);
// Writes what they hold back: for a run that fails and does not come to its stop. In a signal
// handler, too.
void weft__sim_watch_flush(struct weft__driver *d);

// Called when `wait` could only wait for ever. `report` is one line and says so; the layer above
// may add what its tasks wait for. NULL, as it is at first: the report is the last word of the
// process. If the function returns, so does `wait`.
extern void (*weft__sim_deadlock)(struct weft__driver *d, const char *report);

// Called when an accident happens to a packet on its way from one host to another: the layer above
// makes it last so many nanoseconds. One for the process; NULL: none happens now.
extern void (*weft__sim_accident)(enum weft__sim_fault fault, uint32_t from, uint32_t to,
                                  int64_t ns);

#endif

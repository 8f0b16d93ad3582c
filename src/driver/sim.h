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
// weft__op.host and weft__ctl.host carry; 0 is there from the start, with loopback alone. Returns
// the number, -EINVAL (an address that no host can have), -EADDRINUSE, -ENOSPC or -ENOMEM.
enum { WEFT__SIM_IPS = 2 };
int weft__sim_host_add(struct weft__driver *d, const weft_addr *ips, size_t count);

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
void weft__sim_link_get(struct weft__driver *d, uint32_t from, uint32_t to,
                        struct weft__sim_link *ret_link);
// While it is cut nothing arrives, not even what is on its way.
void weft__sim_cut(struct weft__driver *d, uint32_t from, uint32_t to, bool is_cut);

// How many things have happened: choices, attempts, packets; and how much time has passed, in
// nanoseconds. Both in a signal handler, too.
uint64_t weft__sim_steps(struct weft__driver *d);
int64_t weft__sim_elapsed(struct weft__driver *d);

// Called when `wait` could only wait for ever. `report` is one line and says so; the layer above
// may add what its tasks wait for. NULL, as it is at first: the report is the last word of the
// process. If the function returns, so does `wait`.
extern void (*weft__sim_deadlock)(struct weft__driver *d, const char *report);

#endif

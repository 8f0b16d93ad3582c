// SPDX-License-Identifier: MIT
// The timeline of a simulation: weft__sim_log_open is in sim.h.
#ifndef WEFT__SIM_LOG_H
#define WEFT__SIM_LOG_H

#include "driver/sim_net.h"

#include "base/compiler.h"

// Adds a line, if there is a timeline: the time, the host that it happens at, from and to whom,
// what.
WEFT__PRINTF(5, 6)
void weft__sim_log_put(struct weft__sim *sim, const struct weft__sim_host *host,
                       const struct weft__sim_name *from, const struct weft__sim_name *to,
                       const char *format, ...);

#endif

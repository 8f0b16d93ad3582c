// SPDX-License-Identifier: MIT
// The capture of a simulation: IP packets, one after the other. A packet is begun, filled from the
// header of its protocol on, and ended.
// Not for what is in these headers: that is sim_watch.c.
#ifndef WEFT__SIM_CAPTURE_H
#define WEFT__SIM_CAPTURE_H

#include "driver/sim_ip.h"

// Room for `size` bytes behind the header of IP, zeroed; or NULL when nothing is captured. The
// whole packet has at most 65535 bytes, without IPv6's header.
uint8_t *weft__sim_capture_begin(struct weft__sim *sim, const struct weft__sim_name *from,
                                 const struct weft__sim_name *to, enum weft__sim_protocol protocol,
                                 size_t size);
// Fills in the checksum. Only the first `captured` bytes are in the file, if they are fewer: what
// the rest was nobody knows any more.
void weft__sim_capture_end(struct weft__sim *sim, size_t captured);

#endif

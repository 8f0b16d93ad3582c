// SPDX-License-Identifier: MIT
// A file that a simulation writes, through a buffer of fixed size. What does not fit the file (a
// full disk) ends the file and not the simulation.
// Not for what is in it: see sim_capture.c and sim_log.c.
#ifndef WEFT__SIM_SINK_H
#define WEFT__SIM_SINK_H

#include <stddef.h>

enum { WEFT__SIM_SINK_RECORD_MAX = 96 * 1024 };

struct weft__sim_sink;

// Replaces what is there. Returns 0, -ENOMEM, or what open(2) says.
int weft__sim_sink_open(const char *path, struct weft__sim_sink **ret_sink);

// Room for a record of at most `size` bytes, which is not more than WEFT__SIM_SINK_RECORD_MAX. The
// record is there once weft__sim_sink_add has told how long it became. NULL: the file has failed.
void *weft__sim_sink_room(struct weft__sim_sink *sink, size_t size);
void weft__sim_sink_add(struct weft__sim_sink *sink, size_t size);

// Writes whole records only, and is safe in a signal handler while nothing else writes.
void weft__sim_sink_flush(struct weft__sim_sink *sink);
void weft__sim_sink_close(struct weft__sim_sink *sink); // NULL is nothing

#endif

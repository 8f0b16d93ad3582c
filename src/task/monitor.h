// SPDX-License-Identifier: MIT
//
// The monitor: a thread that looks at the workers, about a hundred times a second while any of them
// is awake. It reports a task that keeps its worker for too long, and wakes a worker for tasks that
// nobody has started for a while. Part of every runtime but the simulator's.
#ifndef WEFT__MONITOR_H
#define WEFT__MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct weft__runtime;

enum { WEFT__PATIENCE_MS = 100 }; // by default

// Starts it if there is something to look at; a thread that is not to be had is logged.
//   patience_ns  how long a task may keep its worker; INT64_MAX: for ever
//   has_sink     log lines go to a function of the program's
// How it is roused: runtime.h.
void weft__monitor_start(struct weft__runtime *runtime, int64_t patience_ns, bool has_sink);
void weft__monitor_end(struct weft__runtime *runtime);

#endif

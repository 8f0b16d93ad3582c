// SPDX-License-Identifier: MIT
// What the simulated driver offers beyond the contract of driver.h, to tests and to the layers
// above. It is made by weft__sim_start, which driver.h declares.
// Not for its own files: those share sim_net.h.
#ifndef WEFT__SIM_H
#define WEFT__SIM_H

#include "driver/driver.h"

// From now on `name` resolves to these addresses, `delay_ns` after it was asked for; with a count
// of 0 the answer is that there is no such name. A second call replaces the first. Copies all it
// is given. Returns 0 or -ENOMEM.
int weft__sim_name_add(struct weft__driver *d, const char *name, const weft_addr *list,
                       size_t count, int64_t delay_ns);

// Called when `wait` could only wait for ever. `report` is one line and says so; the layer above
// may add what its tasks wait for. NULL, as it is at first: the report is the last word of the
// process. If the function returns, so does `wait`.
extern void (*weft__sim_deadlock)(struct weft__driver *d, const char *report);

#endif

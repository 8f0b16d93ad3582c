// SPDX-License-Identifier: MIT
//
// The threads of a runtime beside its workers: the pool behind weft_blocking and the monitor. The
// simulator has neither.
#include "task/blocking.h"
#include "task/monitor.h"
#include "task/runtime.h"

#include "driver/driver.h"

#include <weft/task.h>

int weft__helpers_start(struct weft__runtime *runtime, const weft_options *options) {
    if (runtime->workers[0]->driver->class->is_virtual)
        return 0;
    int limit = options->blocking_threads;
    int error = weft__blocking_start(runtime, limit > 0 ? (uint32_t)limit : WEFT__BLOCKING_THREADS);
    if (error < 0)
        return error;
    int64_t patience_ns = options->watchdog_ns;
    if (patience_ns == 0)
        patience_ns = WEFT__PATIENCE_MS * WEFT_MILLISECOND;
    weft__monitor_start(runtime, patience_ns > 0 ? patience_ns : INT64_MAX, options->log != NULL);
    return 0;
}

void weft__helpers_end(struct weft__runtime *runtime) {
    weft__monitor_end(runtime);
    weft__blocking_end(runtime);
}

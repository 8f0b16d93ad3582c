// SPDX-License-Identifier: MIT
//
// What a runtime has beside its workers: the pool behind weft_blocking. The simulator has none.
#include "task/blocking.h"
#include "task/runtime.h"

#include "driver/driver.h"

#include <weft/task.h>

int weft__helpers_start(struct weft__runtime *runtime, const weft_options *options) {
    if (runtime->workers[0]->driver->class->is_virtual)
        return 0;
    int limit = options->blocking_threads;
    return weft__blocking_start(runtime, limit > 0 ? (uint32_t)limit : WEFT__BLOCKING_THREADS);
}

void weft__helpers_end(struct weft__runtime *runtime) {
    weft__blocking_end(runtime);
}

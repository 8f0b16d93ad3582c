// SPDX-License-Identifier: MIT
//
// Of what weft_testing.h promises: how many wait, and where.
#include "weft_testing.h"

#include "task/handle.h"
#include "task/runtime.h"
#include "task/wait_queue.h"

#include <weft/io.h>

int weft__testing_waiting(int handle, int direction) {
    return weft__handle_waiting(handle,
                                direction == WEFT_READ ? WEFT__SIDE_READ : WEFT__SIDE_WRITE);
}

size_t weft__testing_queued(void *object) {
    return weft__wait_queue_length(object, weft__self()); // each object begins with its queue
}

size_t weft__testing_parked_tasks(void) {
    struct weft__runtime *runtime = weft__runtime_now();
    return runtime ? weft__runtime_parked(runtime) : 0;
}

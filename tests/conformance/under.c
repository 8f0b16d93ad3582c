// SPDX-License-Identifier: MIT
// Runtimes of several sizes.
#include "under.h"

weft_options options_for(int workers) {
    return (weft_options){.driver = world_driver(), .workers = workers};
}

void under(int workers, void (*body)(int workers)) {
    weft_options options = options_for(workers);
    expect(weft_start(&options), 0);
    expect(weft_worker_count(), workers);
    body(workers);
    expect(weft_stop(INT64_MAX), 0);
}

void under_1_2_and_8(void (*body)(int workers)) {
    under(1, body);
    under(2, body);
    under(8, body);
}

void go_on(int worker, weft_scope *scope, int (*fn)(void *), void *context) {
    expect(weft_go_with(scope, fn, context, &(weft_task_options){.worker = worker}), 0);
}

weft_worker_stats stats_of(int worker) {
    weft_worker_stats stats;
    expect(weft_worker_stats_get(worker, &stats), 0);
    return stats;
}

int rounds(int count) {
    count /= (int)test_slowness();
    return count > 0 ? count : 1;
}

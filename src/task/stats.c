// SPDX-License-Identifier: MIT
//
// What the workers have counted, for anybody who asks. Counting costs a worker no atomic
// read-modify-write: each counter has one writer.
#include "task/runtime.h"

#include "driver/driver.h"
#include "task/park.h"

#include <errno.h>
#include <string.h>
#include <weft/task.h>

int weft_worker_count(void) {
    weft__foreign_enter();
    struct weft__runtime *runtime = weft__runtime_now();
    int count = runtime ? (int)runtime->worker_count : 0;
    weft__foreign_leave();
    return count;
}

static void read_all(struct weft__worker *worker, weft_worker_stats *ret_stats) {
    const struct weft__worker_stats *s = &worker->stats;
    *ret_stats = (weft_worker_stats){
        .tasks = weft__load(&s->started, relaxed),
        .switches = weft__load(&s->switches, relaxed),
        .turns = weft__load(&s->turns, relaxed),
        .yields = weft__load(&s->yields, relaxed),
        .budget_yields = weft__load(&s->budget_yields, relaxed),
        .parks = weft__load(&s->parks, relaxed),
        .wakes = weft__load(&s->inbox, relaxed),
        .searches = weft__load(&s->searches, relaxed),
        .steals = weft__load(&s->steals, relaxed),
        .operations = weft__load(&worker->driver->stats.tries, relaxed),
        .waits = weft__load(&worker->driver->stats.submits, relaxed),
    };
}

int weft_priv_worker_stats(int worker, weft_worker_stats *ret_stats, size_t size) {
    weft_worker_stats stats = {0};
    weft__foreign_enter();
    struct weft__runtime *runtime = weft__runtime_now();
    bool is_there = runtime && worker > 0 && (uint32_t)worker <= runtime->worker_count;
    if (is_there)
        read_all(runtime->workers[worker - 1], &stats);
    weft__foreign_leave();
    if (!is_there) {
        struct weft__waiter *self = weft__self();
        const char *detail = runtime ? "there is no such worker" : "no runtime runs";
        return self ? (int)weft__failed_text(self, "worker_stats_get", "", detail, -ENOENT)
                    : -ENOENT;
    }
    memcpy(ret_stats, &stats, size < sizeof stats ? size : sizeof stats);
    return 0;
}

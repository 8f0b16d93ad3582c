// SPDX-License-Identifier: MIT
//
// 1. A call costs the caller a system call and the called one some 36 us until it runs. So a worker
//    calls only when nobody is looking already, and not more often than every `pause_ns`, which
//    doubles with each search that a call led to in vain and begins anew with one that found
//    something. It looks at the count of sleepers without a fence: the scheduler looks again at the
//    end of each turn, and who falls asleep looks at the others' queues behind its own fence.
// 2. A thief takes what it finds twice at the same old end, a few microseconds apart. A task that
//    its worker starts within that time is started sooner there than here, and the cache lines of
//    the queue stay with the worker.
// 3. It takes up to half of what is there, so that a thousand small tasks are not a thousand
// thefts.
#include "task/balance.h"

#include "driver/driver.h"
#include "os/os.h"
#include "task/runtime.h"
#include "task/unstarted.h"

enum {
    LOOKS = 6,          // of one search
    STEAL_MAX = 32,     // tasks at once
    CANDIDATES_MAX = 8, // workers compared for a placement
};
static const int64_t FIRST_LOOK_NS = 3000; // between the first two; doubles
static const int64_t PAUSE_MIN_NS = 20000;
static const int64_t PAUSE_MAX_NS = 10000000;

// ---- Placing --------------------------------------------------------------------------------

static uint64_t living(struct weft__worker *worker) {
    uint64_t gone = weft__load(&worker->stats.ended, relaxed) + weft__load(&worker->lost, relaxed);
    return weft__load(&worker->stats.kept, relaxed) + weft__load(&worker->placed, relaxed) - gone;
}

struct weft__worker *weft__balance_place(struct weft__runtime *runtime) {
    uint32_t count = runtime->worker_count;
    uint32_t looks = count < CANDIDATES_MAX ? count : CANDIDATES_MAX;
    uint32_t at = count > 1 ? weft__fetch_add(&runtime->balance.next, 1, relaxed) : 0;
    struct weft__worker *best = NULL;
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < looks; i++) {
        struct weft__worker *worker = runtime->workers[(at + i) % count];
        int64_t alive = (int64_t)living(worker); // a moment's difference of counters: may be < 0
        if (weft__load(&worker->is_away, relaxed) && worker != weft__this_worker())
            continue;
        if (alive < least) {
            least = alive;
            best = worker;
        }
    }
    return best ? best : runtime->workers[at % count];
}

// ---- Calling --------------------------------------------------------------------------------

static void call_one(struct weft__runtime *runtime, uint32_t after) {
    for (uint32_t i = 1; i < runtime->worker_count; i++) {
        struct weft__worker *worker = runtime->workers[(after + i) % runtime->worker_count];
        uint32_t asleep = WEFT__ASLEEP;
        if (weft__load(&worker->sleeping, relaxed) != WEFT__ASLEEP)
            continue;
        weft__fetch_add(&runtime->balance.searching, 1, relaxed);
        if (weft__cas(&worker->sleeping, &asleep, WEFT__CALLED, acq_rel)) {
            worker->driver->class->wake(worker->driver);
            return;
        }
        weft__fetch_sub(&runtime->balance.searching, 1, relaxed);
    }
}

void weft__balance_call(struct weft__worker *worker) {
    struct weft__balance *balance = &worker->runtime->balance;
    if (weft__load(&balance->asleep, relaxed) == 0 || weft__load(&balance->searching, relaxed) > 0)
        return;
    if (worker->now < worker->call_at || weft__unstarted_free_count(worker->unstarted) == 0)
        return;
    worker->call_at = worker->now + weft__load(&balance->pause_ns, relaxed);
    call_one(worker->runtime, worker->index);
}

// ---- Stealing -------------------------------------------------------------------------------

static bool steal_from(struct weft__worker *self, struct weft__worker *victim) {
    size_t most = (weft__unstarted_free_count(victim->unstarted) + 1) / 2;
    size_t count = 0;
    while (count < most && count < STEAL_MAX) {
        struct weft__task *task = weft__unstarted_steal(victim->unstarted);
        if (!task)
            break;
        weft__unstarted_push(self->unstarted, task);
        count++;
    }
    if (count == 0)
        return false;
    weft__fetch_add(&victim->lost, count, relaxed);
    weft__own_add(&self->stats.kept, count);
    weft__own_add(&self->stats.steals, count);
    return true;
}

static void pause_between_looks(struct weft__worker *self, int look) {
    int64_t until = weft__clock_monotonic_ns() + (FIRST_LOOK_NS << look);
    do
        weft__os_yield(); // with fewer processors than workers the victim may need this one
    while (weft__clock_monotonic_ns() < until && !weft__load(&self->inbox, relaxed));
}

enum found { NOTHING, SOMETHING, STOLEN };

// One look at all others; `is_first`: there is nothing yet to compare with.
static enum found look(struct weft__worker *self, bool is_first) {
    struct weft__runtime *runtime = self->runtime;
    enum found found = NOTHING;
    for (uint32_t i = 1; i < runtime->worker_count; i++) {
        uint32_t index = (self->index + i) % runtime->worker_count;
        struct weft__worker *victim = runtime->workers[index];
        if (weft__unstarted_free_count(victim->unstarted) == 0)
            continue;
        uint64_t stamp = weft__unstarted_stamp(victim->unstarted);
        if (!is_first && self->seen[index] == stamp && steal_from(self, victim))
            return STOLEN;
        self->seen[index] = stamp;
        found = SOMETHING;
    }
    return found;
}

static bool is_wanted(struct weft__worker *self) {
    return weft__load(&self->inbox, relaxed) || weft__load(&self->stopping, relaxed) ||
           weft__unstarted_count(self->unstarted) > 0;
}

static bool search(struct weft__worker *self) {
    enum found found = look(self, true);
    for (int i = 0; found == SOMETHING && i < LOOKS && !is_wanted(self); i++) {
        pause_between_looks(self, i);
        found = look(self, false);
    }
    return found == STOLEN;
}

bool weft__balance_search(struct weft__worker *worker) {
    struct weft__runtime *runtime = worker->runtime;
    if (runtime->worker_count < 2 || worker->is_starved)
        return false;
    weft__own_add(&worker->stats.searches, 1);
    weft__fetch_add(&runtime->balance.searching, 1, relaxed);
    bool has_found = search(worker);
    weft__fetch_sub(&runtime->balance.searching, 1, relaxed);
    if (has_found) {
        weft__store(&runtime->balance.pause_ns, 0, relaxed);
        weft__balance_call(worker); // there may be enough for one more
    }
    return has_found;
}

// ---- Sleeping -------------------------------------------------------------------------------

void weft__balance_fall_asleep(struct weft__runtime *runtime) {
    weft__fetch_add(&runtime->balance.asleep, 1, relaxed);
}

int64_t weft__balance_sleep_until(struct weft__worker *worker, int64_t until_ns) {
    struct weft__runtime *runtime = worker->runtime;
    if (weft__runtime_look_if_over(runtime))
        return 0;
    if (until_ns == 0 || worker->is_starved)
        return until_ns;
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        if (i == worker->index || weft__unstarted_free_count(runtime->workers[i]->unstarted) == 0)
            continue;
        int64_t pause = weft__load(&runtime->balance.pause_ns, relaxed);
        int64_t at = weft__clock_monotonic_ns() + (pause > PAUSE_MIN_NS ? pause : PAUSE_MIN_NS);
        return at < until_ns ? at : until_ns;
    }
    return until_ns;
}

// Who was called is counted as searching; it has that done at once.
void weft__balance_rise(struct weft__worker *worker, bool is_called) {
    struct weft__balance *balance = &worker->runtime->balance;
    weft__fetch_sub(&balance->asleep, 1, relaxed);
    if (!is_called)
        return;
    int64_t pause = weft__load(&balance->pause_ns, relaxed);
    bool has_found = weft__balance_search(worker);
    weft__fetch_sub(&balance->searching, 1, relaxed);
    if (has_found)
        return;
    pause = pause < PAUSE_MIN_NS ? PAUSE_MIN_NS : pause * 2;
    weft__store(&balance->pause_ns, pause < PAUSE_MAX_NS ? pause : PAUSE_MAX_NS, relaxed);
}

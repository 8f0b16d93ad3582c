// SPDX-License-Identifier: MIT
//
// 1. A call costs the caller a system call and the called one some 36 us until it runs. So a worker
//    calls only when nobody is looking already or soon will.
// 2. Who was called in vain, or leaves tasks behind that their worker is about to start, sleeps as
//    a watcher: for `pause_ns` only, and then looks again. The pause doubles with each search in
//    vain and begins anew with one that found something.
// 3. So nobody calls while somebody searches or watches, and that one owes a look for it. A search
//    that its worker's own work cuts short is passed on to a sleeper. It takes that: the worker
//    with the tasks may not come back to its scheduler for long, task zero's least of all.
// 4. A task is pushed, then the counts are looked at without a fence: the scheduler looks again at
//    the end of each turn. Task zero's turn has no end while it is outside weft, so it has the
//    fence. Who falls asleep or stops watching looks at the others' queues behind its own. What is
//    missed all the same, by a task that then keeps its worker, the monitor finds (monitor.c).
// 5. A thief takes what it finds twice at the same old end, a few microseconds apart. A task that
//    its worker starts within that time is started sooner there than here, and the cache lines of
//    the queue stay with the worker.
// 6. It takes up to half of what is there, so that a thousand small tasks are not a thousand
//    thefts.
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

static uint32_t choose_other(struct weft__worker *self) {
    uint32_t others = self->runtime->worker_count - 1;
    return others > 1 ? weft__driver_choose(self->driver, WEFT__PICK_WORKER, others) : 0;
}

// The i-th of the other workers, from 1, of a round that begins `first` behind the next one.
static struct weft__worker *other(struct weft__worker *self, uint32_t first, uint32_t i) {
    uint32_t count = self->runtime->worker_count;
    return self->runtime->workers[(self->index + 1 + (first + i - 1) % (count - 1)) % count];
}

// ---- Placing --------------------------------------------------------------------------------

static uint64_t living(struct weft__worker *worker) {
    uint64_t gone = weft__load(&worker->stats.ended, relaxed) + weft__load(&worker->lost, relaxed);
    return weft__load(&worker->stats.kept, relaxed) + weft__load(&worker->placed, relaxed) - gone;
}

void weft__balance_leave(struct weft__worker *worker, bool is_away) {
    weft__store(&worker->is_away, is_away, relaxed);
    if (!is_away)
        weft__monitor_notice(worker->runtime);
}

uint64_t weft__balance_bound(struct weft__worker *worker) {
    uint64_t ended = weft__load(&worker->stats.ended, relaxed);
    return worker->runtime->worker_count > 1 ? weft__load(&worker->stats.started, relaxed) - ended
                                             : living(worker);
}

struct weft__worker *weft__balance_place(struct weft__runtime *runtime) {
    uint32_t count = runtime->worker_count;
    ASSERT(count > 0);
    uint32_t looks = count < CANDIDATES_MAX ? count : CANDIDATES_MAX;
    uint32_t at = count > 1 ? weft__fetch_add(&runtime->balance.next, 1, relaxed) : 0;
    struct weft__worker *best = runtime->workers[at % count];
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
    return best;
}

// ---- Calling --------------------------------------------------------------------------------

static void call_one(struct weft__worker *self) {
    struct weft__runtime *runtime = self->runtime;
    uint32_t first = choose_other(self);
    for (uint32_t i = 1; i < runtime->worker_count; i++) {
        struct weft__worker *worker = other(self, first, i);
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

// Unless somebody searches or watches: rule 3.
static void call(struct weft__worker *self) {
    struct weft__balance *balance = &self->runtime->balance;
    if (weft__load(&balance->asleep, relaxed) > 0 &&
        weft__load(&balance->searching, relaxed) == 0 &&
        weft__load(&balance->watching, relaxed) == 0)
        call_one(self);
}

void weft__balance_call(struct weft__worker *worker) {
    if (weft__unstarted_free_count(worker->unstarted) == 0)
        return;
    if (weft__load(&worker->is_away, relaxed)) {
        weft__fence(seq_cst); // rule 4
        weft__monitor_notice(worker->runtime);
    }
    call(worker);
}

bool weft__balance_look(struct weft__worker *worker, struct weft__overdue *overdue) {
    bool has_some = weft__unstarted_free_count(worker->unstarted) > 0;
    uint64_t stamp = weft__unstarted_stamp(worker->unstarted);
    bool is_overdue = has_some && overdue->has_some && stamp == overdue->stamp;
    *overdue = (struct weft__overdue){stamp, has_some};
    if (is_overdue)
        call(worker);
    return has_some;
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

// False: no further look. Time stands while a simulated worker looks, and the victim does not run:
// the driver says who of the two would have been quicker.
static bool pause_between_looks(struct weft__worker *self, int look) {
    if (self->driver->class->beside)
        return weft__driver_choose(self->driver, WEFT__PICK_STEAL, 2) == 0;
    int64_t until = weft__clock_monotonic_ns() + (FIRST_LOOK_NS << look);
    do
        weft__os_yield(); // with fewer processors than workers the victim may need this one
    while (weft__clock_monotonic_ns() < until && !weft__load(&self->inbox, relaxed));
    return true;
}

enum found { NOTHING, SOMETHING, STOLEN };

// One look at all others; `is_first`: there is nothing yet to compare with.
static enum found look(struct weft__worker *self, bool is_first) {
    enum found found = NOTHING;
    uint32_t first = choose_other(self);
    for (uint32_t i = 1; i < self->runtime->worker_count; i++) {
        struct weft__worker *victim = other(self, first, i);
        if (weft__unstarted_free_count(victim->unstarted) == 0)
            continue;
        uint64_t stamp = weft__unstarted_stamp(victim->unstarted);
        if (!is_first && self->seen[victim->index] == stamp && steal_from(self, victim))
            return STOLEN;
        self->seen[victim->index] = stamp;
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
        if (!pause_between_looks(self, i))
            break;
        found = look(self, false);
    }
    return found == STOLEN;
}

// Whether another worker has what this one could take.
static bool have_others(struct weft__worker *self) {
    struct weft__runtime *runtime = self->runtime;
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        if (i != self->index && weft__unstarted_free_count(runtime->workers[i]->unstarted) > 0)
            return true;
    return false;
}

// The end of a search: rule 3. There is also enough for two when the loot is more than one task.
static void pass_on(struct weft__worker *worker) {
    if (weft__unstarted_free_count(worker->unstarted) > 1 || have_others(worker))
        call(worker);
}

// The worker is counted as searching.
static bool search_counted(struct weft__worker *worker) {
    struct weft__balance *balance = &worker->runtime->balance;
    weft__own_add(&worker->stats.searches, 1);
    bool has_found = search(worker);
    weft__fetch_sub(&balance->searching, 1, acq_rel);
    if (has_found)
        weft__store(&balance->pause_ns, 0, relaxed);
    if (is_wanted(worker))
        pass_on(worker);
    return has_found;
}

bool weft__balance_search(struct weft__worker *worker) {
    if (worker->runtime->worker_count < 2 || worker->is_starved)
        return false;
    weft__fetch_add(&worker->runtime->balance.searching, 1, relaxed);
    return search_counted(worker);
}

// ---- Sleeping -------------------------------------------------------------------------------

void weft__balance_fall_asleep(struct weft__runtime *runtime) {
    weft__fetch_add(&runtime->balance.asleep, 1, relaxed);
}

static int64_t watch_until(struct weft__worker *worker, int64_t until_ns) {
    struct weft__balance *balance = &worker->runtime->balance;
    int64_t pause = weft__load(&balance->pause_ns, relaxed);
    int64_t now = worker->driver->class->now(worker->driver, WEFT__MONOTONIC);
    int64_t at = now + (pause > PAUSE_MIN_NS ? pause : PAUSE_MIN_NS);
    worker->is_watching = true;
    weft__fetch_add(&balance->watching, 1, relaxed);
    return at < until_ns ? at : until_ns;
}

int64_t weft__balance_sleep_until(struct weft__worker *worker, int64_t until_ns) {
    bool was_vain = worker->is_vain;
    worker->is_vain = false;
    if (weft__runtime_look_if_over(worker->runtime))
        return 0;
    if (worker->is_starved || (!was_vain && !have_others(worker)))
        return until_ns;
    if (until_ns > 0)
        return watch_until(worker, until_ns);
    pass_on(worker);
    return 0;
}

// Who was called is counted as searching from then on.
void weft__balance_rise(struct weft__worker *worker, bool is_called) {
    struct weft__balance *balance = &worker->runtime->balance;
    bool was_watching = worker->is_watching;
    weft__fetch_sub(&balance->asleep, 1, relaxed);
    weft__monitor_notice(worker->runtime);
    if (!is_called && !was_watching)
        return;
    if (!is_called)
        weft__fetch_add(&balance->searching, 1, relaxed);
    worker->is_watching = false;
    if (was_watching)
        weft__fetch_sub(&balance->watching, 1, relaxed);
    weft__fence(seq_cst);     // rule 4
    if (worker->is_starved) { // it could not start what it takes; it looks when that is over
        weft__fetch_sub(&balance->searching, 1, relaxed);
        return;
    }
    int64_t pause = weft__load(&balance->pause_ns, relaxed);
    if (search_counted(worker) || is_wanted(worker))
        return;
    worker->is_vain = is_called;
    pause = pause < PAUSE_MIN_NS ? PAUSE_MIN_NS : pause * 2;
    weft__store(&balance->pause_ns, pause < PAUSE_MAX_NS ? pause : PAUSE_MAX_NS, relaxed);
}

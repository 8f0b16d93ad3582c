// SPDX-License-Identifier: MIT
// Tasks, scopes, deadlines and shields on one machine, without a network: who is told what, and to
// the nanosecond when.
#include "prove.h"

#include <errno.h>

enum { GAMES = 4, TASKS = 6 };

static int64_t some_ms(unsigned n) {
    return below(n) * WEFT_MILLISECOND;
}

// ---- The first error ------------------------------------------------------------------------

struct results {
    int first; // negative
    int ended;
};

static int end_with_some_result(void *arg) {
    struct results *results = arg;
    weft_sim_check(weft_check() == 0); // whatever befell who had this task's record before
    weft_sim_check(weft_sleep(some_ms(4)) == 0);
    int result = below(3) == 0 ? 0 : -(int)(1000 + below(1000));
    if (results->first == 0)
        results->first = result;
    results->ended++;
    return result;
}

static int first_error(void) {
    struct results results = {0};
    weft_scope scope = {0};
    int began = 0;
    for (int i = 0; i < TASKS; i++)
        began += weft_go(&scope, end_with_some_result, (void *)&results) == 0;
    weft_sim_check(weft_join(&scope) == results.first);
    weft_sim_check(results.ended == began);
    return 0;
}

// ---- Deadlines ------------------------------------------------------------------------------

static int sleep_too_long(void *until) {
    weft_within(WEFT_HOUR);
    weft_sim_check(weft_sleep(WEFT_HOUR) == -ETIMEDOUT && weft_timed_out());
    weft_sim_check(weft_now() == *(int64_t *)until);
    return 0;
}

// A task has the deadline in force where it was started, also when that block is left.
static int deadlines(void) {
    weft_scope scope = {0};
    int64_t limit = some_ms(5), until = weft_now() + limit;
    int began = 0;
    {
        weft_within(limit);
        for (int i = 0; i < TASKS; i++)
            began += weft_go(&scope, sleep_too_long, (void *)&until) == 0;
        if (below(2) == 0)
            sleep_too_long(limit > 0 ? &until : &(int64_t){weft_now()});
    }
    weft_sim_check(weft_sleep(some_ms(5)) == 0);
    weft_sim_check(weft_join(&scope) == 0);
    weft_sim_check(began == 0 || weft_now() >= until);
    return 0;
}

// ---- Sleeps ---------------------------------------------------------------------------------

static int sleep_often(void *unused) {
    (void)unused;
    for (int i = 0; i < 8; i++) {
        int64_t ns = some_ms(8), limit = some_ms(8), began = weft_now();
        int is_late = limit < ns || limit == 0;
        weft_within(limit);
        weft_sim_check(weft_sleep(ns) == (is_late ? -ETIMEDOUT : 0));
        weft_sim_check(weft_now() - began == (is_late ? limit : ns));
    }
    return 0;
}

static int sleepers(void) {
    weft_scope scope = {0};
    for (int i = 0; i < 3 * TASKS; i++)
        if (weft_go(&scope, sleep_often, NULL) < 0)
            break;
    return weft_join(&scope);
}

// ---- Cancellations that go down -------------------------------------------------------------

struct family {
    int64_t cancelled_at;
    int began, ended;
};

static int wait_as_child(void *arg) {
    struct family *family = arg;
    weft_sim_check(weft_sleep(WEFT_HOUR) == -ECANCELED);
    weft_sim_check(weft_now() == family->cancelled_at);
    family->ended++;
    return 0;
}

static void begin_child(struct family *family, weft_scope *scope) {
    family->began += weft_go(scope, wait_as_child, (void *)family) == 0;
}

// Is held back by a shield, so that it does not cancel what it has begun: that has been done.
static int wait_as_parent(void *arg) {
    static const int64_t hold = 2 * WEFT_MILLISECOND;
    struct family *family = arg;
    weft_scope children = {0}, late = {0};
    for (int i = 0; i < 2; i++)
        begin_child(family, &children);
    {
        weft_shield(hold);
        weft_sim_check(weft_sleep(WEFT_HOUR) == -ECANCELED);
        weft_sim_check(weft_now() == family->cancelled_at + hold);
    }
    weft_sim_check(family->ended == family->began);
    family->cancelled_at = weft_now(); // of those that begin now
    {
        weft_shield(hold);
        begin_child(family, &late);
        weft_sim_check(weft_sleep(hold / 2) == 0);
        weft_sim_check(family->ended == family->began);
        weft_sim_check(weft_join(&late) == 0);
    }
    weft_sim_check(weft_check() == -ECANCELED);
    return weft_join(&children);
}

static int cancelled_families(void) {
    struct family family = {0};
    weft_scope scope = {0};
    int error = weft_go(&scope, wait_as_parent, (void *)&family);
    weft_sleep(some_ms(3));
    family.cancelled_at = weft_now();
    weft_cancel(&scope);
    weft_sim_check(weft_join(&scope) == (error < 0 ? 0 : -ECANCELED));
    return 0;
}

// ---- The world ------------------------------------------------------------------------------

static int (*const games[GAMES])(void) = {first_error, deadlines, sleepers, cancelled_families};

static int play(void *unused) {
    (void)unused;
    for (int i = 0; i < 4; i++)
        weft_sim_check(games[below(GAMES)]() == 0);
    return 0;
}

static int play_all(void *unused) {
    (void)unused;
    weft_autojoin weft_scope players = {0};
    for (int i = 0; i < 3; i++)
        if (weft_go(&players, play, NULL) < 0)
            break;
    return weft_join(&players);
}

int scopes_world(weft_sim *sim, void *unused) {
    (void)unused;
    return run_alone(sim, play_all);
}

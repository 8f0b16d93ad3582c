// SPDX-License-Identifier: MIT
// Hosts that stand still, crash and start again at odd moments; wall clocks that jump; what is
// refused.
#include "task_tools.h"

#include "sim_twice.h"

#include <stdio.h>
#include <weft/debug.h>
#include <weft/sim.h>

static int starts;

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

static int sleeper(void *unused) {
    (void)unused;
    return weft_sleep(WEFT_HOUR);
}

// ---- Clocks ----

static int64_t walls[2];

static int look(void *wall) {
    *(int64_t *)wall = weft_wall_now();
    return 0;
}

static void look_at_all(weft_sim *sim) {
    expect(weft_sim_restart(sim, "a"), 0);
    expect(weft_sim_restart(sim, "b"), 0);
    expect(weft_sim_wait(sim, "a"), 0);
    expect(weft_sim_wait(sim, "b"), 0);
}

static int clock_world(weft_sim *sim, void *hash) {
    const int64_t year = 365 * 24 * WEFT_HOUR;
    int64_t start_ns = weft_now(), wall_ns = weft_wall_now();
    expect(wall_ns > 50 * year, 1);
    expect(weft_sim_host(sim, "a", "10.0.0.1", look, &walls[0]), 0);
    expect(weft_sim_host(sim, "b", "10.0.0.2", look, &walls[1]), 0);
    look_at_all(sim);
    expect(walls[0] - wall_ns <= weft_now() - start_ns, 1);
    expect(weft_sim_jump_clock(sim, "a", -WEFT_HOUR), 0);
    look_at_all(sim);
    expect(walls[1] - walls[0] > WEFT_HOUR - WEFT_SECOND, 1);
    expect(weft_sim_jump_clock(sim, NULL, 2 * WEFT_HOUR), 0);
    look_at_all(sim);
    expect(walls[0] - wall_ns > WEFT_HOUR - WEFT_SECOND, 1);
    expect(walls[1] - wall_ns > 2 * WEFT_HOUR - WEFT_SECOND, 1);
    expect(weft_now() - start_ns < WEFT_SECOND, 1);
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void wall_clocks_jump(void **unused) {
    (void)unused;
    run_twice(clock_world);
}

// ---- At odd moments ----

// The power fails when the programs are told to end.
static int crash_at_the_end(void *sim) {
    expect(weft_sleep(WEFT_HOUR), -ECANCELED);
    weft_sim_crash(sim, "self");
    return 1;
}

static int restart_at_the_end(void *sim) {
    expect(weft_sleep(WEFT_HOUR), -ECANCELED);
    weft_shield(WEFT_MINUTE);
    expect(weft_sleep(WEFT_SECOND), 0);
    expect(weft_sim_restart(sim, "over"), -ECANCELED);
    expect(weft_sim_crash(sim, "shielded"), 0);
    return 0;
}

static int shielded_at_the_end(void *unused) {
    (void)unused;
    weft_shield(WEFT_HOUR);
    return weft_sleep(WEFT_HOUR);
}

static int end_world(weft_sim *sim, void *hash) {
    expect(weft_sim_host(sim, "self", "10.0.0.1", crash_at_the_end, sim), 0);
    expect(weft_sim_host(sim, "over", "10.0.0.2", nothing, NULL), 0);
    expect(weft_sim_host(sim, "shielded", "10.0.0.3", shielded_at_the_end, NULL), 0);
    expect(weft_sim_host(sim, "other", "10.0.0.4", restart_at_the_end, sim), 0);
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void the_end_of_a_run_is_survived(void **unused) {
    (void)unused;
    run_twice(end_world);
}

static int count_start(void *unused) {
    (void)unused;
    starts++;
    return weft_sleep(WEFT_SECOND);
}

static int cancelled_world(weft_sim *sim, void *unused) {
    (void)unused;
    expect(weft_sim_host(sim, "a", "10.0.0.1", count_start, NULL), 0);
    expect(weft_sim_wait(sim, "a"), -ECANCELED);
    expect(weft_sim_restart(sim, "a"), 0);
    expect(weft_sim_wait(sim, "a"), 0);
    return 0;
}

static void a_program_is_not_cancelled_from_birth(void **unused) {
    (void)unused;
    expect(weft_sim_run((&(weft_sim){.fail = "cancel", .fail_nth = 1}), cancelled_world, NULL), 0);
}

static int pause_ended_world(weft_sim *sim, void *hash) {
    starts = 0;
    expect(weft_sim_host(sim, "a", "10.0.0.1", count_start, NULL), 0);
    expect(weft_sim_wait(sim, "a"), 0);
    expect(weft_sim_pause(sim, "a"), 0);
    expect(weft_sim_restart(sim, "a"), 0); // which ends the pause
    expect(weft_sleep(WEFT_MILLISECOND), 0);
    expect(starts, 2);
    expect(weft_sim_pause(sim, "a"), 0);
    {
        weft_within(WEFT_MINUTE);
        expect(weft_sim_wait(sim, "a"), -ETIMEDOUT);
    }
    expect(weft_sim_resume(sim, "a"), 0);
    expect(weft_sim_wait(sim, "a"), 0);
    *(uint64_t *)hash = weft_sim_hash(sim);
    return 0;
}

static void a_start_ends_a_pause(void **unused) {
    (void)unused;
    run_twice(pause_ended_world);
}

static int shown_world(weft_sim *sim, void *unused) {
    int ends[2];
    char text[4096] = "";
    (void)unused;
    expect(pipe(ends), 0);
    expect(weft_sim_host(sim, "sleeper", "10.0.0.1", sleeper, NULL), 0);
    expect(weft_sleep(WEFT_SECOND), 0);
    expect(weft_sim_host(sim, "unstarted", "10.0.0.2", sleeper, NULL), 0);
    expect(weft_sim_pause(sim, "sleeper"), 0);
    expect(weft_sim_pause(sim, "unstarted"), 0);
    expect(weft_dump(ends[1]), 0);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    close(ends[1]);
    for (const char *rest = text, *name = "sleeper"; name;
         name = strcmp(name, "sleeper") == 0 ? "unstarted" : NULL) {
        char line[80];
        (void)snprintf(line, sizeof line, "\"%s\" (run_host) stands still with its host", name);
        if (!strstr(rest, line))
            fail_msg("no %s in: %s", line, text);
    }
    return 0;
}

static void a_dump_shows_who_stands_still(void **unused) {
    (void)unused;
    expect(weft_sim_run((&(weft_sim){.seed = 3}), shown_world, NULL), 0);
}

// A host that could not be made can be made again.
static int made_again_world(weft_sim *sim, void *unused) {
    int error = weft_sim_host(sim, "a", "10.0.0.1", count_start, NULL);
    (void)unused;
    if (error == 0)
        return 0;
    expect(error, -ENOMEM);
    expect(weft_sim_host(sim, "a", "10.0.0.1", count_start, NULL), 0);
    expect(weft_sim_wait(sim, "a"), 0);
    return 0;
}

static void a_host_that_fails_leaves_nothing(void **unused) {
    (void)unused;
    weft_sim sim = {.fail = "alloc", .fail_nth = 0, .fail_error = -ENOMEM};
    do {
        sim.fail_nth++;
        (void)weft_sim_run(&sim, made_again_world, NULL);
    } while (weft_sim_fail_was_met());
    assert_true(sim.fail_nth > 3);
}

// ---- What is refused ----

static int refusals_world(weft_sim *sim, void *unused) {
    weft_sim other = {0};
    (void)unused;
    expect(weft_sim_pause(sim, "a"), -ENOENT);
    expect(weft_sim_resume(sim, "a"), -ENOENT);
    expect(weft_sim_crash(sim, "a"), -ENOENT);
    expect(weft_sim_crash(sim, NULL), -ENOENT);
    expect(weft_sim_restart(sim, "a"), -ENOENT);
    expect(weft_sim_is_down(sim, "a"), -ENOENT);
    expect(weft_sim_jump_clock(sim, "a", 1), -ENOENT);
    expect(weft_sim_host(sim, "a", "10.0.0.1", nothing, NULL), 0);
    expect(weft_sim_crash(&other, "a"), -ENOENT);
    expect(weft_sim_is_down(sim, "a"), 0);
    expect(weft_sim_jump_clock(sim, NULL, INT64_MIN), -EINVAL);
    expect(weft_sim_jump_clock(sim, NULL, INT64_MAX / 4), 0);
    expect(weft_sim_jump_clock(sim, "a", 1), -EINVAL);
    expect(weft_sim_jump_clock(sim, "a", -(INT64_MAX / 4)), 0);
    assert_null(weft_sim_alloc(SIZE_MAX));
    return 0;
}

static void what_is_refused(void **unused) {
    (void)unused;
    expect(weft_sim_run((&(weft_sim){.seed = 3}), refusals_world, NULL), 0);
    assert_null(weft_sim_alloc(1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(wall_clocks_jump),
        CASE(the_end_of_a_run_is_survived),
        CASE(a_program_is_not_cancelled_from_birth),
        CASE(a_start_ends_a_pause),
        CASE(a_dump_shows_who_stands_still),
        CASE(a_host_that_fails_leaves_nothing),
        CASE(what_is_refused),
    };
    return RUN(tests);
}

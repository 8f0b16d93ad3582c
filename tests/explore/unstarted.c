// SPDX-License-Identifier: MIT
//
// The tasks of one worker that have not started (task/unstarted.c): pushed and taken by the worker,
// placed by anybody, stolen by other workers; none is lost and none goes to two.
#include "explore.h"

#include "os/os.h"
#include "task/unstarted.h"
#include "task/worker.h"

enum { TASKS = 4 };

static struct weft__unstarted *unstarted;
static struct weft__task *tasks[TASKS];
static int given, taken[TASKS]; // two who have one race

static void make(void) {
    unstarted = weft__unstarted_new();
    EXPECT(unstarted);
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = weft__alloc(sizeof *tasks[i]);
        EXPECT(tasks[i]);
    }
}

static bool note(struct weft__task *task) {
    if (!task)
        return false;
    for (int i = 0; i < TASKS; i++)
        if (tasks[i] == task)
            taken[i]++;
    return true;
}

static bool take(void) {
    return note(weft__unstarted_take(unstarted));
}

static void steal(void) {
    (void)note(weft__unstarted_steal(unstarted));
}

static void steal_two(void) {
    steal();
    steal();
}

static void push(void) {
    weft__unstarted_push(unstarted, tasks[given++]);
}

static void push_two_and_pin(void) {
    make();
    push();
    push();
    tasks[given]->is_pinned = true;
    weft__unstarted_pin(unstarted, tasks[given++]);
}

static void take_three(void) {
    (void)take();
    (void)take();
    (void)take();
}

static void place(void) {
    weft__unstarted_place(unstarted, tasks[TASKS - 1]);
}

static void place_another(void) {
    weft__unstarted_place(unstarted, tasks[TASKS - 2]);
}

static void push_take_and_put_back(void) {
    push();
    struct weft__task *task = weft__unstarted_take(unstarted);
    if (task)
        weft__unstarted_put_back(unstarted, task);
    (void)take();
}

// The count says that there is one, as long as there is: a worker sleeps by it.
static void each_was_taken_once(void) {
    while (weft__unstarted_count(unstarted) > 0)
        EXPECT(take());
    EXPECT(!take() && !weft__unstarted_steal(unstarted));
    for (int i = 0; i < given; i++)
        EXPECT(taken[i] == 1);
    weft__unstarted_free(unstarted);
}

static void all_were_taken_once(void) {
    each_was_taken_once();
    EXPECT(taken[TASKS - 1] == 1);
}

#define CASE(text, most, before, end, ...) EXPLORE_CASE(text, most, before, NULL, end, __VA_ARGS__)

static const struct explore_case cases[] = {
    CASE("worker_against_thief", 5, push_two_and_pin, each_was_taken_once, {"worker", take_three},
         {"thief", steal_two}),
    CASE("place_against_worker_and_thief", 3, push_two_and_pin, all_were_taken_once,
         {"worker", take_three}, {"thief", steal_two}, {"outside", place}),
    CASE("two_places_against_thief", 4, make, all_were_taken_once, {"outside", place},
         {"outside2", place_another}, {"thief", steal_two}),
    CASE("put_back", 5, make, all_were_taken_once, {"worker", push_take_and_put_back},
         {"thief", steal}, {"outside", place}),
};
EXPLORE_CASES(cases)

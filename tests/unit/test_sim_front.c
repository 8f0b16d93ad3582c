// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_front.c: two drivers that share a simulated machine. Their users are two
// threads that pass one baton, which is what contexts on one thread are to a driver.
#include <pthread.h>
#include <semaphore.h>

#include "sim_tools.h"

struct user {
    struct weft__driver *driver;
    void (*act)(void); // its life; the first one lives in the test case
    sem_t baton;
    pthread_t thread;
};

static struct user first, second, *here;
static bool is_over;

// `d` is the driver of who runs.
static void take_baton(struct user *user) {
    while (sem_wait(&user->baton) < 0)
        ;
    here = user;
    d = user->driver;
}

static void relay(struct weft__driver *from, struct weft__driver *to) {
    assert_ptr_equal(here, from->owner);
    assert_int_equal(sem_post(&((struct user *)to->owner)->baton), 0);
    take_baton(from->owner);
    if (is_over)
        pthread_exit(NULL);
}

static void *live(void *arg) {
    struct user *user = arg;
    take_baton(user);
    if (!is_over)
        user->act();
    while (!is_over)
        d->class->wait(d, INT64_MAX);
    return NULL;
}

// From now on both take turns.
static void let_act(void (*act)(void)) {
    first = (struct user){.driver = d};
    second = (struct user){.act = act};
    here = &first;
    is_over = false;
    assert_int_equal(d->class->beside(d, relay, &second.driver), 0);
    first.driver->owner = &first;
    second.driver->owner = &second;
    assert_int_equal(sem_init(&first.baton, 0, 0), 0);
    assert_int_equal(sem_init(&second.baton, 0, 0), 0);
    assert_int_equal(pthread_create(&second.thread, NULL, live, &second), 0);
}

// The second one waits for ever, or has not begun.
static void end_both(void) {
    assert_ptr_equal(here, &first);
    is_over = true;
    assert_int_equal(sem_post(&second.baton), 0);
    assert_int_equal(pthread_join(second.thread, NULL), 0);
    here = &first;
    d = first.driver;
    second.driver->class->stop(second.driver);
    (void)sem_destroy(&first.baton);
    (void)sem_destroy(&second.baton);
}

// ---- Operations -----------------------------------------------------------------------------

static struct pair pair;
static struct call calls[2];
static struct user *called_back[2];

static void note_user(struct call *call) {
    called_back[call - calls] = here;
}

static void read_one(int i, struct sock s, char *buf) {
    prepare_io(&calls[i], WEFT__OP_READ, s, buf, 1);
    calls[i].then = note_user;
    submit(&calls[i]);
}

static void read_at_server(void) {
    static char byte;
    read_one(0, pair.server, &byte);
    d->class->wait(d, INT64_MAX); // which does not end before
    assert_int_equal(calls[0].done_count, 1);
    assert_int_equal(try_write(pair.server), 1);
}

static void an_operation_completes_with_whom_it_was_submitted(void **state) {
    (void)state;
    char byte;
    pair = open_pair();
    let_act(read_at_server);
    wait_until(now_ns() + 1); // the other one waits already: its read ends in a wait of ours
    read_one(1, pair.client, &byte);
    assert_int_equal(try_write(pair.client), 1);
    while (calls[1].op.is_pending)
        d->class->wait(d, INT64_MAX);
    assert_int_equal(calls[0].done_count, 1);
    assert_int_equal(calls[1].done_count, 1);
    assert_ptr_equal(called_back[0], &second);
    assert_ptr_equal(called_back[1], &first);
    assert_int_equal(second.driver->stats.completions, 1);
    assert_int_equal(second.driver->pending, 0);
    end_both();
    close_pair(pair);
}

// ---- Time -----------------------------------------------------------------------------------

static int64_t begin_ns, woke_at_ns;

static void wait_a_microsecond(void) {
    wait_until(begin_ns + 1000);
    woke_at_ns = now_ns();
}

static void time_moves_to_the_first_of_all_deadlines(void **state) {
    (void)state;
    begin_ns = now_ns();
    let_act(wait_a_microsecond);
    wait_until(begin_ns + 5000);
    assert_int_equal(woke_at_ns, begin_ns + 1000);
    assert_int_equal(now_ns(), begin_ns + 5000);
    end_both();
}

// ---- Wakes ----------------------------------------------------------------------------------

static int wake_count;

static void count_wakes(void) {
    for (;;) {
        d->class->wait(d, INT64_MAX);
        wake_count++;
    }
}

static void a_wake_ends_the_wait_of_its_driver_alone(void **state) {
    (void)state;
    wake_count = 0;
    begin_ns = now_ns();
    let_act(count_wakes);
    wait_until(begin_ns + 1000); // it has begun
    assert_int_equal(wake_count, 0);
    second.driver->class->wake(second.driver);
    second.driver->class->wake(second.driver); // wakes coalesce
    d->class->wait(d, begin_ns + 2000);
    assert_int_equal(wake_count, 1);
    assert_int_equal(now_ns(), begin_ns + 2000);
    d->class->wake(d);
    d->class->wait(d, INT64_MAX);
    assert_int_equal(wake_count, 1);
    assert_int_equal(now_ns(), begin_ns + 2000);
    end_both();
}

// ---- Turns ----------------------------------------------------------------------------------

static int look_count;

static void look_often(void) {
    for (int i = 0; i < 1000; i++) {
        look_count++;
        d->class->wait(d, 0);
    }
}

// Each look lets the other one go on half of the time.
static void the_seed_says_who_goes_on(void **state) {
    (void)state;
    look_count = 0;
    let_act(look_often);
    for (int i = 0; i < 500; i++)
        d->class->wait(d, 0);
    assert_in_range(look_count, 400, 600);
    while (look_count < 1000)
        d->class->wait(d, 0);
    wait_until(now_ns() + 1); // the last look is over
    end_both();
}

// ---- Memory ---------------------------------------------------------------------------------

static void without_memory_there_is_no_other(void **state) {
    (void)state;
    struct weft__driver *other = NULL;
    weft__fail_arm(WEFT__FAIL_ALLOC, 1, false, -ENOMEM);
    assert_int_equal(d->class->beside(d, relay, &other), -ENOMEM);
    weft__fail_disarm();
    assert_null(other);
    wait_until(now_ns() + 1); // nobody else is asked
}

static const struct CMUnitTest cases[] = {
    CASE(an_operation_completes_with_whom_it_was_submitted),
    CASE(time_moves_to_the_first_of_all_deadlines),
    CASE(a_wake_ends_the_wait_of_its_driver_alone),
    CASE(the_seed_says_who_goes_on),
    CASE(without_memory_there_is_no_other),
};

int main(void) {
    return sim_main(0, NULL, cases);
}

// SPDX-License-Identifier: MIT
//
// 1. A signal that somebody has waited for stays ours between two waits, or the program that waits
//    in a loop would now and then die of the second one. What comes meanwhile is unclaimed, until
//    the next wait takes it.
// 2. The handler may run in any thread that does not block the signal. One thread of ours never
//    blocks those that are held, so each is handled whatever the program's threads do. The same
//    thread hands out what has come: a handler could not, because that takes a lock.
// 3. All of `signals` is guarded by its lock. A wait lies on its owner's stack and is in the list
//    until a signal was given to it or its owner has taken it out; both happen under the lock, and
//    so does the wake: afterwards nobody knows the owner.
// 4. weft_stop begins by giving back what nobody waits for: from then on a second Ctrl-C ends the
//    process. The tasks that still wait are cancelled and give back the rest.
// 5. In the child of a fork(2) there is neither thread nor wait; the dispositions are put back.
#include "task/signals.h"

#include "os/lock.h"
#include "os/os.h"
#include "os/signals.h"
#include "task/park.h"

#include <errno.h>

struct wait {
    struct weft__list link; // in signals.waits until `got` is set
    struct weft__waiter *waiter;
    uint64_t wanted;
    int got; // a signal's number
};

static struct {
    struct weft__lock lock;
    struct weft__list waits;
    uint64_t held;      // those that are ours
    uint64_t unclaimed; // of those, what came while nobody waited for it
    bool is_given_back; // rule 4
    bool is_hooked;     // the two hooks below are registered
    bool has_thread;
    uint32_t generation; // of threads: one ends when there is another, or none
    struct weft__os_thread thread;
} signals = {.waits = {&signals.waits, &signals.waits}};

static int first_of(uint64_t set) {
    return __builtin_ctzll(set) + 1;
}

// ---- Handing out ----------------------------------------------------------------------------

// With the lock: to all who wait for it now, else to the next.
static void hand_out(int number) {
    bool is_claimed = false;
    struct weft__list *next, *link = weft__list_first(&signals.waits);
    for (; link; link = next) {
        struct wait *wait = WEFT__CONTAINER(link, struct wait, link);
        next = weft__list_next(&signals.waits, link);
        if (!(wait->wanted & weft__signal_bit(number)))
            continue;
        weft__list_remove(link);
        wait->got = number;
        weft__unpark(wait->waiter);
        is_claimed = true;
    }
    if (!is_claimed)
        signals.unclaimed |= weft__signal_bit(number);
}

// With the lock: what the handler has seen since the last time.
static void hand_out_all(void) {
    for (uint64_t set = weft__signals_take() & signals.held; set; set &= set - 1)
        hand_out(first_of(set));
}

static void run_thread(void *arg) {
    uint32_t mine = (uint32_t)(uintptr_t)arg;
    for (;;) {
        uint32_t mark = weft__signals_mark();
        weft__lock(&signals.lock);
        bool is_over = signals.generation != mine;
        if (!is_over)
            hand_out_all();
        uint64_t held = signals.held;
        weft__unlock(&signals.lock);
        if (is_over)
            return;
        weft__signals_unblock(held);
        weft__signals_sleep(mark);
    }
}

// ---- Holding and giving back ----------------------------------------------------------------

static uint64_t all_wanted(void) {
    uint64_t wanted = 0;
    for (struct weft__list *link = weft__list_first(&signals.waits); link;
         link = weft__list_next(&signals.waits, link))
        wanted |= WEFT__CONTAINER(link, struct wait, link)->wanted;
    return wanted;
}

static void release_unwanted(void) {
    uint64_t unwanted = signals.held & ~all_wanted();
    weft__signals_release(~all_wanted()); // also one that os/quit.c has put back since
    signals.held &= ~unwanted;
    signals.unclaimed &= ~unwanted;
}

static void forked(void) {
    weft__signals_release(signals.held);
    (void)weft__signals_take();
    weft__list_init(&signals.waits);
    signals.held = signals.unclaimed = 0;
    signals.has_thread = false;
    signals.generation++;
    weft__store(&signals.lock.word, 0, relaxed);
}

void weft__signals_give_back(void) {
    weft__lock(&signals.lock);
    signals.is_given_back = true;
    release_unwanted();
    weft__unlock(&signals.lock);
}

void weft__signals_end(void) {
    weft__signals_give_back();
    weft__lock(&signals.lock);
    bool is_ending = signals.has_thread && weft__list_is_empty(&signals.waits);
    struct weft__os_thread thread = signals.thread;
    if (is_ending) {
        signals.has_thread = false;
        signals.generation++;
    }
    weft__unlock(&signals.lock);
    if (!is_ending)
        return;
    weft__signals_poke();
    weft__os_thread_join(&thread);
}

static int hook(void) {
    if (signals.is_hooked)
        return 0;
    if (weft__os_at_fork_child(forked) != 0 || weft__os_at_exit(weft__signals_end) != 0)
        return -ENOMEM;
    signals.is_hooked = true;
    return 0;
}

// With the lock: the thread is there, and the signals are ours.
static int hold(uint64_t wanted) {
    int error = hook();
    if (error == 0 && !signals.has_thread) {
        error = weft__os_thread_create(&signals.thread, "weft-signals", run_thread,
                                       (void *)(uintptr_t)signals.generation);
        signals.has_thread = error == 0;
    }
    if (error < 0)
        return error;
    signals.is_given_back = false;
    signals.held |= wanted;
    weft__signals_hold(wanted); // also what the program has taken back meanwhile
    weft__signals_poke();       // the thread has to unblock them
    return 0;
}

int weft__signals_keep(uint64_t wanted) {
    weft__lock(&signals.lock);
    int error = hold(wanted);
    weft__unlock(&signals.lock);
    return error;
}

// ---- Waiting --------------------------------------------------------------------------------

// Takes what has come, or the interruption; 0: neither. The wait is over unless it is 0.
static int look(struct wait *wait) {
    weft__lock(&signals.lock);
    int result = wait->got ? wait->got : weft__interrupted(wait->waiter);
    if (result != 0)
        weft__list_remove(&wait->link);
    if (result != 0 && signals.is_given_back)
        release_unwanted();
    weft__unlock(&signals.lock);
    return result;
}

int weft__signals_await(struct weft__waiter *self, uint64_t wanted) {
    struct wait wait = {.waiter = self, .wanted = wanted};
    weft__lock(&signals.lock);
    int result = hold(wanted);
    hand_out_all(); // what has come before is not for us to wait for
    uint64_t known = signals.unclaimed & wanted;
    if (result == 0 && known) {
        result = first_of(known);
        signals.unclaimed &= ~weft__signal_bit(result);
    }
    if (result == 0)
        weft__list_push_back(&signals.waits, &wait.link);
    weft__unlock(&signals.lock);
    if (result != 0)
        return result;
    weft__waits(self, "signal_wait", 0, NULL);
    while ((result = look(&wait)) == 0)
        weft__park(self, weft__interrupt_at(self));
    return result;
}

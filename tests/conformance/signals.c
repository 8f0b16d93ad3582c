// SPDX-License-Identifier: MIT
// weft_signal_wait: signals as something that ordinary code waits for. docs/semantics.md 8.
#include "case.h"

#include <signal.h>
#include <unistd.h>

#define NO_SIGNALS "docs/semantics.md 9: the simulator has \"no other threads and no signals\""

static const int wanted[] = {SIGTERM, SIGUSR1};

static void send_signal(void *context) {
    (void)context;
    expect(kill(getpid(), SIGUSR1), 0);
}

CASE(a_signal_ends_the_wait_for_it) {
    struct parties parties = {.count = 0};
    expect(weft_signal_hold(wanted, 2), 0);
    party_start(&parties, "sends", send_signal, NULL);
    expect(weft_signal_wait(wanted, 2), SIGUSR1);
    parties_join(&parties);
}
CASE_NOT_ON(a_signal_ends_the_wait_for_it, "sim", NO_SIGNALS)

CASE(a_signal_that_came_before_is_not_lost) {
    expect(weft_signal_hold(wanted, 2), 0);
    send_signal(NULL);
    expect(weft_signal_wait(wanted, 2), SIGUSR1);
    expect_waits(weft_signal_wait(wanted, 2));
    send_signal(NULL); // a wait that was refused has not taken it
    expect(weft_signal_wait(&wanted[1], 1), SIGUSR1);
}
CASE_NOT_ON(a_signal_that_came_before_is_not_lost, "sim", NO_SIGNALS)

struct listener {
    struct flag waiting, heard;
};

static void listen_for_signal(void *context) {
    struct listener *listener = context;
    flag_raise(&listener->waiting);
    expect(weft_signal_wait(&wanted[1], 1), SIGUSR1);
    flag_raise(&listener->heard);
}

// Whether all were there when the first one came cannot be seen from outside, so it is sent until
// all have heard it.
CASE(all_who_wait_for_a_signal_hear_it) {
    enum { LISTENERS = 8 };
    struct listener listener = {.waiting = {0}};
    struct parties parties = {.count = 0};
    expect(weft_signal_hold(wanted, 2), 0);
    for (int i = 0; i < LISTENERS; i++)
        party_start(&parties, "listens", listen_for_signal, &listener);
    await_flag(&listener.waiting, LISTENERS);
    while (flag_value(&listener.heard) < LISTENERS) {
        send_signal(NULL);
        expect(weft_sleep(WEFT_MILLISECOND), 0);
    }
    parties_join(&parties);
}
CASE_NOT_ON(all_who_wait_for_a_signal_hear_it, "sim", NO_SIGNALS)

static void be_cancelled(void *context) {
    flag_raise(context);
    expect(weft_signal_wait(wanted, 2), -ECANCELED);
}

CASE(a_cancel_ends_the_wait_for_a_signal) {
    struct flag waiting = {0};
    struct parties parties = {.count = 0};
    party_start(&parties, "waits", be_cancelled, &waiting);
    await_flag(&waiting, 1);
    await_parked_tasks(1);
    parties_cancel(&parties);
    parties_join(&parties);
}
CASE_NEEDS_SCOPE(a_cancel_ends_the_wait_for_a_signal)
CASE_NOT_ON(a_cancel_ends_the_wait_for_a_signal, "sim", NO_SIGNALS)

CASE(what_cannot_be_waited_for_is_refused) {
    const int kill_signal = SIGKILL, fault = SIGSEGV;
    expect(weft_signal_wait(&kill_signal, 1), -EINVAL);
    expect(weft_signal_wait(&fault, 1), -EINVAL);
    expect(weft_signal_wait(wanted, 0), -EINVAL);
    if (world_is("sim")) {
        expect(weft_signal_wait(wanted, 2), -ENOTSUP);
        expect(weft_signal_hold(wanted, 2), -ENOTSUP);
    }
}

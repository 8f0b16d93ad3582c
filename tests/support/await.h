// SPDX-License-Identifier: MIT
// Waiting for states. No test sleeps to wait: it looks at what it waits for, again and again, and a
// bound of 30 s only ends hangs. Works in tasks, in plain threads and on virtual time.
#ifndef SUPPORT_AWAIT_H
#define SUPPORT_AWAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// A number that parties tell each other. Zeroed it is 0.
struct flag {
    atomic_int value;
};
void flag_raise(struct flag *flag); // adds 1
int flag_value(struct flag *flag);
void await_flag(struct flag *flag, int at_least);

// At least `count` operations wait in one direction (WEFT_READ, WEFT_WRITE) of the handle.
void await_waiting(int handle, int direction, int count);

// At least `count` tasks or threads wait at an object of weft/sync.h.
void await_queued(void *object, size_t count);

// At least `count` tasks of the runtime wait for anything; not for the thread driver.
void await_parked_tasks(size_t count);

// Any claim: `while (!claim()) await_pause(&a);` with a zeroed struct await.
struct await {
    long long began_ns;
};
void await_pause(struct await *await, const char *what);

#endif

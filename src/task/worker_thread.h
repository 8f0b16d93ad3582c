// SPDX-License-Identifier: MIT
//
// The threads of those workers that have one of their own: made, let go together, ended together.
// Simulated workers have none, and begin and end by the same calls: worker_virtual.c.
#ifndef WEFT__WORKER_THREAD_H
#define WEFT__WORKER_THREAD_H

#include "task/runtime.h"

// How the workers' threads begin.
struct weft__worker_plan {
    const char *driver; // a name, or NULL: the ladder's choice
    bool may_fall_back; // the ladder chose `driver` for worker 0: another may have to take the next
    size_t stack_size;  // of tasks
    char *note;         // what worker 0's driver has to say of itself
    char *cause;        // why a thread did not start, when more is known than the code says
    size_t text_size;   // of each of the two
};

// Starts the thread of `worker`, whose memory is the caller's, and waits until its driver runs.
// Returns 0 or why it did not start, and then there is no thread. It runs nothing yet.
// `plan->cause` is set on failure.
int weft__worker_thread_start(struct weft__runtime *runtime, struct weft__worker *worker,
                              const struct weft__worker_plan *plan);
// Lets all begin.
void weft__worker_threads_go(struct weft__runtime *runtime);
// Ends those of the first `count` workers that have threads, whether they were let go or not. There
// are no tasks left.
void weft__worker_threads_end(struct weft__runtime *runtime, uint32_t count);

// In worker_virtual.c. Whether the workers of a runtime share the thread of task zero. If so: one
// more of them, which runs once worker 0's driver waits; 0 or -ENOMEM. And its end, on the same
// thread.
bool weft__worker_is_virtual(const struct weft__runtime *runtime);
int weft__worker_virtual_start(struct weft__runtime *runtime, struct weft__worker *worker,
                               size_t stack_size);
void weft__worker_virtual_end(struct weft__worker *worker);

#endif

// SPDX-License-Identifier: MIT
//
// What reports say of a task: what it is called, by its name, if it has one, and by the function it
// runs; and the calls that it is in.
#ifndef WEFT__TITLE_H
#define WEFT__TITLE_H

#include "task/worker.h"

struct weft__look;
struct weft__text;

// Copied while the task is known to live, so that the slow part comes after that.
struct weft__title {
    char name[WEFT__NAME_SIZE]; // "": none
    uintptr_t fn;
};

// The task's record and name stay meanwhile. It may be another task's before this returns: then
// what was copied is worth nothing, as the caller has to find out.
void weft__title_copy(const struct weft__task *task, struct weft__title *ret_title);

// Appends "echo (serve_client)", or "serve_client".
void weft__title_put(struct weft__text *text, const struct weft__title *title);

// The calls that the thread of a worker is in, innermost first. `look` is what os/look.h has found
// of it: if it waits in the kernel its stack is searched up to `top`, else it answers itself.
// Returns how many; 0: it cannot be asked.
size_t weft__calls_of(struct weft__worker *worker, const struct weft__look *look, uintptr_t top,
                      uintptr_t *ret_calls, size_t capacity);

#endif

// SPDX-License-Identifier: MIT
//
// How a task is called in reports: by its name, if it has one, and by the function it runs.
#ifndef WEFT__TITLE_H
#define WEFT__TITLE_H

#include "task/worker.h"

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

#endif

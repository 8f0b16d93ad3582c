// SPDX-License-Identifier: MIT
//
// Which tasks there are, in their scopes. From any thread, without the help of any worker, so that
// it works when all of them are stuck. What each of them does: view.h.
#ifndef WEFT__SURVEY_H
#define WEFT__SURVEY_H

#include "task/title.h"

// A task or a scope, as the walk over the scopes found it. Below a task are the scopes that it used
// first and has not joined, below a scope its tasks.
struct weft__seen {
    struct weft__seen *parent, *next, *first, *last; // `next` below the same parent
    struct weft__task *task;                         // NULL: this is a scope
    const struct weft__task *owner;                  // a scope's; a plain thread has a record, too
    uint32_t number;                                 // a task's
    uint32_t living;                                 // a scope's tasks
    bool is_cancelled, is_joining;
    struct weft__title title; // a task's
    const void *place;        // in the code, where the weft_go returned to that started it, or
                              // used it first; NULL: not known
};

struct weft__survey_block;
struct weft__survey {
    struct weft__seen top; // the parent of task zero and of the scopes that plain threads used
    struct weft__runtime *runtime;
    struct weft__worker **workers;
    uint32_t worker_count;
    const char *driver;                        // the name of the first worker's
    struct weft__survey_block *first, *newest; // what was seen, in the order of the walk
    size_t task_count, scope_count;
    bool is_cut; // there was no memory for more
};

// 0, and then the runtime stays until weft__survey_end; or -ENOENT, -ENOMEM. Memory comes from the
// system, not from the allocator: the program may hang in that.
int weft__survey_begin(struct weft__survey *survey);
void weft__survey_end(struct weft__survey *survey);
// The next one, what is below before what comes after, or NULL. Begins with &survey->top. `depth`
// follows.
const struct weft__seen *weft__survey_next(const struct weft__seen *seen, uint32_t *depth);

#endif

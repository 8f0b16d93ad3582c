// SPDX-License-Identifier: MIT
//
// The walk over the scopes. It holds the locks on its way, as a cancel does, and therefore only
// copies what is quickly copied; what takes longer is done afterwards, task by task (view.c). Until
// then a task may have ended and its record be another's, which the number tells.
#include "task/survey.h"

#include "driver/driver.h"
#include "os/pages.h"
#include "task/runtime.h"

#include <errno.h>

enum { BLOCK_SIZE = 256 * 1024 };

struct weft__survey_block {
    struct weft__survey_block *next;
    size_t count;
    struct weft__seen seen[];
};

static const size_t BLOCK_COUNT =
    (BLOCK_SIZE - sizeof(struct weft__survey_block)) / sizeof(struct weft__seen);

// ---- The walk -------------------------------------------------------------------------------

static struct weft__seen *add(struct weft__survey *survey) {
    struct weft__survey_block *block = survey->newest;
    if (!block || block->count == BLOCK_COUNT) {
        void *memory;
        if (weft__pages_reserve(BLOCK_SIZE, &memory) < 0) {
            survey->is_cut = true;
            return NULL;
        }
        block = memory;
        if (survey->newest)
            survey->newest->next = block;
        else
            survey->first = block;
        survey->newest = block;
    }
    return &block->seen[block->count++];
}

// Its stack, where the place is noted, stays: a task leaves its scope first.
static const void *place_of(const struct weft__task *task) {
    bool is_started = weft__load(&task->waiter.started_on, acquire) > 0;
    return is_started ? weft__notes_of(&task->waiter)->place : NULL;
}

static void note_task(struct weft__survey *survey, struct weft__task *task) {
    struct weft__seen *seen = add(survey);
    if (!seen)
        return;
    seen->task = task;
    seen->number = weft__load(&task->number, relaxed);
    seen->is_cancelled = weft__load(&task->waiter.cancelled, relaxed);
    weft__title_copy(task, &seen->title);
    seen->place = place_of(task);
    survey->task_count++;
}

static void note_scope(struct weft__survey *survey, const struct weft__scope *scope) {
    struct weft__seen *seen = add(survey);
    if (!seen)
        return;
    seen->owner = weft__task_of(scope->owner);
    seen->living = scope->living;
    seen->is_cancelled = scope->flags & WEFT__SCOPE_CANCELLED;
    seen->is_joining = scope->flags & WEFT__SCOPE_JOINING;
    seen->place = seen->is_cancelled ? NULL : scope->place;
    survey->scope_count++;
    struct weft__list *node = weft__list_first(&scope->tasks);
    for (; node; node = weft__list_next(&scope->tasks, node))
        note_task(survey, WEFT__CONTAINER(node, struct weft__task, member));
}

static void visit(struct weft__scope *scope, void *arg) {
    if (scope->owner) // the root has none
        note_scope(arg, scope);
}

// ---- The tree -------------------------------------------------------------------------------

// Tasks by their records: a table with open addressing, in memory of its own.
struct index {
    struct weft__seen **slots;
    size_t size; // bytes
    size_t mask;
};

static bool make_index(struct index *index, size_t count) {
    void *memory;
    size_t slots = weft__pages_size() / sizeof(void *);
    while (slots < 2 * count)
        slots *= 2;
    *index = (struct index){.size = slots * sizeof(void *), .mask = slots - 1};
    if (weft__pages_reserve(index->size, &memory) < 0)
        return false;
    index->slots = memory;
    return true;
}

// Where the task is, or where it would go.
static struct weft__seen **find(const struct index *index, const struct weft__task *task) {
    size_t slot = (size_t)((uintptr_t)task / sizeof *task * 0x9e3779b97f4a7c15);
    while (index->slots[slot & index->mask] && index->slots[slot & index->mask]->task != task)
        slot++;
    return &index->slots[slot & index->mask];
}

static void link_below(struct weft__seen *parent, struct weft__seen *seen) {
    seen->parent = parent;
    if (parent->last)
        parent->last->next = seen;
    else
        parent->first = seen;
    parent->last = seen;
}

// A task follows its scope; a scope's owner lives in the scope above, if it is a task, and so was
// seen before. Task zero comes first, in no scope.
static void link_all(struct weft__survey *survey, const struct index *index) {
    struct weft__seen *scope = &survey->top;
    for (struct weft__survey_block *block = survey->first; block; block = block->next)
        for (struct weft__seen *seen = block->seen; seen < block->seen + block->count; seen++) {
            if (seen->task) {
                *find(index, seen->task) = seen;
                link_below(scope, seen);
                continue;
            }
            struct weft__seen *owner = *find(index, seen->owner);
            link_below(owner ? owner : &survey->top, seen);
            scope = seen;
        }
}

// ---- All of it ------------------------------------------------------------------------------

int weft__survey_begin(struct weft__survey *survey) {
    struct weft__runtime *runtime = weft__runtime_visit();
    struct index index;
    if (!runtime)
        return -ENOENT;
    *survey = (struct weft__survey){.runtime = runtime,
                                    .workers = runtime->workers,
                                    .worker_count = runtime->worker_count,
                                    .driver = runtime->workers[0]->driver->class->name};
    if (runtime->zero)
        note_task(survey, runtime->zero);
    weft__scope_walk(&runtime->root, weft__this_worker(), visit, survey);
    if (!make_index(&index, survey->task_count)) {
        weft__survey_end(survey);
        return -ENOMEM;
    }
    link_all(survey, &index);
    weft__pages_release(index.slots, index.size);
    return 0;
}

void weft__survey_end(struct weft__survey *survey) {
    weft__runtime_end_visit(survey->runtime);
    while (survey->first) {
        struct weft__survey_block *next = survey->first->next;
        weft__pages_release(survey->first, BLOCK_SIZE);
        survey->first = next;
    }
}

const struct weft__seen *weft__survey_next(const struct weft__seen *seen, uint32_t *depth) {
    if (seen->first) {
        ++*depth;
        return seen->first;
    }
    while (seen && !seen->next) {
        seen = seen->parent;
        --*depth;
    }
    return seen ? seen->next : NULL;
}

// SPDX-License-Identifier: MIT
//
// A task that is cancelled and goes on all the same: each of its calls is refused at once, so that
// a loop around them that does not look at the result never waits again, and its worker is lost. A
// debug build (WEFT_DEBUG) counts the refusals between two switches and ends the process.
#include "base/text.h"
#include "os/look.h"
#include "task/title.h"

#include <errno.h>

enum { REFUSALS_MAX = 10000, CALLS_MAX = 16, LINE_SIZE = 900 };

static _Noreturn WEFT__COLD void report(const struct weft__task *task) {
    char line[LINE_SIZE];
    struct weft__text text;
    struct weft__title title;
    uintptr_t calls[CALLS_MAX];
    weft__text_init(&text, line, sizeof line);
    weft__title_copy(task, &title);
    weft__title_put(&text, &title);
    size_t count = weft__look_own_calls(2, calls, CALLS_MAX);
    weft__text_putf(&text, " has ignored its cancellation %d times without waiting%s", REFUSALS_MAX,
                    count > 0 ? "; it is in " : "");
    weft__look_put_calls(&text, calls, count);
    PANIC("task %s", line);
}

int weft__count_refusal(struct weft__waiter *self) {
    if (!self->worker || self->is_thread)
        return -ECANCELED;
    struct weft__notes *notes = weft__notes_of(self);
    uint64_t switches = weft__load(&self->worker->stats.switches, relaxed);
    if (switches != notes->refused_at)
        notes->refused = 0;
    notes->refused_at = switches;
    if (++notes->refused >= REFUSALS_MAX)
        report(weft__task_of(self));
    return -ECANCELED;
}

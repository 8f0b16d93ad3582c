// SPDX-License-Identifier: MIT
//
// The report of misuse.h.
#include "task/misuse.h"

#include "base/text.h"
#include "os/look.h"
#include "task/title.h"

enum { CALLS_MAX = 16, LINE_SIZE = 900 };

static void put_caller(struct weft__text *text, const struct weft__waiter *self) {
    struct weft__title title;
    if (self->is_thread) {
        weft__text_put(text, self->worker ? "task zero" : "a thread");
        return;
    }
    weft__title_copy(WEFT__CONTAINER(self, const struct weft__task, waiter), &title);
    weft__text_put(text, "task ");
    weft__title_put(text, &title);
}

void weft__misuse(const struct weft__waiter *self, const char *what) {
    char line[LINE_SIZE];
    struct weft__text text;
    uintptr_t calls[CALLS_MAX];
    weft__text_init(&text, line, sizeof line);
    put_caller(&text, self);
    weft__text_putf(&text, " %s", what);
    size_t count = weft__look_own_calls(1, calls, CALLS_MAX);
    if (count > 0) {
        weft__text_put(&text, "; it is in ");
        weft__look_put_calls(&text, calls, count);
    }
    PANIC("%s", line);
}

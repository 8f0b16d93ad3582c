// SPDX-License-Identifier: MIT
//
// Titles and calls of tasks.
#include "task/title.h"

#include "base/compiler.h"
#include "os/look.h"
#include "os/symbol.h"

#include <string.h>

WEFT__RACY void weft__title_copy(const struct weft__task *task, struct weft__title *ret_title) {
    *ret_title = (struct weft__title){0};
    for (size_t i = 0; task->name && i < sizeof ret_title->name - 1; i++)
        ret_title->name[i] = task->name[i];
    ret_title->fn = task->takes_handle ? (uintptr_t)task->handle_fn : (uintptr_t)task->fn;
}

void weft__title_put(struct weft__text *text, const struct weft__title *title) {
    if (title->name[0] != '\0') {
        weft__text_put_escaped(text, title->name, strlen(title->name));
        weft__text_put(text, " (");
    }
    weft__symbol_put(text, title->fn);
    if (title->name[0] != '\0')
        weft__text_put(text, ")");
}

// A thread is not asked when nobody says whether it waits, because the question would end its wait;
// nor under Valgrind (3.19), which does not give its own lock back when the signal meets it in a
// system call, and then hangs.
size_t weft__calls_of(struct weft__worker *worker, const struct weft__look *look, uintptr_t top,
                      uintptr_t *ret_calls, size_t capacity) {
    if (look->is_waiting)
        return weft__look_calls(look->pc, look->sp, top, ret_calls, capacity);
    if (!look->is_known || worker->stacks.is_valgrind)
        return 0;
    return weft__look_calls_running(weft__load(&worker->thread, relaxed), ret_calls, capacity);
}

// SPDX-License-Identifier: MIT
//
// Titles of tasks: copying and writing.
#include "task/title.h"

#include "base/compiler.h"
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

// SPDX-License-Identifier: MIT
//
// What is said of the tasks that were still alive when weft_stop gave up.
#include "os/os.h"
#include "task/runtime.h"
#include "task/title.h"

#include "base/text.h"

enum { NAMED_MAX = 8, LINE_SIZE = 900 };

struct stragglers {
    size_t count;
    struct weft__title titles[NAMED_MAX];
};

static void note(struct weft__scope *scope, void *arg) {
    struct stragglers *found = arg;
    struct weft__list *node = weft__list_first(&scope->tasks);
    for (; node; node = weft__list_next(&scope->tasks, node)) {
        struct weft__task *task = WEFT__CONTAINER(node, struct weft__task, member);
        if (found->count < NAMED_MAX)
            weft__title_copy(task, &found->titles[found->count]);
        found->count++;
    }
}

void weft__runtime_name_living(struct weft__runtime *runtime) {
    char line[LINE_SIZE];
    struct weft__text text;
    struct stragglers found = {.count = 0};
    weft__scope_walk(&runtime->root, weft__this_worker(), note, &found);
    if (found.count == 0) // the last one has ended just now
        return;
    weft__text_init(&text, line, sizeof line);
    for (size_t i = 0; i < found.count && i < NAMED_MAX; i++) {
        weft__text_put(&text, i == 0 ? "" : ", ");
        weft__title_put(&text, &found.titles[i]);
    }
    if (found.count > NAMED_MAX)
        weft__text_putf(&text, " and %zu more", found.count - NAMED_MAX);
    weft__log(WEFT__LOG_WARN, "stop: %zu task%s still alive after the grace: %s", found.count,
              found.count == 1 ? " is" : "s are", line);
}

// SPDX-License-Identifier: MIT
//
// The check of a debug build (WEFT_DEBUG) whenever a task leaves its worker: does it hold a pthread
// mutex? The next task there that wants the mutex blocks the thread, and with it the one that could
// unlock it.
#include "os/look.h"
#include "os/mutex_watch.h"
#include "os/os.h"
#include "task/title.h"

#include "base/text.h"

enum { PLACES_MAX = 64, CALLS_MAX = 8, LINE_SIZE = 900 };

// Where mutexes were locked that have been reported: once is enough for each place.
static WEFT__ATOMIC(uintptr_t) places[PLACES_MAX];

static bool is_new(uintptr_t place) {
    for (size_t i = 0; i < PLACES_MAX; i++) {
        uintptr_t found = 0;
        if (weft__cas(&places[i], &found, place, acq_rel))
            return true;
        if (found == place)
            return false;
    }
    return false;
}

void weft__worker_check_leave(const struct weft__task *task, const char *how) {
    char line[LINE_SIZE];
    struct weft__text text;
    uintptr_t place, calls[CALLS_MAX];
    if (weft__mutexes_held(&place) == 0)
        return;
    weft__mutexes_forget(); // the next ones to leave shall not be blamed for it
    if (!is_new(place))
        return;
    weft__text_init(&text, line, sizeof line);
    weft__text_put(&text, "task ");
    if (task->waiter.is_thread) {
        weft__text_put(&text, "zero");
    } else {
        struct weft__title title;
        weft__title_copy(task, &title);
        weft__title_put(&text, &title);
    }
    weft__text_putf(&text, " %s while it holds a pthread mutex locked in ", how);
    weft__look_put_calls(&text, &place, 1);
    size_t count = weft__look_own_calls(1, calls, CALLS_MAX);
    if (count > 0)
        weft__text_put(&text, "; it is in ");
    weft__look_put_calls(&text, calls, count);
    weft__log(WEFT__LOG_WARN, "%s (unlock it before a call that may wait)", line);
}

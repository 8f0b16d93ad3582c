// SPDX-License-Identifier: MIT
//
// The ladder of drivers for a worker: io_uring if it works here, else epoll, with a sentence that
// says why. Which drivers exist and what they need is theirs to say; `thread` and `sim` are no
// choice of a user's.
#include "base/text.h"
#include "driver/driver.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <weft/error.h>

// Starts io_uring, if it may be tried at all; `why` receives the cause when it does not start.
#ifdef WEFT_HAVE_URING
static int start_uring(struct weft__driver **ret_driver, struct weft__text *why) {
    if (weft__os_is_secure()) {
        weft__text_put(why, "off in a program with raised privileges");
        return -EPERM;
    }
    const char *step = NULL;
    int error = weft__uring_start(ret_driver, &step);
    if (error != 0)
        weft__text_putf(why, "refused: %s: %s", step, weft_strerror(error));
    return error;
}
#else
static int start_uring(struct weft__driver **ret_driver, struct weft__text *why) {
    (void)ret_driver;
    weft__text_put(why, "not compiled in");
    return -ENOTSUP;
}
#endif

static int start_epoll(struct weft__driver **ret_driver, const char *reason,
                       struct weft__text *note) {
    const char *step = NULL;
    int error = weft__epoll_start(ret_driver, &step);
    if (error == 0)
        weft__text_putf(note, "epoll (%s)", reason);
    else
        weft__text_putf(note, "epoll: %s: %s", step, weft_strerror(error));
    return error;
}

static int start_auto(struct weft__driver **ret_driver, struct weft__text *note) {
    char buf[128];
    struct weft__text why;
    weft__text_init(&why, buf, sizeof buf);
    weft__text_put(&why, "io_uring ");
    if (start_uring(ret_driver, &why) != 0)
        return start_epoll(ret_driver, buf, note);
    weft__text_put(note, "uring (io_uring passed its test)");
    return 0;
}

static int start_only_uring(struct weft__driver **ret_driver, struct weft__text *note) {
    weft__text_put(note, "io_uring ");
    int error = start_uring(ret_driver, note);
    if (error != 0)
        return error;
    weft__text_init(note, note->data, note->size);
    weft__text_put(note, "uring (asked for)");
    return 0;
}

int weft__driver_start(const char *name, struct weft__driver **ret_driver, char *note,
                       size_t note_size) {
    struct weft__text text;
    weft__text_init(&text, note, note_size);
    if (name == NULL || strcmp(name, "auto") == 0)
        return start_auto(ret_driver, &text);
    if (strcmp(name, "uring") == 0)
        return start_only_uring(ret_driver, &text);
    if (strcmp(name, "epoll") == 0)
        return start_epoll(ret_driver, "asked for", &text);
    weft__text_put(&text, "unknown driver \"");
    weft__text_put_escaped(&text, name, strlen(name));
    weft__text_put(&text, "\": WEFT_DRIVER and weft_options.driver know auto, uring and epoll");
    return -EINVAL;
}

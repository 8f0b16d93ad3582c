// SPDX-License-Identifier: MIT
//
// The thread that prints all tasks when SIGQUIT has come: a handler may not, and the workers may be
// stuck. One for the process, as there is one runtime.
#include "task/runtime.h"

#include "os/os.h"
#include "os/quit.h"

#include <weft/debug.h>

enum { WANTED = 1, END = 2 };

static WEFT__ATOMIC(uint32_t) requests;
static struct weft__os_thread thread;

static void request(uint32_t what) {
    weft__fetch_or(&requests, what, release);
    weft__futex_wake(&requests, 1);
}

void weft__dump_request(void) {
    request(WANTED);
}

static void serve(void *unused) {
    (void)unused;
    weft__quit_unblock();
    for (;;) {
        uint32_t found = weft__fetch_and(&requests, END, acquire);
        if (found & END)
            return;
        if (found & WANTED)
            (void)weft_dump(-1);
        else
            weft__futex_wait(&requests, 0, INT64_MAX);
    }
}

int weft__dump_on_quit_start(void) {
    weft__store(&requests, 0, relaxed);
    int error = weft__quit_watch(weft__dump_request);
    if (error < 0)
        return error;
    error = weft__os_thread_create(&thread, "weft-dump", serve, NULL);
    if (error < 0)
        weft__quit_unwatch();
    return error;
}

void weft__dump_on_quit_end(void) {
    weft__quit_unwatch();
    request(END);
    weft__os_thread_join(&thread);
}

// SPDX-License-Identifier: MIT
// A program that waits for Ctrl-C in main and then cannot stop, because a task of it sleeps in the
// kernel and hears nothing.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

static int stubborn(void *arg) {
    puts("ready");
    fflush(stdout);
    while (arg == NULL)
        pause();
    return 0;
}

int main(void) {
    static weft_scope scope;
    const int ending[] = {SIGINT};
    weft_must(weft_start(&(weft_options){.workers = 2, .watchdog_ns = -1}));
    weft_must(weft_signal_hold(ending, 1));
    weft_must(
        weft_go_with(&scope, stubborn, NULL, &(weft_task_options){.name = "mule", .worker = 2}));
    weft_must(weft_signal_wait(ending, 1));
    while (weft_stop(100 * WEFT_MILLISECOND) < 0)
        continue;
    return 0;
}

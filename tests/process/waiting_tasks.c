// SPDX-License-Identifier: MIT
// Helper of gdb.sh: tasks that wait, one that runs and one that has not started, all at once. Calls
// `all_are_there` when that is so, where a debugger can stop it; with an argument it dies there.
#include <stdatomic.h>
#include <stdlib.h>
#include <weft.h>

static atomic_bool is_running, is_over;
static int waiting_count; // tasks of worker 0 that have begun: they go on until they wait

static int sleep_long(void *unused) {
    (void)unused;
    waiting_count++;
    return weft_sleep(WEFT_HOUR);
}

static __attribute__((noinline)) int read_some(int conn) {
    char buf[16];
    volatile int marked = 4711; // a local to be found
    waiting_count++;
    ssize_t n = weft_read(conn, buf, sizeof buf);
    return n < 0 ? (int)n : marked;
}

static int read_one(int conn) {
    int result = read_some(conn);
    weft_close(conn);
    return result;
}

static int join_one(void *unused) {
    (void)unused;
    weft_scope scope = {0};
    weft_task_options named = {.name = "sleeper", .worker = WEFT_WORKER_HERE};
    waiting_count++;
    int error = weft_go_with(&scope, sleep_long, NULL, &named);
    return error < 0 ? error : weft_join(&scope);
}

static __attribute__((noinline)) int spin(void *unused) {
    (void)unused;
    atomic_store(&is_running, true);
    while (!atomic_load(&is_over))
        ;
    return 0;
}

void all_are_there(void);
__attribute__((noinline)) void all_are_there(void) {
    atomic_store(&is_over, true);
}

int main(int argc, char **argv) {
    (void)argv;
    weft_scope scope = {0};
    weft_addr addr = {0};
    char where[WEFT_ADDR_TEXT_SIZE];
    weft_options options = {.workers = 2};
    weft_must(weft_start(&options));
    int listener = weft_must(weft_tcp_listen("127.0.0.1:0"));
    weft_must(weft_local_addr(listener, &addr));
    int client = weft_must(weft_tcp_connect(weft_addr_text(&addr, where)));
    weft_task_options reader = {.name = "reader", .worker = WEFT_WORKER_HERE};
    weft_task_options joiner = {.name = "joiner", .worker = WEFT_WORKER_HERE};
    weft_task_options spinner = {.name = "spinner", .worker = 2};
    weft_task_options newcomer = {.name = "newcomer", .worker = 2};
    weft_must(weft_go_with(&scope, read_one, weft_accept(listener), &reader));
    weft_must(weft_go_with(&scope, join_one, NULL, &joiner));
    while (waiting_count < 3)
        weft_must(weft_yield());
    weft_must(weft_go_with(&scope, spin, NULL, &spinner));
    while (!atomic_load(&is_running))
        ;
    weft_must(weft_go_with(&scope, sleep_long, NULL, &newcomer));
    if (argc > 1)
        abort();
    all_are_there();
    weft_cancel(&scope);
    (void)weft_join(&scope);
    weft_close(client);
    weft_close(listener);
    return weft_must(weft_stop(WEFT_MINUTE));
}

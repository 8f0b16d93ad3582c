// SPDX-License-Identifier: MIT
// A thread prints all tasks again and again, while they come and go, and the runtime, too.
#include "dump_tools.h"

#include <fcntl.h>

struct storm {
    atomic_bool is_over;
    atomic_size_t dumps;
    int sink;
};

static void *dump_often(void *arg) {
    struct storm *storm = arg;
    while (!atomic_load(&storm->is_over)) {
        int error = weft_dump(storm->sink);
        assert_true(error == 0 || error == -ENOENT);
        atomic_fetch_add(&storm->dumps, error == 0);
    }
    return NULL;
}

static int sleep_shortly(void *arg) {
    for (int i = 0; i < 5; i++) {
        int error = weft_sleep((intptr_t)arg % 50 * WEFT_MICROSECOND);
        if (error < 0)
            return 0;
    }
    return 0;
}

static int grow_tree(void *arg) {
    intptr_t depth = (intptr_t)arg;
    weft_autojoin weft_scope scope = {0};
    if (depth == 0)
        return sleep_shortly((void *)7);
    for (int i = 0; i < 3; i++)
        expect(weft_go_with(&scope, grow_tree, (void *)(depth - 1),
                            &(weft_task_options){.name = i == 0 ? "branch" : NULL}),
               0);
    if (depth == 2)
        weft_cancel(&scope);
    (void)weft_join(&scope);
    return 0;
}

static int echo_some(void *unused) {
    (void)unused;
    char byte;
    struct tcp_pair pair = tcp_pair_open();
    for (int i = 0; i < 10; i++) {
        if (weft_write_all(pair.client, "x", 1) < 0 || weft_read(pair.server, &byte, 1) < 0)
            break;
    }
    tcp_pair_close(&pair);
    return 0;
}

static void run_storm(const char *driver, int workers) {
    struct storm storm = {.sink = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    pthread_t dumper = thread_start(dump_often, &storm);
    for (size_t round = 0; round < times(4) || atomic_load(&storm.dumps) < 3; round++) {
        weft_options options = {.driver = driver, .workers = workers};
        weft_scope scope = {0};
        expect(weft_start(&options), 0);
        for (intptr_t i = 0; i < 20; i++) {
            expect(weft_go(&scope, sleep_shortly, (void *)i), 0);
            expect(weft_go(&scope, i % 2 ? echo_some : grow_tree, (void *)3), 0);
        }
        expect(weft_join(&scope), 0);
        expect(weft_stop(INT64_MAX), 0);
    }
    atomic_store(&storm.is_over, true);
    thread_join(dumper);
    close(storm.sink);
}

static void tasks_come_and_go_and_the_runtime_too_while_it_is_printed(void **state) {
    (void)state;
    on_each(run_storm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(tasks_come_and_go_and_the_runtime_too_while_it_is_printed),
    };
    return RUN(tests);
}

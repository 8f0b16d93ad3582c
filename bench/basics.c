// SPDX-License-Identifier: MIT
//
// What the basics cost: switching, starting and ending tasks, timers, an echo over loopback. One
// JSON line a row: CPU nanoseconds of the whole process per operation, the median of several runs.
// Figures of one machine mean little by themselves; compare rows of the same run.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft.h>

enum { RUNS = 7 };

static double cpu_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// ---- The rows -------------------------------------------------------------------------------

static int yield_often(void *arg) {
    for (long i = *(long *)arg; i > 0; i--)
        weft_yield();
    return 0;
}

static long yield_among(int tasks, long count) {
    weft_scope scope = {0};
    long each = count / tasks;
    for (int i = 0; i < tasks; i++)
        weft_must(weft_go(&scope, yield_often, &each));
    weft_must(weft_join(&scope));
    return each * tasks;
}

static long yield_two(void) {
    return yield_among(2, 1000000);
}

static long yield_thousand(void) {
    return yield_among(1000, 1000000);
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static long go_and_join(void) {
    enum { COUNT = 200000 };
    weft_scope scope = {0};
    for (long i = 0; i < COUNT; i++) {
        weft_must(weft_go(&scope, nothing, NULL));
        weft_must(weft_join(&scope));
    }
    return COUNT;
}

static long go_thousand(void) {
    enum { BATCHES = 200, SIZE = 1000 };
    weft_scope scope = {0};
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < SIZE; i++)
            weft_must(weft_go(&scope, nothing, NULL));
        weft_must(weft_join(&scope));
    }
    return BATCHES * SIZE;
}

static int tree(void *arg) {
    long below = (long)arg;
    weft_scope scope = {0};
    for (int i = 0; below > 0 && i < 10; i++)
        weft_must(weft_go(&scope, tree, (void *)(below - 1)));
    return weft_join(&scope);
}

static long tree_of_tasks(void) {
    weft_scope scope = {0};
    weft_must(weft_go(&scope, tree, (void *)5L));
    weft_must(weft_join(&scope));
    return 111111;
}

static int sleep_once(void *arg) {
    return weft_sleep((long)arg * WEFT_MICROSECOND);
}

static long sleep_many(void) {
    enum { COUNT = 20000 };
    weft_scope scope = {0};
    for (long i = 0; i < COUNT; i++)
        weft_must(weft_go(&scope, sleep_once, (void *)(1 + i % 1000)));
    weft_must(weft_join(&scope));
    return COUNT;
}

static int echo(int conn) {
    char buf[1024];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    weft_close(conn);
    return (int)n;
}

static char where[WEFT_ADDR_TEXT_SIZE];

static int serve(int listener) {
    weft_autojoin weft_scope clients = {0};
    int result;
    while ((result = weft_go(&clients, echo, weft_accept(listener))) == 0)
        ;
    weft_close(listener);
    return result;
}

static int ping(void *arg) {
    char buf[64] = "ping";
    weft_autoclose int conn = weft_must(weft_tcp_connect(where));
    for (long i = (long)arg; i > 0; i--) {
        weft_must(weft_write_all(conn, buf, sizeof buf));
        weft_must(weft_read_exact(conn, buf, sizeof buf));
    }
    return 0;
}

static long ping_pong(int connections) {
    long each = 100000 / connections;
    weft_scope server = {0}, clients = {0};
    weft_addr addr;
    int listener = weft_must(weft_tcp_listen("127.0.0.1:0"));
    weft_must(weft_local_addr(listener, &addr));
    weft_addr_text(&addr, where);
    weft_must(weft_go(&server, serve, listener));
    for (int i = 0; i < connections; i++)
        weft_must(weft_go(&clients, ping, (void *)each));
    weft_must(weft_join(&clients));
    weft_cancel(&server);
    (void)weft_join(&server); // -ECANCELED, as asked for
    return each * connections;
}

static long echo_one(void) {
    return ping_pong(1);
}

static long echo_fifty(void) {
    return ping_pong(50);
}

// ---- Running them ---------------------------------------------------------------------------

static const struct {
    const char *name;
    long (*run)(void); // returns how many operations it did
} rows[] = {
    {"yield_2_tasks", yield_two},
    {"yield_1000_tasks", yield_thousand},
    {"go_join_one_by_one", go_and_join},
    {"go_1000_join_all", go_thousand},
    {"tree_of_111111_tasks", tree_of_tasks},
    {"sleep_until_fired", sleep_many},
    {"echo_64_bytes_1_connection", echo_one},
    {"echo_64_bytes_50_connections", echo_fifty},
};

static void measure(const char *name, long (*run)(void)) {
    double ns[RUNS];
    for (int i = 0; i < RUNS; i++) {
        double begin = cpu_ns();
        long count = run();
        ns[i] = (cpu_ns() - begin) / (double)count;
    }
    qsort(ns, RUNS, sizeof ns[0], ascending);
    printf("{\"row\": \"%s\", \"driver\": \"%s\", \"cpu_ns_per_op\": %.1f, \"min\": %.1f, "
           "\"max\": %.1f, \"runs\": %d}\n",
           name, weft_driver_name(), ns[RUNS / 2], ns[0], ns[RUNS - 1], RUNS);
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    weft_must(weft_start(NULL));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (argc < 2 || strstr(rows[i].name, argv[1]))
            measure(rows[i].name, rows[i].run);
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// SPDX-License-Identifier: MIT
//
// The rows with POSIX threads and the C library: no rival, but what one has without a runtime.
// Stacks have 64 KiB, as weft's tasks do.
#include "measure.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <ucontext.h>

enum { STACK_SIZE = 65536, BATCH = 1000, TIMERS = 100000, SPREAD_NS = 500000000 };

static const char *row;
static pthread_attr_t attributes;

static void check(const char *what, int error) {
    if (error != 0)
        bench_fail(row, "pthread", what, strerror(error));
}

static void start(pthread_t *thread, void *(*fn)(void *), void *arg) {
    static _Atomic long started;
    char what[64];
    int error = pthread_create(thread, &attributes, fn, arg);
    if (error != 0)
        (void)snprintf(what, sizeof what, "pthread_create after %ld threads", started);
    check(what, error);
    started++;
}

static void join(pthread_t thread) {
    check("pthread_join", pthread_join(thread, NULL));
}

static void *allocate(size_t size) {
    void *block = malloc(size);
    if (!block)
        check("malloc", ENOMEM);
    return block;
}

static void *nothing(void *arg) {
    return arg;
}

// ---- Switching ------------------------------------------------------------------------------

static ucontext_t here, same, apart;

static __attribute__((noinline)) void bounce(ucontext_t *self, ucontext_t *other, long count) {
    for (; count > 0; count--)
        (void)swapcontext(self, other);
}

static void answer_from_the_same_place(void) {
    bounce(&same, &here, LONG_MAX);
}

static void answer_from_another(void) {
    for (;;)
        (void)swapcontext(&apart, &here);
}

static long run_same(long count) {
    bounce(&here, &same, count / 2);
    return count / 2 * 2;
}

static long run_apart(long count) {
    bounce(&here, &apart, count / 2);
    return count / 2 * 2;
}

static void make(ucontext_t *context, void (*fn)(void)) {
    (void)getcontext(context);
    context->uc_stack.ss_sp = allocate(STACK_SIZE);
    context->uc_stack.ss_size = STACK_SIZE;
    makecontext(context, fn, 0);
}

// swapcontext(3), for want of anything of threads' own. As bench/micro/switch.c does it.
static void bare_switch(void) {
    double count;
    make(&same, answer_from_the_same_place);
    make(&apart, answer_from_another);
    struct bench_span span = bench_repeat(run_apart, &count);
    double apart_ns = span.cpu_ns / count;
    span = bench_repeat(run_same, &count);
    bench_print(row, "pthread", count, span,
                (struct bench_fact[]){{"apart_cpu_ns", apart_ns}, {NULL, 0}});
}

static void *yield_often(void *arg) {
    for (long i = *(long *)arg; i > 0; i--)
        (void)sched_yield();
    return NULL;
}

static long yield_among(int threads, long count) {
    pthread_t all[BATCH];
    long each = count / threads + 1;
    for (int i = 0; i < threads; i++)
        start(&all[i], yield_often, &each);
    for (int i = 0; i < threads; i++)
        join(all[i]);
    return each * threads;
}

static long run_yield_2(long count) {
    return yield_among(2, count);
}

static long run_yield_1000(long count) {
    return yield_among(1000, count);
}

// ---- A mutex --------------------------------------------------------------------------------

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static long run_mutex(long count) {
    for (long i = 0; i < count; i++) {
        (void)pthread_mutex_lock(&mutex);
        (void)pthread_mutex_unlock(&mutex);
    }
    return count;
}

static void *hold_often(void *arg) {
    for (long i = *(long *)arg; i > 0; i--) {
        (void)pthread_mutex_lock(&mutex);
        (void)sched_yield();
        (void)pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

// Held across a yield, so that the other one waits for it.
static long run_mutex_handed(long count) {
    pthread_t all[2];
    long each = count / 2 + 1;
    for (int i = 0; i < 2; i++)
        start(&all[i], hold_often, &each);
    for (int i = 0; i < 2; i++)
        join(all[i]);
    return each * 2;
}

// ---- Starting -------------------------------------------------------------------------------

static long run_spawn_join(long count) {
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        start(&thread, nothing, NULL);
        join(thread);
    }
    return count;
}

static long run_spawn_1000(long count) {
    pthread_t all[BATCH];
    long done = 0;
    for (; done < count; done += BATCH) {
        for (int i = 0; i < BATCH; i++)
            start(&all[i], nothing, NULL);
        for (int i = 0; i < BATCH; i++)
            join(all[i]);
    }
    return done;
}

struct node {
    int levels; // below this one
    long count; // ret: threads from here down
};

static void *grow(void *arg) {
    enum { CHILDREN = 10 };
    struct node *node = arg, children[CHILDREN];
    pthread_t threads[CHILDREN];
    node->count = 1;
    if (node->levels == 0)
        return NULL;
    for (int i = 0; i < CHILDREN; i++) {
        children[i].levels = node->levels - 1;
        start(&threads[i], grow, &children[i]);
    }
    for (int i = 0; i < CHILDREN; i++) {
        join(threads[i]);
        node->count += children[i].count;
    }
    return NULL;
}

static void tree(void) {
    struct node root = {bench_count(100) < 100 ? 3 : 6, 0};
    pthread_t thread;
    struct bench_span begin = bench_begin();
    start(&thread, grow, &root);
    join(thread);
    bench_print(row, "pthread", (double)root.count, bench_since(begin), NULL);
}

// ---- Timers ---------------------------------------------------------------------------------

static timer_t set_timer(time_t seconds) {
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    struct itimerspec when = {.it_value = {.tv_sec = seconds}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &none, &timer) < 0)
        check("timer_create (ulimit -i bounds how many)", errno);
    if (timer_settime(timer, 0, &when, NULL) < 0)
        check("timer_settime", errno);
    return timer;
}

static long run_timer_cancel(long count) {
    static long others;
    for (; others < bench_count(TIMERS); others++)
        (void)set_timer(3600);
    for (long i = 0; i < count; i++)
        (void)timer_delete(set_timer(10));
    return count;
}

static void *sleep_once(void *arg) {
    struct timespec left = {0, *(long *)arg};
    left.tv_sec = left.tv_nsec / 1000000000;
    left.tv_nsec %= 1000000000;
    while (nanosleep(&left, &left) < 0)
        continue;
    return NULL;
}

static void sleep_fired(void) {
    long count = bench_count(TIMERS);
    pthread_t *threads = allocate((size_t)count * sizeof *threads);
    long *durations = allocate((size_t)count * sizeof *durations);
    struct bench_span begin = bench_begin();
    for (long i = 0; i < count; i++) {
        durations[i] = SPREAD_NS + i * 7919 % count * (SPREAD_NS / count);
        start(&threads[i], sleep_once, &durations[i]);
    }
    for (long i = 0; i < count; i++)
        join(threads[i]);
    bench_print(row, "pthread", (double)count, bench_since(begin), NULL);
}

// ---- Memory ---------------------------------------------------------------------------------

static sem_t parked, released;

static void *park(void *arg) {
    (void)sem_post(&parked);
    while (sem_wait(&released) < 0)
        continue;
    return arg;
}

static void gather(pthread_t *threads, long count) {
    for (long i = 0; i < count; i++)
        start(&threads[i], park, NULL);
    for (long i = 0; i < count; i++)
        while (sem_wait(&parked) < 0)
            continue;
}

static void dismiss(pthread_t *threads, long count) {
    for (long i = 0; i < count; i++)
        (void)sem_post(&released);
    for (long i = 0; i < count; i++)
        join(threads[i]);
}

static void crowd(long count) {
    pthread_t *threads = allocate((size_t)count * sizeof *threads);
    gather(threads, 10);
    dismiss(threads, 10);
    double before = bench_memory("VmRSS");
    struct bench_span begin = bench_begin();
    gather(threads, count);
    struct bench_span span = bench_since(begin);
    double resident = bench_memory("VmRSS"), reserved = bench_memory("VmSize");
    dismiss(threads, count);
    (void)nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    double kept = bench_memory("VmRSS") - before;
    bench_print(
        row, "pthread", (double)count, span,
        (struct bench_fact[]){{"resident_mb", resident / 1e6},
                              {"virtual_mb", reserved / 1e6},
                              {"bytes_per_task", (resident - before) / (double)count},
                              {"given_back_percent", 100 * (1 - kept / (resident - before))},
                              {NULL, 0}});
}

static void parked_many(void) {
    crowd(bench_count(100000));
}

static void alive(void) {
    crowd(bench_count(1000000));
}

// ---- Choosing -------------------------------------------------------------------------------

static const struct {
    const char *name;
    long (*repeat)(long); // one of the two
    void (*once)(void);
} rows[] = {
    {"switch", NULL, bare_switch},
    {"yield_2", run_yield_2, NULL},
    {"yield_1000", run_yield_1000, NULL},
    {"mutex", run_mutex, NULL},
    {"mutex_handed", run_mutex_handed, NULL},
    {"spawn_join", run_spawn_join, NULL},
    {"spawn_1000", run_spawn_1000, NULL},
    {"timer_cancel", run_timer_cancel, NULL},
    {"tree", NULL, tree},
    {"sleep_fired", NULL, sleep_fired},
    {"parked", NULL, parked_many},
    {"alive", NULL, alive},
};

int main(int argc, char **argv) {
    struct rlimit signals = {200000, 200000}; // each timer counts as a pending signal
    (void)setrlimit(RLIMIT_SIGPENDING, &signals);
    (void)sem_init(&parked, 0, 0);
    (void)sem_init(&released, 0, 0);
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    row = bench_row(argc, argv);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, row) != 0)
            continue;
        double count;
        if (rows[i].once)
            rows[i].once();
        else {
            struct bench_span span = bench_repeat(rows[i].repeat, &count);
            bench_print(row, "pthread", count, span, NULL);
        }
        return EXIT_SUCCESS;
    }
    bench_fail(row, "pthread", "no such row", row);
}

// SPDX-License-Identifier: MIT
// A good guest: signals, descriptors and the processor belong to the program that weft lives in.
// "No signal disposition is changed but SIGSEGV/SIGBUS ... -EINTR is never returned. Every fd is
// CLOEXEC ... Threads of weft block all asynchronous signals."
#include "case.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_dispositions(struct sigaction *actions) {
    for (int number = 1; number < 32; number++)
        sigaction(number, NULL, &actions[number]);
}

static void expect_same_dispositions(const struct sigaction *before, bool also_faults) {
    struct sigaction now[32] = {0};
    read_dispositions(now);
    for (int number = 1; number < 32; number++) {
        if (!also_faults && (number == SIGSEGV || number == SIGBUS))
            continue;
        if (now[number].sa_handler != before[number].sa_handler)
            fail_msg("the disposition of signal %d has changed", number);
    }
}

CASE(no_signal_disposition_is_changed_but_those_of_faults, .is_bare = true) {
    struct sigaction before[32] = {0};
    read_dispositions(before);
    expect(world_start(), 0);
    struct tcp_pair pair = tcp_pair_open();
    expect_waits(weft_ready(pair.server, WEFT_READ));
    tcp_pair_close(&pair);
    expect_same_dispositions(before, false);
    if (world_has_tasks())
        expect(weft_stop(WEFT_SECOND), 0);
    expect_same_dispositions(before, true); // chained, and given back
}

// Those that a program waits for are given back as well.
CASE(signals_that_were_waited_for_are_given_back, .is_bare = true) {
    struct sigaction before[32] = {0};
    const int wanted[] = {SIGINT, SIGUSR1};
    read_dispositions(before);
    expect(world_start(), 0);
    expect(weft_signal_hold(wanted, 2), 0);
    expect(raise(SIGUSR1), 0);
    expect(weft_signal_wait(wanted, 2), SIGUSR1);
    expect(weft_stop(WEFT_SECOND), 0);
    expect_same_dispositions(before, true);
}
CASE_NEEDS_PUBLIC_DRIVER(signals_that_were_waited_for_are_given_back)

// weft_options.no_overflow_report: "1: leave SIGSEGV and SIGBUS alone".
CASE(the_overflow_report_can_be_turned_off, .is_bare = true) {
    struct sigaction before[32] = {0};
    weft_options options = {.driver = world_driver(), .no_overflow_report = 1};
    read_dispositions(before);
    expect(weft_start(&options), 0);
    expect_same_dispositions(before, true);
    expect(weft_stop(WEFT_SECOND), 0);
}
CASE_NEEDS_PUBLIC_DRIVER(the_overflow_report_can_be_turned_off)

CASE(every_descriptor_is_closed_on_exec) {
    weft_addr addr;
    struct tcp_pair pair = tcp_pair_open();
    int listener = listen_anywhere(&addr), sock = udp_anywhere(&addr);
    expect_waits(weft_accept(listener));
    expect_waits(weft_read(pair.server, &addr, 1));
    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        char path[64], target[128] = {0};
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (flags < 0 || flags & FD_CLOEXEC || readlink(path, target, sizeof target - 1) < 0)
            continue;
        if (strstr(target, "socket:") || strstr(target, "anon_inode:"))
            fail_msg("descriptor %d (%s) would survive exec", fd, target);
    }
    expect(weft_close(listener), 0);
    expect(weft_close(sock), 0);
    tcp_pair_close(&pair);
}

static struct flag signals_seen; // lock-free, so a handler may raise it

static void count_signal(int number) {
    (void)number;
    flag_raise(&signals_seen);
}

// "SIGPIPE never arises."
CASE(a_write_to_nobody_raises_no_signal) {
    struct tcp_pair pair = tcp_pair_open();
    struct iovec part = {"x", 1};
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = count_signal}, NULL);
    expect(weft_close(pair.server), 0);
    expect(write_until_error(pair.client), -EPIPE);
    expect(weft_write_all(pair.client, "x", 1), -EPIPE);
    expect(weft_writev(pair.client, &part, 1), -EPIPE);
    expect(weft_printf(pair.client, "x"), -EPIPE);
    expect(flag_value(&signals_seen), 0);
    expect(weft_close(pair.client), 0);
}

struct target {
    int conn;
    pthread_t thread;
    ssize_t result;
    struct flag begun;
};

static void *read_in_thread(void *context) {
    struct target *target = context;
    char byte;
    flag_raise(&target->begun);
    target->result = weft_read(target->conn, &byte, 1);
    return NULL;
}

// A handler without SA_RESTART interrupts every system call it meets. Sent again while it is
// awaited: under ThreadSanitizer a handler runs at the next call into libc, and a waiting thread
// makes none.
static void interrupt_often(pthread_t thread) {
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = count_signal}, NULL);
    for (int i = 0; i < 50; i++) {
        expect(-pthread_kill(thread, SIGUSR1), 0);
        for (struct await await = {0}; flag_value(&signals_seen) <= i;) {
            await_pause(&await, "the signal was handled");
            expect(-pthread_kill(thread, SIGUSR1), 0);
        }
    }
}

CASE(a_waiting_thread_survives_signals) {
    struct tcp_pair pair = tcp_pair_open();
    struct target target = {.conn = pair.server};
    expect(-pthread_create(&target.thread, NULL, read_in_thread, &target), 0);
    await_waiting(pair.server, WEFT_READ, 1);
    interrupt_often(target.thread);
    expect(weft_write(pair.client, "x", 1), 1);
    expect(-pthread_join(target.thread, NULL), 0);
    expect(target.result, 1);
    tcp_pair_close(&pair);
}
CASE_NOT_ON(a_waiting_thread_survives_signals, "sim", NO_THREADS)

static void *interrupt_worker(void *context) {
    struct target *target = context;
    await_flag(&target->begun, 1);
    interrupt_often(target->thread);
    expect(weft_write(target->conn, "x", 1), 1);
    return NULL;
}

CASE(a_waiting_worker_survives_signals) {
    struct tcp_pair pair = tcp_pair_open();
    struct target target = {.conn = pair.client, .thread = pthread_self()};
    pthread_t thread;
    char byte;
    expect(-pthread_create(&thread, NULL, interrupt_worker, &target), 0);
    flag_raise(&target.begun);
    expect(weft_read(pair.server, &byte, 1), 1); // all the while
    expect(-pthread_join(thread, NULL), 0);
    tcp_pair_close(&pair);
}
CASE_NEEDS_RUNTIME(a_waiting_worker_survives_signals)
CASE_NOT_ON(a_waiting_worker_survives_signals, "sim", NO_THREADS)

static bool blocks_asynchronous_signals(const char *thread_id) {
    static const int asynchronous[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD};
    char path[512], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread_id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return true; // it has ended meanwhile
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "SigBlk:", 7) == 0)
            mask = strtoull(line + 7, NULL, 16);
    fclose(file);
    for (size_t i = 0; i < sizeof asynchronous / sizeof asynchronous[0]; i++)
        if ((mask >> (asynchronous[i] - 1) & 1) == 0)
            return false;
    return true;
}

// On the thread driver the case runs in a thread of its own, which bears the program's name; weft's
// have names of their own.
static bool is_party(const char *thread_id) {
    char path[512], name[32] = "", program[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread_id);
    FILE *file = fopen(path, "r"), *own = fopen("/proc/self/comm", "r");
    if (file != NULL && own != NULL && fgets(name, sizeof name, file) != NULL)
        expect_that(fgets(program, sizeof program, own) != NULL);
    if (file != NULL)
        fclose(file);
    if (own != NULL)
        fclose(own);
    return strcmp(name, program) == 0;
}

static int nothing(void *context) {
    (void)context;
    return 0;
}

// A lookup, a blocking call and a wait for signals need helper threads, where there are threads at
// all. The last one's does not block the signals that are waited for.
CASE(threads_of_weft_block_asynchronous_signals) {
    const int unlisted = SIGUSR2;
    weft_addr list[2];
    expect_that(weft_resolve("localhost:1", list, 2) >= 1);
    expect(weft_blocking(nothing, NULL), 0);
    expect(weft_signal_hold(&unlisted, 1), world_is("sim") ? -ENOTSUP : 0);
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *id = entry->d_name;
        bool is_ours = strtol(id, NULL, 10) == getpid() || is_party(id);
        if (id[0] != '.' && !is_ours && test_slowness() == 1 && !blocks_asynchronous_signals(id))
            fail_msg("thread %s may be interrupted", id);
    }
    closedir(dir);
}

// ---- Taking turns -----------------------------------------------------------------------------

static int raise_flag(void *flag) {
    flag_raise(flag);
    return 0;
}

// "Worker 1 runs tasks only while task zero waits inside weft."
CASE(tasks_run_only_while_task_zero_waits) {
    struct flag ran = {0};
    weft_scope scope = {0};
    weft_addr addr;
    weft_task_options here = {.worker = WEFT_WORKER_HERE}; // another worker would take it
    expect(weft_go_with(&scope, raise_flag, (void *)&ran, &here), 0);
    for (int i = 0; i < 1000; i++) // calls that do not wait
        expect_that(weft_now() > 0 && weft_check() == 0);
    expect(weft_close(udp_anywhere(&addr)), 0);
    expect(flag_value(&ran), 0);
    expect(weft_join(&scope), 0);
    expect(flag_value(&ran), 1);
}
CASE_NEEDS_TASKS(tasks_run_only_while_task_zero_waits)

struct busy {
    int sock;
    weft_addr addr;
    struct flag stop;
    long rounds;
};

static int be_busy(void *context) {
    struct busy *busy = context;
    char byte;
    for (; flag_value(&busy->stop) == 0; busy->rounds++) {
        expect(weft_send_to(busy->sock, "x", 1, &busy->addr), 1);
        expect(weft_recv_from(busy->sock, &byte, 1, NULL), 1);
    }
    return 0;
}

static int yield_and_stop(void *context) {
    struct busy *busy = context;
    for (int i = 0; i < 10; i++)
        expect(weft_yield(), 0);
    flag_raise(&busy->stop);
    return 0;
}

// "An op budget (about 64 calls, inline successes included) keeps one busy connection from starving
// the rest": the busy one never has to wait, and the other gets its turns nevertheless.
CASE(a_busy_task_does_not_starve_the_others) {
    struct busy busy = {.rounds = 0};
    weft_scope scope = {0};
    busy.sock = udp_anywhere(&busy.addr);
    weft_task_options here = {.worker = WEFT_WORKER_HERE}; // so that they are in each other's way
    expect(weft_go_with(&scope, be_busy, (void *)&busy, &here), 0);
    expect(weft_go_with(&scope, yield_and_stop, (void *)&busy, &here), 0);
    expect(weft_join(&scope), 0);
    expect(weft_close(busy.sock), 0);
}
CASE_NEEDS_TASKS(a_busy_task_does_not_starve_the_others)

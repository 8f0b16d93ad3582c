// SPDX-License-Identifier: MIT
// What the tests of dumps share: a dump as text, and what is looked for in it.
#ifndef TESTS_UNIT_DUMP_TOOLS_H
#define TESTS_UNIT_DUMP_TOOLS_H

#define UNIT_WORKERS "2"
#include "task_tools.h"

#include <stdio.h>
#include <sys/mman.h>

enum { TEXT_SIZE = 1 << 20 };

static const int worker_counts[] = {1, 2, 8};

// What a dump says. One at a time. Again, if a worker was kept from its processor for too long.
static inline const char *dump(void) {
    static char text[TEXT_SIZE];
    for (struct await await = {0};; await_pause(&await, "the workers have processors")) {
        int fd = memfd_create("dump", MFD_CLOEXEC);
        assert_true(fd >= 0);
        expect(weft_dump(fd), 0);
        ssize_t size = pread(fd, text, sizeof text - 1, 0);
        assert_true(size > 0);
        text[size] = '\0';
        close(fd);
        if (!strstr(text, "its worker gets no processor"))
            return text;
    }
}

// Where it stands in the text; a failure that shows the text, if it does not.
static inline const char *find(const char *text, const char *wanted) {
    const char *found = strstr(text, wanted);
    if (!found)
        fail_msg("no \"%s\" in:\n%s", wanted, text);
    return found;
}

// The line that begins, but for blanks, with a task of this name.
static inline const char *task_line(const char *text, const char *name) {
    char quoted[64];
    static char line[2048];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *begin = find(text, quoted), *end = strchr(begin, '\n');
    (void)snprintf(line, sizeof line, "%.*s", (int)(end - begin), begin);
    return line;
}

// A function that is listed somewhere in the backtrace of a task of this name.
static inline void expect_frame(const char *text, const char *name, const char *function) {
    char quoted[64];
    static char part[8192];
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", name);
#if defined(WEFT__CONTEXT_UCONTEXT)
    return; // which tells of none but the running one
#endif
    const char *begin = find(text, quoted), *end = strstr(begin, "started in ");
    (void)snprintf(part, sizeof part, "%.*s", end ? (int)(end - begin) : 4000, begin);
    (void)find(part, function);
}

static __attribute__((noinline, unused)) void go_named(weft_scope *scope, int (*fn)(void *),
                                                       void *arg, const char *name) {
    expect(weft_go_with(scope, fn, arg, &(weft_task_options){.name = name}), 0);
}

static inline void await_parked(size_t count) {
    await_that(weft__runtime_parked(weft__runtime_now()) >= count);
}

// ---- Lines of the log -----------------------------------------------------------------------

static struct {
    pthread_mutex_t mutex;
    size_t length;
    char text[TEXT_SIZE];
} sink = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void keep_line(int level, const char *line, void *context) {
    (void)level, (void)context;
    pthread_mutex_lock(&sink.mutex);
    int n = snprintf(sink.text + sink.length, sizeof sink.text - sink.length, "%s\n", line);
    sink.length += sink.length + (size_t)n < sizeof sink.text ? (size_t)n : 0;
    pthread_mutex_unlock(&sink.mutex);
}

static inline bool is_kept(const char *wanted) {
    pthread_mutex_lock(&sink.mutex);
    bool is_there = strstr(sink.text, wanted) != NULL;
    pthread_mutex_unlock(&sink.mutex);
    return is_there;
}

static inline void forget_lines(void) {
    pthread_mutex_lock(&sink.mutex);
    sink.text[sink.length = 0] = '\0';
    pthread_mutex_unlock(&sink.mutex);
}

// ---- Drivers --------------------------------------------------------------------------------

// Calls it for each driver that is there, and each number of workers.
static inline void on_each(void (*fn)(const char *driver, int workers)) {
    static const char *const drivers[] = {"epoll", "uring"};
    for (size_t d = 0; d < 2; d++) {
        if (d == 1 && (test_under_valgrind() || weft_start(&(weft_options){.driver = "uring"}) < 0))
            return;
        (void)weft_stop(INT64_MAX);
        for (size_t i = 0; i < sizeof worker_counts / sizeof worker_counts[0]; i++)
            fn(drivers[d], worker_counts[i]);
    }
}

#endif

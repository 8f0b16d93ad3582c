// SPDX-License-Identifier: MIT
// Unit tests of os/apart.c: a thread that shares no descriptor with the process, but for stderr
// when it asks for that.
#include "task_tools.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "refuse_syscall.h"

struct apart {
    long refused; // a system call, or 0
    int fd;       // of the process
    bool has_none, is_own, was_written;
};

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static bool write_line(void) {
    weft__os_apart_open_stderr();
    bool is_written = write(STDERR_FILENO, "from apart\n", 11) == 11;
    weft__os_apart_close_stderr();
    return is_written;
}

static void *go_apart(void *arg) {
    struct apart *apart = arg;
    if (apart->refused != 0) // to this thread alone
        expect(refuse_syscall(apart->refused, EPERM), 0);
    weft__os_apart_begin();
    apart->has_none = !is_open(STDERR_FILENO) && !is_open(apart->fd);
    int fd = open("/dev/null", O_RDONLY);
    apart->is_own = fd >= 0;
    close(fd);
    apart->was_written = write_line();
    return NULL;
}

static void run_apart(struct apart *apart) {
    apart->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    stderr_catch_begin();
    thread_join(thread_start(go_apart, apart));
    expect(stderr_catch_count("from apart"), 1);
    stderr_catch_end();
    expect_that(is_open(STDERR_FILENO) && is_open(apart->fd));
    close(apart->fd);
    expect_that(apart->is_own && apart->was_written);
}

static void it_has_no_descriptor_but_stderr_for_a_while(void **state) {
    (void)state;
    struct apart apart = {.refused = 0};
    run_apart(&apart);
    if (test_slowness() == 1)
        expect_that(apart.has_none);
}

static void without_pidfd_getfd_the_file_is_opened_anew(void **state) {
    (void)state;
    struct apart apart = {.refused = SYS_pidfd_getfd};
    if (test_slowness() > 1)
        skip();
    run_apart(&apart);
    expect_that(apart.has_none);
}

static void without_close_range_nothing_changes(void **state) {
    (void)state;
    struct apart apart = {.refused = SYS_close_range};
    if (test_slowness() > 1)
        skip();
    run_apart(&apart);
    expect_that(!apart.has_none);
}

static void others_keep_theirs(void **state) {
    (void)state;
    stderr_catch_begin();
    expect_that(write_line());
    expect_that(write_line());
    expect(stderr_catch_count("from apart"), 2);
    stderr_catch_end();
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(it_has_no_descriptor_but_stderr_for_a_while),
        CASE(without_pidfd_getfd_the_file_is_opened_anew),
        CASE(without_close_range_nothing_changes),
        CASE(others_keep_theirs),
    };
    return RUN(cases);
}

// SPDX-License-Identifier: MIT
// Unit tests of os/log.c: what a line looks like and where it goes. stderr is a pipe of the test's
// own; the level is read once a process, so each level has a process of its own.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"
#include "refuse_syscall.h"

enum { HANG_S = 120 };

static int pipe_fds[2], original;

// A pipe of packets (pipe(2), O_DIRECT): each read gives what one write has written.
static void catch_stderr(void) {
    assert_int_equal(pipe2(pipe_fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    original = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
    close(pipe_fds[1]);
}

static void release_stderr(void) {
    dup2(original, STDERR_FILENO);
    close(original);
    if (pipe_fds[0] >= 0)
        close(pipe_fds[0]);
}

static const char *next_write(void) {
    static char buf[8192];
    ssize_t n = read(pipe_fds[0], buf, sizeof buf - 1);
    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

// ---- What a line looks like: with the level at info, see main ----

static void a_line_is_one_write(void **state) {
    (void)state;
    catch_stderr();
    weft__log(WEFT__LOG_WARN, "%s is %d", "answer", 42);
    weft__log(WEFT__LOG_INFO, "second");
    char lines[3][64];
    for (int i = 0; i < 3; i++)
        snprintf(lines[i], sizeof lines[i], "%.63s", next_write());
    release_stderr();
    assert_string_equal(lines[0], "weft: answer is 42\n");
    assert_string_equal(lines[1], "weft: second\n");
    assert_string_equal(lines[2], "");
}

static void a_long_line_is_cut_and_still_ends(void **state) {
    (void)state;
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    catch_stderr();
    weft__log(WEFT__LOG_WARN, "%s", text);
    const char *line = next_write();
    release_stderr();
    size_t length = strlen(line);
    assert_true(length > 500 && length < 1100);
    assert_int_equal(line[length - 1], '\n');
    assert_int_equal(line[length - 2], 'x');
}

static void a_reader_that_is_gone_raises_no_signal(void **state) {
    (void)state;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    catch_stderr();
    close(pipe_fds[0]);
    pipe_fds[0] = -1;
    weft__log(WEFT__LOG_WARN, "nobody reads this"); // SIGPIPE would end the process
    release_stderr();
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
    sigpending(&after);
    assert_int_equal(sigismember(&after, SIGPIPE), 0);
}

// Somebody has blocked SIGPIPE and has one pending: it is not taken away.
static void a_pending_sigpipe_of_the_program_stays(void **state) {
    (void)state;
    sigset_t set, before, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    assert_int_equal(raise(SIGPIPE), 0);
    catch_stderr();
    close(pipe_fds[0]);
    pipe_fds[0] = -1;
    weft__log(WEFT__LOG_WARN, "nobody reads this");
    release_stderr();
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 1);
    int number;
    assert_int_equal(sigwait(&set, &number), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct sunk {
    int count, level;
    char text[64];
};

static void sink(int level, const char *text, void *context) {
    struct sunk *sunk = context;
    sunk->count++;
    sunk->level = level;
    snprintf(sunk->text, sizeof sunk->text, "%.63s", text);
}

static void a_sink_gets_the_text_instead(void **state) {
    (void)state;
    struct sunk sunk = {0};
    catch_stderr();
    weft__log_to(sink, &sunk);
    weft__log(WEFT__LOG_WARN, "to %s", "sink");
    weft__log_to(NULL, NULL);
    const char *line = next_write();
    release_stderr();
    assert_string_equal(line, "");
    assert_int_equal(sunk.count, 1);
    assert_int_equal(sunk.level, WEFT__LOG_WARN);
    assert_string_equal(sunk.text, "to sink");
}

// ---- Levels ----

#define COMPLAINT "weft: WEFT_LOG=x\\x0ay is unknown: there are off, warn and info\n"

// In the child: bit 0 a warning is written, bit 1 an information is, bit 2 a sink gets both, bit 3
// the level is complained of, before the first line.
static int levels_written(void) {
    struct sunk sunk = {0};
    int written = 0;
    catch_stderr();
    weft__log(WEFT__LOG_WARN, "warning");
    const char *line = next_write();
    if (strstr(line, "WEFT_LOG") != NULL) {
        written |= (strcmp(line, COMPLAINT) == 0) << 3;
        line = next_write();
    }
    written |= *line != '\0';
    weft__log(WEFT__LOG_INFO, "information");
    written |= (*next_write() != '\0') << 1;
    weft__log_to(sink, &sunk);
    weft__log(WEFT__LOG_WARN, "warning");
    weft__log(WEFT__LOG_INFO, "information");
    release_stderr();
    return written | (sunk.count == 2 && sunk.level == WEFT__LOG_INFO) << 2;
}

static void the_environment_sets_the_level_of_stderr(void **state) {
    (void)state;
    static const struct {
        const char *level;
        int written;
    } levels[] = {{NULL, 5}, {"off", 4}, {"warn", 5}, {"info", 7}, {"x\ny", 13}, {"", 5}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (levels[i].level != NULL)
            setenv("WEFT_LOG", levels[i].level, 1);
        else
            unsetenv("WEFT_LOG");
        assert_int_equal(exit_status_of_self("levels", 0), levels[i].written);
    }
}

int main(int argc, char **argv) {
    (void)argv;
    alarm(HANG_S);
    if (argc == 3)
        return levels_written();
    setenv("WEFT_LOG", "info", 1);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_line_is_one_write),
        cmocka_unit_test(a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(a_reader_that_is_gone_raises_no_signal),
        cmocka_unit_test(a_pending_sigpipe_of_the_program_stays),
        cmocka_unit_test(a_sink_gets_the_text_instead),
        cmocka_unit_test(the_environment_sets_the_level_of_stderr),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

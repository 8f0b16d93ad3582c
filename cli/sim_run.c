// SPDX-License-Identifier: MIT
// A process for one seed: see sim_run.h. Two pipes lead here, its stderr and its report; it reads
// and prints nothing else.
#include "sim_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft.h>

enum { READ_SIZE = 64 * 1024, PIPE_MAX_SIZE = 1024 * 1024 }; // what a pipe holds, and can: pipe(7)
static const int64_t LAST_WORDS_NS = 300 * WEFT_MILLISECOND;

// What the child writes into the report's pipe when there is no program to write a report.
#define START_ERROR "start_error="

bool sim_is_failure(const struct sim_outcome *outcome) {
    return outcome->how > SIM_PASSED && outcome->how < SIM_SILENT;
}

bool sim_is_error(const struct sim_outcome *outcome) {
    return outcome->how >= SIM_SILENT;
}

char *sim_how_text(const struct sim_outcome *outcome, char buf[SIM_HOW_TEXT_SIZE]) {
    static const char *const texts[] = {
        [SIM_HUNG] = "did not end in time (--timeout)",
        [SIM_REPORTED] = "reported a failure, and ended with status 0",
    };
    const char *word = outcome->how <= SIM_REPORTED ? texts[outcome->how] : NULL;
    if (outcome->how == SIM_EXITED)
        snprintf(buf, SIM_HOW_TEXT_SIZE, "ended with status %d", outcome->code);
    else if (outcome->how == SIM_SIGNALLED)
        snprintf(buf, SIM_HOW_TEXT_SIZE, "ended by signal %d (%s)", outcome->code,
                 strsignal(outcome->code));
    else if (outcome->how == SIM_DRIFTED)
        snprintf(buf, SIM_HOW_TEXT_SIZE,
                 "not deterministic: two runs, hashes %016" PRIx64 " and %016" PRIx64,
                 outcome->other_hash, outcome->report.hash);
    else
        snprintf(buf, SIM_HOW_TEXT_SIZE, "%s", word ? word : "");
    return buf;
}

void sim_outcome_close(struct sim_outcome *outcome) {
    free(outcome->text);
    outcome->text = NULL;
    outcome->text_size = 0;
}

// ---- Starting ----

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

// Ours are closed in every program that we start, and only our end never waits: what the program
// writes into are blocking pipes, as it expects them.
static int open_pipe(int fds[2]) {
    if (pipe(fds) < 0)
        return -errno;
    if (fcntl(fds[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fds[1], F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static int set_number(const char *name, uint64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return setenv(name, text, 1);
}

// Makes this process, which fork(2) has just made, the program. Returns only if it cannot. Should
// the parent die, of whatever, the program has nobody to report to and ends.
static void become_program(const struct sim_start *start, pid_t parent, int err, int report) {
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return;
    if (getppid() != parent) // it died before it was watched
        _exit(0);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(err, STDERR_FILENO) < 0 || close(null) < 0 || fcntl(report, F_SETFD, 0) < 0)
        return;
    if (set_number("WEFT_SIM_SEED", start->seed) < 0 ||
        set_number("WEFT_SIM_REPORT_FD", (uint64_t)report) < 0 ||
        (start->faults && setenv("WEFT_SIM_FAULTS", start->faults, 1) < 0))
        return;
    sigprocmask(SIG_SETMASK, &start->signals, NULL);
    execvp(start->argv[0], start->argv);
}

static _Noreturn void run_child(const struct sim_start *start, pid_t parent, int err, int report) {
    become_program(start, parent, err, report);
    dprintf(report, START_ERROR "%d\n", errno);
    _exit(127);
}

static int64_t time_after(int64_t duration_ns) {
    int64_t now = weft_now();
    return duration_ns > INT64_MAX - now ? INT64_MAX : now + duration_ns;
}

int sim_run_start(struct sim_run *run, const struct sim_start *start, struct sim_faults *faults) {
    int err[2] = {-1, -1}, report[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;
    int error = open_pipe(err);
    if (error == 0)
        error = open_pipe(report);
    if (error == 0 && (pid = fork()) < 0)
        error = -errno;
    if (pid == 0)
        run_child(start, parent, err[1], report[1]);
    close_fd(&err[1]);
    close_fd(&report[1]);
    if (error < 0) {
        close_fd(&err[0]);
        close_fd(&report[0]);
        return error;
    }
    (void)setpgid(pid, pid); // the child does it, too: whoever is first, it is done before a kill
    *run = (struct sim_run){.pid = pid,
                            .stderr_fd = err[0],
                            .report_fd = report[0],
                            .deadline_ns = time_after(start->timeout_ns),
                            .faults = faults};
    return 0;
}

// ---- Listening ----

// Of what the program has said, its end: there it says why it fails.
static void cut_text(struct sim_outcome *outcome) {
    if (outcome->text_size <= SIM_STDERR_SIZE)
        return;
    memmove(outcome->text, outcome->text + outcome->text_size - SIM_STDERR_SIZE, SIM_STDERR_SIZE);
    outcome->text_size = SIM_STDERR_SIZE;
}

// The buffer is twice as large as what is kept, so that few bytes are ever moved; untouched, it
// costs nothing.
static void keep_text(struct sim_outcome *outcome, const char *buf, size_t size) {
    if (!outcome->text)
        outcome->text = malloc(2 * SIM_STDERR_SIZE);
    if (!outcome->text)
        return; // the seed and how it ended are worth more than its text
    if (outcome->text_size + size > 2 * SIM_STDERR_SIZE)
        cut_text(outcome);
    memcpy(outcome->text + outcome->text_size, buf, size);
    outcome->text_size += size;
}

static void take_line(struct sim_run *run) {
    struct sim_outcome *outcome = &run->outcome;
    size_t mark = sizeof START_ERROR - 1;
    if (strncmp(run->line, START_ERROR, mark) == 0) {
        outcome->how = SIM_NO_PROGRAM;
        outcome->code = (int)strtol(run->line + mark, NULL, 10);
    } else if (sim_report_add(&outcome->report, run->faults, run->line) < 0) {
        run->is_unreadable = true;
    }
}

// Takes lines as they become whole; a piece without an end may still be growing.
static void keep_report(struct sim_run *run, const char *buf, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (buf[i] == '\n') {
            run->line[run->line_size] = '\0';
            take_line(run);
            run->line_size = 0;
        } else if (run->line_size < sizeof run->line - 1) {
            run->line[run->line_size++] = buf[i];
        } else {
            run->is_unreadable = true;
        }
    }
}

// Reads at most what a pipe holds, unless it was made larger. Returns whether more may be there.
static bool read_pipe(struct sim_run *run, int *fd) {
    char buf[READ_SIZE];
    ssize_t n = *fd >= 0 ? read(*fd, buf, sizeof buf) : -1;
    if (n == 0)
        close_fd(fd);
    if (n <= 0) // EAGAIN, if it is still open
        return false;
    if (fd == &run->stderr_fd)
        keep_text(&run->outcome, buf, (size_t)n);
    else
        keep_report(run, buf, (size_t)n);
    return (size_t)n == sizeof buf;
}

void sim_run_read(struct sim_run *run) {
    (void)read_pipe(run, &run->stderr_fd);
    (void)read_pipe(run, &run->report_fd);
}

// What a program has left behind in its pipes; no more, should somebody still write.
static void read_rest(struct sim_run *run) {
    for (int i = 0; i < PIPE_MAX_SIZE / READ_SIZE && read_pipe(run, &run->stderr_fd); i++)
        continue;
    for (int i = 0; i < PIPE_MAX_SIZE / READ_SIZE && read_pipe(run, &run->report_fd); i++)
        continue;
    close_fd(&run->stderr_fd);
    close_fd(&run->report_fd);
}

// ---- Ending ----

static void judge(struct sim_run *run, int status) {
    struct sim_outcome *outcome = &run->outcome;
    if (outcome->how == SIM_NO_PROGRAM)
        return;
    outcome->code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    if (run->is_late)
        outcome->how = SIM_HUNG;
    else if (run->is_unreadable)
        outcome->how = SIM_UNREADABLE;
    else if (WIFSIGNALED(status))
        outcome->how = SIM_SIGNALLED;
    else if (outcome->code != 0)
        outcome->how = SIM_EXITED;
    else if (outcome->report.has_failed)
        outcome->how = SIM_REPORTED;
    else
        outcome->how = outcome->report.lines > 0 ? SIM_PASSED : SIM_SILENT;
}

// While the program is a zombie its number, and that of its group, is nobody else's: so first the
// group is ended and then the program is waited for.
bool sim_run_has_ended(struct sim_run *run) {
    siginfo_t info = {0};
    int status = 0;
    if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return false;
    kill(-run->pid, SIGKILL);
    waitpid(run->pid, &status, 0);
    run->pid = 0;
    read_rest(run);
    judge(run, status);
    cut_text(&run->outcome);
    return true;
}

// What it says to SIGTERM, where and when it was, is worth a moment.
void sim_run_end(struct sim_run *run) {
    kill(-run->pid, run->is_late ? SIGKILL : SIGTERM);
    run->deadline_ns = run->is_late ? INT64_MAX : time_after(LAST_WORDS_NS);
    run->is_late = true;
}

void sim_run_kill(struct sim_run *run) {
    kill(-run->pid, SIGKILL);
}

void sim_run_drop(struct sim_run *run) {
    if (run->pid == 0)
        return;
    sim_run_kill(run);
    waitpid(run->pid, NULL, 0);
    run->pid = 0;
    close_fd(&run->stderr_fd);
    close_fd(&run->report_fd);
    sim_outcome_close(&run->outcome);
}

// SPDX-License-Identifier: MIT
// The runner. A slot holds one child process; the runs are handed out in one fixed order: repeats,
// cases, drivers, seeds. On the simulator the slot runs each seed twice and compares the trace
// hashes.
#include "runner.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS_MAX = 16, DEFAULT_SEEDS = 5, PROBE_LIMIT_S = 30 };

struct slot {
    pid_t pid; // 0: free
    struct run run;
    struct cell *cell;
    FILE *output;
    int64_t began_ns, until_ns;
    bool is_late;
    uint64_t first_hash; // of the same seed's first run
};

// Which run comes next.
struct cursor {
    size_t repeat, row, driver, seed;
};

static struct slot slots[SLOTS_MAX];

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t limit_ns(const struct conformance_case *of) {
    size_t factor = of->slow_factor > 0 ? of->slow_factor : 1;
    return test_limit_ns() * (int64_t)factor;
}

static size_t seeds_of(const struct options *options, const struct matrix *matrix,
                       const struct cursor *at) {
    if (strcmp(matrix->asked[at->driver], "sim") != 0)
        return 1;
    if (options->seeds > 0)
        return options->seeds;
    size_t own = matrix->rows[at->row].of->sim_seeds;
    return own > 0 ? own : DEFAULT_SEEDS * test_scale();
}

// Moves on by one seed, driver, row or repeat.
static void cursor_step(struct cursor *at, const struct options *options,
                        const struct matrix *matrix) {
    if (++at->seed < seeds_of(options, matrix, at))
        return;
    at->seed = 0;
    if (++at->driver < matrix->driver_count)
        return;
    at->driver = 0;
    if (++at->row < matrix->row_count)
        return;
    at->row = 0;
    at->repeat++;
}

static bool may_run(const struct cell *cell) {
    return cell->verdict == NOT_RUN || cell->verdict == PASSED;
}

static _Noreturn void child(const struct run *run, FILE *output, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0); // what the case forks ends with it
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setenv("WEFT_LOG", "warn", 1);
    dup2(fileno(output), STDOUT_FILENO);
    dup2(fileno(output), STDERR_FILENO);
    fclose(output);
    exit(run->of != NULL ? run_case(run) : run_probe(run->driver, run->report));
}

static void slot_start(struct slot *slot) {
    memset(slot->run.report, 0, sizeof *slot->run.report);
    slot->output = tmpfile();
    if (slot->output == NULL) {
        perror("conformance: tmpfile");
        exit(2);
    }
    slot->is_late = false;
    fflush(NULL);
    pid_t parent = getpid();
    slot->pid = fork();
    if (slot->pid == 0)
        child(&slot->run, slot->output, parent);
    if (slot->pid < 0) {
        perror("conformance: fork");
        exit(2);
    }
    slot->began_ns = now_ns();
    slot->until_ns = slot->began_ns + (slot->run.of != NULL ? limit_ns(slot->run.of)
                                                            : PROBE_LIMIT_S * INT64_C(1000000000));
}

static void print_output(FILE *output) {
    char line[1024];
    rewind(output);
    while (fgets(line, sizeof line, output) != NULL)
        printf("    %s%s", line, strchr(line, '\n') != NULL ? "" : "\n");
}

static void print_failure(const struct options *options, const struct slot *slot, const char *why) {
    const struct run *run = &slot->run;
    printf("FAIL %s on %s: %s\n", run->of->name, run->driver, why);
    print_output(slot->output);
    bool is_sim = strcmp(run->driver, "sim") == 0;
    printf("    again: %s --driver %s --case %s --seed %llu%s\n", options->program, run->driver,
           run->of->name, (unsigned long long)run->seed, is_sim ? " --seeds 1" : "");
}

// Why the run failed, or NULL.
static const char *failure(const struct slot *slot, int status, char *buf, size_t size) {
    const struct run *run = &slot->run;
    if (slot->is_late)
        snprintf(buf, size, "not done after %lld s", (long long)(limit_ns(run->of) / 1000000000));
    else if (WIFSIGNALED(status))
        snprintf(buf, size, "ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        snprintf(buf, size, "exit status %d", WEXITSTATUS(status));
    else if (run->repeat > 0 && run->report->trace_hash != slot->first_hash)
        snprintf(buf, size, "two runs with seed %llu differ: trace hashes %016llx and %016llx",
                 (unsigned long long)run->seed, (unsigned long long)slot->first_hash,
                 (unsigned long long)run->report->trace_hash);
    else
        return NULL;
    return buf;
}

// A child has ended. Starts the second run of a simulated seed in the same slot.
static void slot_ended(struct slot *slot, int status, const struct options *options) {
    char buf[160];
    kill(-slot->pid, SIGKILL);
    slot->pid = 0;
    const char *why = failure(slot, status, buf, sizeof buf);
    slot->cell->spent_ns += now_ns() - slot->began_ns;
    if (why != NULL) {
        if (slot->cell->verdict != FAILED) // other seeds may fail at the same time
            print_failure(options, slot, why);
        slot->cell->verdict = FAILED;
    } else if (slot->run.report->skip[0] != '\0') {
        slot->cell->verdict = NOT_APPLICABLE;
        memcpy(slot->cell->reason, slot->run.report->skip, SKIP_SIZE);
    } else if (slot->cell->verdict == NOT_RUN) {
        slot->cell->verdict = PASSED;
    }
    fclose(slot->output);
    bool runs_twice = strcmp(slot->run.driver, "sim") == 0 && !slot->run.of->runs_once;
    if (may_run(slot->cell) && runs_twice && slot->run.repeat == 0) {
        slot->first_hash = slot->run.report->trace_hash;
        slot->run.repeat = 1;
        slot_start(slot);
    }
}

static size_t count_busy(void) {
    size_t count = 0;
    for (size_t i = 0; i < SLOTS_MAX; i++)
        count += slots[i].pid != 0;
    return count;
}

static void end_late_ones(void) {
    for (size_t i = 0; i < SLOTS_MAX; i++)
        if (slots[i].pid != 0 && !slots[i].is_late && now_ns() > slots[i].until_ns) {
            slots[i].is_late = true;
            kill(-slots[i].pid, SIGKILL);
            kill(slots[i].pid, SIGKILL);
        }
}

// Waits until one child has ended; SIGCHLD is blocked, so that none is missed.
static struct slot *wait_for_one(int *ret_status) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    for (;;) {
        pid_t pid = waitpid(-1, ret_status, WNOHANG);
        for (size_t i = 0; pid > 0 && i < SLOTS_MAX; i++)
            if (slots[i].pid == pid)
                return &slots[i];
        end_late_ones();
        if (pid == 0)
            sigtimedwait(&children, NULL, &(struct timespec){.tv_nsec = 100000000});
    }
}

static struct slot *free_slot(void) {
    for (size_t i = 0; i < SLOTS_MAX; i++)
        if (slots[i].pid == 0)
            return &slots[i];
    return NULL;
}

static void collect(size_t at_most, const struct options *options) {
    while (count_busy() > at_most) {
        int status;
        struct slot *slot = wait_for_one(&status);
        slot_ended(slot, status, options);
    }
}

static bool is_asked_for(const struct conformance_case *of, const struct options *options) {
    for (size_t i = 0; i < options->glob_count; i++)
        if (fnmatch(options->globs[i], of->name, 0) == 0)
            return true;
    return options->glob_count == 0;
}

static void name_column(struct matrix *matrix, size_t d, const char *text) {
    snprintf(matrix->column[d], DRIVER_SIZE, "%s", text);
}

// A driver that does not start on this machine is a column of its own kind, never a pass.
static void probe(struct matrix *matrix, size_t d) {
    struct slot *slot = &slots[0];
    int status;
    if (strcmp(matrix->asked[d], "uring") == 0 && test_under_valgrind()) {
        name_column(matrix, d, "Valgrind does not see what the kernel writes through io_uring");
        return;
    }
    slot->run = (struct run){.driver = matrix->asked[d], .report = slot->run.report};
    slot_start(slot);
    wait_for_one(&status);
    slot->pid = 0;
    const char *said = slot->run.report->driver;
    matrix->is_available[d] = WIFEXITED(status) && WEXITSTATUS(status) == 0 && said[0] != '\0';
    name_column(matrix, d, said[0] != '\0' ? said : "its process died");
    if (said[0] == '\0')
        print_output(slot->output);
    fclose(slot->output);
}

static void matrix_make(struct matrix *matrix, const struct options *options) {
    size_t count = 0;
    for (struct conformance_case *of = case_first(); of != NULL; of = of->next)
        count += is_asked_for(of, options);
    matrix->rows = calloc(count + 1, sizeof *matrix->rows);
    if (matrix->rows == NULL) {
        perror("conformance: memory");
        exit(2);
    }
    for (struct conformance_case *of = case_first(); of != NULL; of = of->next)
        if (is_asked_for(of, options))
            matrix->rows[matrix->row_count++].of = of;
    matrix->driver_count = options->driver_count;
    for (size_t d = 0; d < options->driver_count; d++) {
        matrix->asked[d] = options->drivers[d];
        probe(matrix, d);
    }
}

static void mark_exceptions(struct matrix *matrix) {
    for (size_t i = 0; i < matrix->row_count; i++)
        for (size_t d = 0; d < matrix->driver_count; d++) {
            struct cell *cell = &matrix->rows[i].cells[d];
            const char *reason = case_exception(matrix->rows[i].of, matrix->asked[d]);
            if (!matrix->is_available[d]) {
                cell->verdict = NOT_AVAILABLE;
            } else if (reason != NULL) {
                cell->verdict = NOT_APPLICABLE;
                snprintf(cell->reason, sizeof cell->reason, "%s", reason);
            }
        }
}

static void run_all(const struct options *options, struct matrix *matrix) {
    for (struct cursor at = {0}; at.repeat < options->repeats && matrix->row_count > 0;
         cursor_step(&at, options, matrix)) {
        struct cell *cell = &matrix->rows[at.row].cells[at.driver];
        if (!may_run(cell))
            continue;
        collect(options->jobs - 1, options);
        struct slot *slot = free_slot();
        slot->cell = cell;
        slot->run = (struct run){
            .of = matrix->rows[at.row].of,
            .driver = matrix->asked[at.driver],
            .seed = options->seed + at.repeat * seeds_of(options, matrix, &at) + at.seed,
            .report = slot->run.report,
        };
        slot_start(slot);
    }
    collect(0, options);
}

void runner_run(const struct options *options, struct matrix *matrix) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    struct report *reports = mmap(NULL, SLOTS_MAX * sizeof *reports, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reports == MAP_FAILED) {
        perror("conformance: mmap");
        exit(2);
    }
    for (size_t i = 0; i < SLOTS_MAX; i++)
        slots[i].run.report = &reports[i];
    matrix_make(matrix, options);
    mark_exceptions(matrix);
    run_all(options, matrix);
}

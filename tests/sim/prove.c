// SPDX-License-Identifier: MIT
// Runs a program in simulations, seed after seed in one process, and a report of each run goes to
// WEFT_SIM_REPORT_FD: twice.py compares those of two processes.
//   prove PROGRAM [FIRST COUNT [down]]    from the last seed to the first: down
//   prove PROGRAM nth                     the n-th call of each kind fails, for every n
// With WEFT_SIM_SEED it runs that one, as the line says that a failed run prints.
#include "prove.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STREAMS = 1, DATAGRAMS = 2, NAMES = 4 };

struct program {
    const char *name;
    int (*world)(weft_sim *sim, void *arg);
    unsigned uses;   // what cannot strike it is not turned on
    int is_punctual; // it says when things happen: no host stands still, and no task starts late
};

static const struct program programs[] = {
    {"echo", echo_world, STREAMS | NAMES, 0},
    {"chat", chat_world, STREAMS | NAMES, 0},
    {"relay", relay_world, STREAMS | NAMES, 0},
    {"datagrams", datagrams_world, DATAGRAMS, 0},
    {"scopes", scopes_world, 0, 1},
    {"sync", sync_world, 0, 0},
    {"storm", storm_world, STREAMS | NAMES, 1},
    {"drift", drift_world, 0, 0},
};

static const struct program *program;

static int watch(weft_sim *sim, void *steps) {
    int result = program->world(sim, NULL);
    *(uint64_t *)steps += weft_sim_step(sim);
    return result;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// ---- One call fails -------------------------------------------------------------------------

enum { ERRORS = 6, NTH_MAX = 100000 };

// The errors are those of the man pages.
static const struct {
    const char *kind;
    int is_seen; // by whoever made the call: nobody in between tries again or does without
    int errors[ERRORS];
} failures[] = {
    {"alloc", 0, {ENOMEM}},
    {"stack", 0, {ENOMEM}},
    {"read", 1, {ECONNRESET, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH}},
    {"write", 1, {ECONNRESET, EPIPE, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH}},
    {"accept", 0, {ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO}},
    {"connect", 0, {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ENOBUFS, ENOMEM}},
    {"resolve", 0, {WEFT_ENAME, WEFT_ENAMEFAIL, ENOMEM}},
    {"ctl", 0, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
    {"cancel", 0, {ECANCELED}}, // where a task waits or yields
};

// How many calls there were to fail, or -1.
static long fail_each(const char *kind, int error, int is_seen, int workers) {
    for (long n = 1; n < NTH_MAX; n++) {
        weft_sim sim = {
            .workers = workers, .fail = kind, .fail_nth = (uint64_t)n, .fail_error = -error};
        error_made = -error;
        was_error_seen = 0;
        is_rough = error == ECANCELED;
        int result = weft_sim_run(&sim, program->world, NULL);
        if (!is_expected(result)) {
            fprintf(stderr, "prove: %s %ld fails with %s: the run with %s\n", kind, n,
                    weft_strerror(-error), weft_strerror(result));
            return -1;
        }
        if (!weft_sim_fail_was_met())
            return n - 1;
        if (is_seen && !was_error_seen) {
            fprintf(stderr, "prove: %s %ld fails with %s: nobody is told\n", kind, n,
                    weft_strerror(-error));
            return -1;
        }
    }
    return -1;
}

// How many runs it took, or -1.
static long fail_all(int workers) {
    long runs = 0;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        for (size_t j = 0; j < ERRORS && failures[i].errors[j] != 0; j++) {
            long calls =
                fail_each(failures[i].kind, failures[i].errors[j], failures[i].is_seen, workers);
            if (calls < 0)
                return -1;
            runs += calls + 1;
        }
    return runs;
}

static int prove_nth(void) {
    long one = fail_all(1), three = one < 0 ? -1 : fail_all(3), runs = one + three;
    if (three < 0)
        return 1;
    printf("%s: each call failed with each error, with one worker and with three: %ld runs\n",
           program->name, runs);
    return 0;
}

// ---- Seeds ----------------------------------------------------------------------------------

enum { ROUGH_EVERY = 4 };

static void leave_out(weft_sim *sim, unsigned uses) {
    if (!(uses & STREAMS)) {
        sim->short_reads = sim->short_writes = sim->drips = sim->memory_shortages = -1;
        sim->refusals = sim->resets = sim->timeouts = sim->aborts = -1;
    }
    if (!(uses & DATAGRAMS))
        sim->duplication = sim->reordering = -1;
    if (!(uses & NAMES))
        sim->name_failures = sim->name_losses = sim->name_delays = sim->name_changes = -1;
    if (!(uses & (STREAMS | DATAGRAMS))) {
        sim->stalls = sim->suspensions = sim->late_cancels = sim->loss = -1;
        sim->fd_shortages = sim->buffer_shortages = sim->partitions = sim->clock_jumps = -1;
        sim->pauses = sim->crashes = -1; // which a packet brings about
    }
}

// Where things lie is said, too: it must not matter.
static int prove_seeds(uint64_t first, uint64_t count, bool is_downward) {
    uint64_t steps = 0;
    double began = seconds();
    for (uint64_t i = 0; i < count; i++) {
        weft_sim sim = {.seed = is_downward ? first + count - 1 - i : first + i, .chaos = 1};
        is_rough = !program->is_punctual && sim.seed % ROUGH_EVERY == 0;
        if (program->is_punctual)
            sim.pauses = sim.stack_shortages = -1;
        if (is_rough)
            sim.crashes = sim.cancels = 0.001;
        leave_out(&sim, program->uses);
        int result = weft_sim_run(&sim, watch, &steps);
        if (result >= 0 || (is_rough && is_expected(result)))
            continue;
        fprintf(stderr, "prove: seed %llu: %s\n", (unsigned long long)sim.seed,
                weft_strerror(result));
        return 1;
    }
    printf("%s: %llu seeds from %llu: %llu steps, %.0f runs a second; code at %p, stack at %p\n",
           program->name, (unsigned long long)count, (unsigned long long)first,
           (unsigned long long)steps, (double)count / (seconds() - began),
           (void *)(uintptr_t)prove_seeds, (void *)&steps);
    return 0;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof programs / sizeof *programs; i++)
        if (strcmp(argv[1], programs[i].name) == 0)
            program = &programs[i];
    bool is_nth = argc == 3 && strcmp(argv[2], "nth") == 0;
    bool is_downward = argc == 5 && strcmp(argv[4], "down") == 0;
    if (!program || (argc != 2 && argc != 4 && !is_nth && !is_downward)) {
        fprintf(stderr, "usage: prove PROGRAM [FIRST COUNT [down] | nth]; PROGRAM is one of");
        for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
            fprintf(stderr, " %s", programs[i].name);
        fprintf(stderr, "\n");
        return 2;
    }
    if (is_nth)
        return prove_nth();
    return prove_seeds(argc > 2 ? strtoull(argv[2], NULL, 10) : 1,
                       argc > 2 ? strtoull(argv[3], NULL, 10) : 1, is_downward);
}

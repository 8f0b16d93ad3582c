// SPDX-License-Identifier: MIT
// Processes side by side: see sim_pool.h. One loop around poll(2); what happened arrives as bytes:
// of the programs through their pipes, of their ends and of Ctrl-C through a signalfd.
//
// Jobs start in order and end in any. An outcome waits in a ring until those before it are there;
// only then is it told. So the first failure that is told is that of the lowest seed, and the jobs
// after it are never told, whether they have run or not. The ring bounds how far the others may be
// ahead of a slow one.
#include "sim_pool.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weft.h>

enum { AHEAD_PER_JOB = 64, TICK_MS = 100 };

// A place in the ring.
struct place {
    bool is_whole;
    struct sim_outcome outcome;
};

// One of those that run side by side.
struct worker {
    uint64_t number; // of its job
    bool is_second_run;
    uint64_t first_hash;
    struct sim_run run;
};

struct state {
    struct sim_pool *pool;
    struct worker *workers;
    struct place *ring;
    struct pollfd *polled; // the signals, then two for each worker
    uint64_t ring_size;
    uint64_t next;        // to start
    uint64_t told;        // how many were told
    uint64_t ended_count; // told or in the ring
    uint64_t end;         // of the jobs that are wanted
    int signal_fd;
    int caught; // the signal that ends us
    sigset_t old_signals;
};

// ---- Signals ----

// A signal that was ignored when we came (nohup, a shell's background job) stays so.
static int hold_signals(struct state *state) {
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGCHLD);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction present;
        if (sigaction(ending[i], NULL, &present) == 0 && present.sa_handler != SIG_IGN)
            sigaddset(&held, ending[i]);
    }
    signal(SIGCHLD, SIG_DFL); // ignored, it would take the statuses away
    sigprocmask(SIG_BLOCK, &held, &state->old_signals);
    state->signal_fd = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
    return state->signal_fd < 0 ? -errno : 0;
}

static void release_signals(struct state *state) {
    if (state->signal_fd >= 0)
        close(state->signal_fd);
    sigprocmask(SIG_SETMASK, &state->old_signals, NULL);
}

static void read_signals(struct state *state) {
    struct signalfd_siginfo info;
    while (read(state->signal_fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            state->caught = (int)info.ssi_signo;
}

// ---- Jobs ----

static void note_end(struct state *state, uint64_t number, const struct sim_outcome *outcome) {
    struct sim_pool *pool = state->pool;
    state->ring[number % state->ring_size] = (struct place){true, *outcome};
    state->ended_count++;
    if (!pool->is_last(pool->context, number, outcome))
        return;
    if (state->end > number + 1)
        state->end = number + 1;
    for (int i = 0; i < pool->jobs; i++)
        if (state->workers[i].number > number)
            sim_run_drop(&state->workers[i].run);
}

static void start_run(struct state *state, struct worker *worker) {
    struct sim_pool *pool = state->pool;
    struct sim_job job = pool->job(pool->context, worker->number);
    struct sim_start start = {.argv = pool->argv,
                              .seed = job.seed,
                              .faults = job.faults,
                              .signals = state->old_signals,
                              .timeout_ns = pool->timeout_ns};
    int error = sim_run_start(&worker->run, &start, pool->faults);
    if (error < 0)
        note_end(state, worker->number, &(struct sim_outcome){SIM_NO_PROCESS, .code = -error});
}

static void start_jobs(struct state *state) {
    for (int i = 0; i < state->pool->jobs; i++) {
        struct worker *worker = &state->workers[i];
        if (state->next >= state->end || state->next >= state->told + state->ring_size)
            return;
        if (worker->run.pid != 0)
            continue;
        worker->number = state->next++;
        worker->is_second_run = false;
        start_run(state, worker);
    }
}

// One process has ended: its job has, too, unless it is to run again and to give the same.
static void finish_run(struct state *state, struct worker *worker) {
    struct sim_outcome *outcome = &worker->run.outcome;
    if (state->pool->runs_twice && outcome->how == SIM_PASSED) {
        if (!worker->is_second_run) {
            worker->is_second_run = true;
            worker->first_hash = outcome->report.hash;
            sim_outcome_close(outcome);
            start_run(state, worker);
            return;
        }
        if (outcome->report.hash != worker->first_hash) {
            outcome->how = SIM_DRIFTED;
            outcome->other_hash = worker->first_hash;
        }
    }
    note_end(state, worker->number, outcome);
}

static void tell(struct state *state) {
    for (struct place *place; state->told < state->end; state->told++) {
        place = &state->ring[state->told % state->ring_size];
        if (!place->is_whole)
            return;
        state->pool->ended(state->pool->context, state->told, &place->outcome);
        sim_outcome_close(&place->outcome);
        place->is_whole = false;
    }
}

// ---- The loop ----

// Fills in what poll(2) waits for. Returns when it has to wake up by itself.
static int64_t prepare_poll(struct state *state) {
    int64_t wake_ns = INT64_MAX;
    state->polled[0] = (struct pollfd){state->signal_fd, POLLIN, 0};
    for (int i = 0; i < state->pool->jobs; i++) {
        const struct sim_run *run = &state->workers[i].run;
        bool runs = run->pid != 0;
        state->polled[1 + 2 * i] = (struct pollfd){runs ? run->stderr_fd : -1, POLLIN, 0};
        state->polled[2 + 2 * i] = (struct pollfd){runs ? run->report_fd : -1, POLLIN, 0};
        if (runs && run->deadline_ns < wake_ns)
            wake_ns = run->deadline_ns;
    }
    return wake_ns;
}

static void wait_for_bytes(struct state *state) {
    int64_t wake_ns = prepare_poll(state), now = weft_now();
    int64_t left_ms = wake_ns > now ? (wake_ns - now) / WEFT_MILLISECOND + 1 : 0;
    int longest_ms = state->pool->tick ? TICK_MS : 60 * 1000;
    (void)poll(state->polled, 1 + 2 * (nfds_t)state->pool->jobs,
               left_ms < longest_ms ? (int)left_ms : longest_ms);
}

static void serve_workers(struct state *state) {
    for (int i = 0; i < state->pool->jobs; i++) {
        struct worker *worker = &state->workers[i];
        if (worker->run.pid == 0)
            continue;
        if (state->polled[1 + 2 * i].revents != 0 || state->polled[2 + 2 * i].revents != 0)
            sim_run_read(&worker->run);
        if (sim_run_has_ended(&worker->run)) {
            finish_run(state, worker);
        } else if (worker->run.deadline_ns <= weft_now()) {
            sim_run_end(&worker->run);
        }
    }
}

static void loop(struct state *state) {
    struct sim_pool *pool = state->pool;
    while (state->told < state->end && state->caught == 0) {
        start_jobs(state);
        tell(state);
        if (pool->tick)
            pool->tick(pool->context, state->ended_count);
        if (state->told == state->end)
            return;
        wait_for_bytes(state);
        read_signals(state);
        serve_workers(state);
    }
}

static void close_state(struct state *state) {
    for (int i = 0; state->workers && i < state->pool->jobs; i++)
        sim_run_drop(&state->workers[i].run);
    for (uint64_t i = 0; state->ring && i < state->ring_size; i++)
        sim_outcome_close(&state->ring[i].outcome);
    free(state->workers);
    free(state->ring);
    free(state->polled);
    release_signals(state);
}

int sim_pool_run(struct sim_pool *pool) {
    struct state state = {.pool = pool, .end = pool->count};
    size_t jobs = (size_t)pool->jobs;
    int error = hold_signals(&state);
    state.ring_size = jobs * AHEAD_PER_JOB;
    state.workers = calloc(jobs, sizeof *state.workers);
    state.ring = calloc(state.ring_size, sizeof *state.ring);
    state.polled = calloc(1 + 2 * jobs, sizeof *state.polled);
    if (!state.workers || !state.ring || !state.polled)
        error = -ENOMEM;
    if (error == 0)
        loop(&state);
    close_state(&state);
    return error < 0 ? error : state.caught;
}

// SPDX-License-Identifier: MIT
// Runs the seed that has failed once more, to see what happened on its network: the capture and the
// timeline that the library writes (weft/sim.h). The search itself writes neither, since all of its
// runs would write to one file.
#include "sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

struct replay {
    const struct sim_batch *batch;
    uint64_t seed;
    char faults[SIM_SET_TEXT_SIZE]; // "": as they are
    int error;
};

static struct sim_job replayed_job(void *context, uint64_t number) {
    const struct replay *replay = context;
    (void)number;
    return (struct sim_job){replay->seed, replay->faults[0] ? replay->faults : NULL};
}

static bool is_last(void *context, uint64_t number, const struct sim_outcome *outcome) {
    (void)context, (void)number, (void)outcome;
    return true;
}

static void note_end(void *context, uint64_t number, struct sim_outcome *outcome) {
    struct replay *replay = context;
    (void)number;
    if (outcome->how >= SIM_NO_PROGRAM)
        replay->error = -outcome->code;
}

// Returns as sim_pool_run does.
static int run_once(struct replay *replay) {
    const struct sim_options *options = &replay->batch->options;
    struct sim_faults faults = replay->batch->faults; // what it reports is known
    struct sim_pool pool = {.argv = options->argv,
                            .jobs = 1,
                            .timeout_ns = options->timeout_ns,
                            .faults = &faults,
                            .count = 1,
                            .context = replay,
                            .job = replayed_job,
                            .is_last = is_last,
                            .ended = note_end};
    int result = sim_pool_run(&pool);
    return result != 0 ? result : replay->error;
}

static bool set(const char *variable, const char *path) {
    return (path ? setenv(variable, path, 1) : unsetenv(variable)) == 0;
}

static int copy_to_stdout(const char *path) {
    char buf[16 * 1024];
    size_t size;
    FILE *file = fopen(path, "r");
    if (!file)
        return -errno;
    while ((size = fread(buf, 1, sizeof buf, file)) > 0)
        fwrite(buf, 1, size, stdout);
    fclose(file);
    return 0;
}

static int run_with(struct replay *replay, const char *trace, const char *log) {
    if (!set("WEFT_SIM_TRACE", trace) || !set("WEFT_SIM_LOG", log))
        return -ENOMEM;
    int result = run_once(replay);
    if (trace && result == 0)
        printf("seed %" PRIu64 ": its packets are in %s\n", replay->seed, trace);
    return result;
}

// The timeline on standard output goes there by a file of its own.
static int run_and_print(struct replay *replay, const char *trace) {
    char path[] = "/tmp/weft-sim-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return -errno;
    close(fd);
    int result = run_with(replay, trace, path);
    if (result == 0) {
        printf("seed %" PRIu64 ":\n", replay->seed);
        result = copy_to_stdout(path);
    }
    unlink(path);
    return result;
}

int sim_replay(const struct sim_batch *batch) {
    const struct sim_options *options = &batch->options;
    struct replay replay = {.batch = batch, .seed = options->from};
    if (!options->trace && !options->log)
        return 0;
    if (batch->failed_count > 0) {
        replay.seed = batch->failures[0].seed;
    } else if (options->count > 1) {
        printf("no seed failed: there is nothing to show of one (--seed N shows any)\n");
        return 0;
    }
    if (batch->shrunk == SIM_SHRUNK)
        (void)sim_set_text(&batch->faults, batch->smallest, replay.faults);
    if (options->log && strcmp(options->log, "-") == 0)
        return run_and_print(&replay, options->trace);
    int result = run_with(&replay, options->trace, options->log);
    if (options->log && result == 0)
        printf("seed %" PRIu64 ": its timeline is in %s\n", replay.seed, options->log);
    return result;
}

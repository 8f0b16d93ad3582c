// SPDX-License-Identifier: MIT
// Finds a smallest set of faults that still makes a seed fail, by delta debugging (ddmin; Zeller
// and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002, section 3): without
// any one of the faults that remain the seed no longer fails in the same way.
//
// 1. The set is cut into parts, two at first. If a part alone fails, it is the new set, to be cut
//    in two; else, if the set without a part fails, that is the new set, in one part fewer.
// 2. If none does, the parts are halved; when each is a single fault, the set is smallest.
// Of the sets that are tried side by side the first that fails is taken, whatever ended first.
#include "sim.h"

struct shrink {
    struct sim_batch *batch;
    const struct sim_failure *failure;
    uint64_t candidates[2 * SIM_FAULTS_MAX]; // sets to be tried
    int candidates_count;
    int found; // the first of them that fails in the same way, or -1
    int error; // negative: one of them could not be started any more
    char text[SIM_SET_TEXT_SIZE];
};

// A set that fails otherwise would lead to another mistake.
static bool is_same_failure(const struct shrink *shrink, const struct sim_outcome *outcome) {
    const struct sim_outcome *known = &shrink->failure->outcome;
    return outcome->how == known->how && (outcome->code == known->code || known->how == SIM_HUNG);
}

static struct sim_job candidate_job(void *context, uint64_t number) {
    struct shrink *shrink = context;
    return (struct sim_job){
        shrink->failure->seed,
        sim_set_text(&shrink->batch->faults, shrink->candidates[number], shrink->text)};
}

static bool is_last_candidate(void *context, uint64_t number, const struct sim_outcome *outcome) {
    (void)number;
    return is_same_failure(context, outcome) || outcome->how >= SIM_NO_PROGRAM;
}

static void note_candidate(void *context, uint64_t number, struct sim_outcome *outcome) {
    struct shrink *shrink = context;
    if (is_same_failure(shrink, outcome))
        shrink->found = (int)number;
    if (outcome->how >= SIM_NO_PROGRAM)
        shrink->error = -outcome->code;
}

// Runs the candidates. Returns 0, the number of a signal, or a negative error.
static int try_candidates(struct shrink *shrink) {
    const struct sim_options *options = &shrink->batch->options;
    struct sim_pool pool = {.argv = options->argv,
                            .jobs = options->jobs,
                            .timeout_ns = options->timeout_ns,
                            .runs_twice = shrink->failure->outcome.how == SIM_DRIFTED,
                            .faults = &shrink->batch->faults,
                            .count = (uint64_t)shrink->candidates_count,
                            .context = shrink,
                            .job = candidate_job,
                            .is_last = is_last_candidate,
                            .ended = note_candidate};
    shrink->found = -1;
    int result = sim_pool_run(&pool);
    return result != 0 ? result : shrink->error;
}

// The parts of the set, then the set without each of them; of two parts one is the other's rest.
static void propose(struct shrink *shrink, const int *members, int size, int parts) {
    uint64_t set = shrink->batch->smallest;
    for (int part = 0; part < parts; part++) {
        uint64_t subset = 0;
        for (int i = part * size / parts; i < (part + 1) * size / parts; i++)
            subset |= UINT64_C(1) << members[i];
        shrink->candidates[part] = subset;
        shrink->candidates[parts + part] = set & ~subset;
    }
    shrink->candidates_count = parts > 2 ? 2 * parts : parts;
}

static int minimise(struct shrink *shrink) {
    struct sim_batch *batch = shrink->batch;
    for (int parts = 2;;) {
        int members[SIM_FAULTS_MAX];
        int size = sim_set_members(&batch->faults, batch->smallest, members);
        if (size < 2) // without any, it does not fail
            return 0;
        parts = parts < 2 ? 2 : parts > size ? size : parts;
        propose(shrink, members, size, parts);
        int result = try_candidates(shrink);
        if (result != 0)
            return result;
        if (shrink->found >= 0) {
            batch->smallest = shrink->candidates[shrink->found];
            parts = shrink->found < parts ? 2 : parts - 1;
        } else if (parts == size) {
            return 0;
        } else {
            parts *= 2;
        }
    }
}

// Not all that have a name: that may come from a run beyond the last seed that counts.
uint64_t sim_seen_faults(const struct sim_batch *batch) {
    uint64_t seen = 0;
    for (int fault = 0; fault < batch->faults.count; fault++)
        if (batch->on_counts[fault] > 0)
            seen |= UINT64_C(1) << fault;
    return seen;
}

int sim_shrink(struct sim_batch *batch) {
    struct shrink shrink = {.batch = batch, .failure = &batch->failures[0]};
    const struct sim_report *report = &shrink.failure->outcome.report;
    // A run that was killed has not reported which faults were on: then it may be any.
    batch->all = batch->smallest = report->lines > 0 ? report->on : sim_seen_faults(batch);
    batch->shrunk = SIM_NO_FAULTS;
    if (batch->all == 0)
        return 0;
    shrink.candidates[0] = 0; // perhaps no fault has to do with it
    shrink.candidates[1] = batch->all;
    shrink.candidates_count = 2;
    int result = try_candidates(&shrink);
    batch->shrunk = shrink.found < 0 ? SIM_NOT_AGAIN : SIM_SHRUNK;
    if (shrink.found == 0)
        batch->smallest = 0;
    if (result == 0 && shrink.found == 1)
        result = minimise(&shrink);
    if (result != 0)
        batch->shrunk = SIM_SHRINK_ENDED;
    return result;
}

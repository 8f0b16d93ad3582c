// SPDX-License-Identifier: MIT
// `weft sim run`: starts a simulated program once for each seed until one fails. Here the command
// line is read and the outcomes are added up; the processes are run by sim_pool.c.
#include "sim.h"
#include "cli.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

#define TIMEOUT_NS (60 * WEFT_SECOND)
enum { SEEDS = 1000 };

// ---- The search ----

struct search {
    struct sim_batch *batch;
    struct sim_progress progress;
};

static struct sim_job seed_job(void *context, uint64_t number) {
    const struct search *search = context;
    return (struct sim_job){search->batch->options.from + number, NULL};
}

// Whether the run says that there is no simulation in this program. Once seeds have passed there
// is one: then an early exit(3) is a failure like another.
static bool ran_no_simulation(uint64_t number, const struct sim_outcome *outcome) {
    return outcome->how == SIM_SILENT ||
           (outcome->how == SIM_EXITED && outcome->report.lines == 0 && number == 0);
}

static bool is_last_seed(void *context, uint64_t number, const struct sim_outcome *outcome) {
    const struct search *search = context;
    if (sim_is_error(outcome) || ran_no_simulation(number, outcome))
        return true;
    return sim_is_failure(outcome) && !search->batch->options.keeps_going;
}

// The text of a program is taken over from the outcome where somebody will read it.
static struct sim_outcome take_outcome(struct sim_outcome *outcome) {
    struct sim_outcome taken = *outcome;
    outcome->text = NULL;
    outcome->text_size = 0;
    return taken;
}

static void note_failure(struct search *search, uint64_t seed, struct sim_outcome *outcome) {
    struct sim_batch *batch = search->batch;
    uint64_t place = batch->failed_count++;
    if (place > 0)
        sim_outcome_close(outcome);
    if (place >= SIM_FAILURES_KEPT)
        return;
    batch->failures[place] = (struct sim_failure){seed, take_outcome(outcome)};
    sim_progress_clear(&search->progress);
    if (!batch->options.is_json)
        sim_show_failure(batch, &batch->failures[place]);
}

static void note_seed(void *context, uint64_t number, struct sim_outcome *outcome) {
    struct search *search = context;
    struct sim_batch *batch = search->batch;
    if (sim_is_error(outcome) || ran_no_simulation(number, outcome)) {
        batch->error = take_outcome(outcome);
        return;
    }
    for (int fault = 0; fault < batch->faults.count; fault++) {
        batch->on_counts[fault] += outcome->report.on >> fault & 1;
        batch->fired_counts[fault] += outcome->report.fired >> fault & 1;
    }
    if (sim_is_failure(outcome))
        note_failure(search, batch->options.from + number, outcome);
    else
        batch->passed_count++;
}

static void show_progress(void *context, uint64_t ended_count) {
    struct search *search = context;
    sim_progress_show(&search->progress, search->batch, ended_count);
}

// Returns as sim_pool_run does.
static int search_seeds(struct sim_batch *batch) {
    struct search search = {.batch = batch};
    const struct sim_options *options = &batch->options;
    struct sim_pool pool = {.argv = options->argv,
                            .jobs = options->jobs,
                            .timeout_ns = options->timeout_ns,
                            .runs_twice = options->runs_twice,
                            .faults = &batch->faults,
                            .count = options->count,
                            .context = &search,
                            .job = seed_job,
                            .is_last = is_last_seed,
                            .ended = note_seed,
                            .tick = show_progress};
    batch->start_ns = weft_now();
    sim_progress_open(&search.progress, batch->start_ns);
    int result = sim_pool_run(&pool);
    sim_progress_clear(&search.progress);
    batch->end_ns = weft_now();
    return result;
}

// ---- The verdict ----

static bool has_error(const struct sim_batch *batch) {
    return batch->error.how != SIM_PASSED;
}

// Says what was found and gives the exit status.
static int conclude(const struct sim_batch *batch) {
    bool is_whole = batch->caught == 0 && batch->failed_count == 0;
    int status = batch->failed_count > 0 ? CLI_FAILED : CLI_OK;
    if (has_error(batch))
        status = sim_show_error(batch);
    else if (is_whole && batch->options.wants_coverage)
        status = sim_show_coverage(batch);
    if (batch->options.is_json)
        sim_show_json(batch, has_error(batch)          ? "error"
                             : batch->caught != 0      ? "interrupted"
                             : status == CLI_FAILED    ? "failed"
                             : status == SIM_UNCOVERED ? "uncovered"
                                                       : "passed");
    else if (!has_error(batch))
        sim_show_summary(batch);
    return status;
}

// Ends by the signal that asked for it: only so a shell knows that it is to end its loop, too.
static void end_by_signal(int number) {
    fflush(stdout);
    signal(number, SIG_DFL);
    raise(number);
}

static int search(struct sim_batch *batch) {
    int result = search_seeds(batch);
    batch->is_cut_short = result > 0;
    if (result == 0 && !has_error(batch) && batch->options.shrinks && batch->failed_count > 0)
        result = sim_shrink(batch);
    if (result < 0)
        return cli_usage_error("sim run: %s", weft_strerror(result));
    batch->caught = result;
    if (!batch->options.is_json)
        sim_show_shrunk(batch);
    int status = conclude(batch);
    if (result == 0 && !has_error(batch) && (result = sim_replay(batch)) < 0)
        return cli_failure("sim run: no capture, no timeline: %s", weft_strerror(result));
    batch->caught = result;
    if (batch->caught != 0)
        end_by_signal(batch->caught);
    return status;
}

// ---- The command line ----

static const char help[] =
    "Usage: weft sim run [OPTIONS] PROGRAM [ARG...] [-- ARG...]\n"
    "\n"
    "Runs PROGRAM, which calls weft_sim_run, with one seed after the other until one fails. Then\n"
    "prints what the program said on stderr, and the line that replays it.\n"
    "\n"
    "  --seeds N       how many seeds; 1000 if not given\n"
    "  --from N        the first of them; 1 if not given\n"
    "  --seed N        this one alone: --from N --seeds 1\n"
    "  -j, --jobs N    how many processes side by side; one for each processor if not given.\n"
    "                  The lowest seed that fails is found, whatever N is\n"
    "  --timeout TIME  a run that takes longer, in real time, has failed: 60, 500ms, 1m30s;\n"
    "                  seconds if without a unit, 60s if not given\n"
    "  --keep-going    does not stop at the first seed that fails, and counts them\n"
    "  --twice         runs each seed twice; it fails if the two runs are not the same\n"
    "  --shrink        after a failure, finds a smallest set of faults that still makes it fail\n"
    "  --coverage      a fault that was on, and fired in no run, ends it with status 3\n"
    "  --trace FILE    runs the seed that failed once more, or the one of --seed, and captures "
    "its\n"
    "                  packets, for Wireshark and tshark (pcapng)\n"
    "  --log FILE      likewise, a timeline to read; -: standard output\n"
    "  --json          the findings for programs; see weft(1)\n"
    "  -h, --help      this text\n"
    "\n"
    "Options may stand anywhere before --. Other words are PROGRAM and its arguments; everything\n"
    "after -- goes to PROGRAM, also what begins with a dash. What PROGRAM says on stdout is "
    "dropped.\n"
    "\n"
    "Exit status: 0 no seed failed, 1 one did, 2 there was nothing to be run, 3 see --coverage;\n"
    "ended by Ctrl-C, it says with which seed to go on.\n"
    "\n"
    "  weft sim run ./prog --seeds 10000 -j2\n"
    "  weft sim run --seed 77 --shrink ./prog -- --hosts 3\n";

enum {
    SEEDS_OPTION = 256,
    FROM,
    SEED,
    TIMEOUT,
    KEEP_GOING,
    TWICE,
    SHRINK,
    COVERAGE,
    TRACE,
    LOG,
    JSON
};

static int parse_count(const char *name, uint64_t least, uint64_t most, uint64_t *ret_count) {
    uint64_t count = 0;
    int result = cli_parse_count(optarg, least, &count);
    if (result == -EINVAL)
        return cli_usage_error("sim run: %s: '%s' is no number", name, optarg);
    if (result == -ERANGE || count > most)
        return cli_usage_error("sim run: %s: there are %" PRIu64 " to %" PRIu64 ", not %s", name,
                               least, most, optarg);
    *ret_count = count;
    return CLI_OK;
}

// As `weft connect --timeout`, but a plain number is seconds, as in timeout(1).
static int parse_timeout(int64_t *ret_ns) {
    char text[64];
    bool has_unit = optarg[strspn(optarg, "0123456789.")] != '\0';
    snprintf(text, sizeof text, "%s%s", optarg, has_unit ? "" : "s");
    int result = cli_parse_duration(text, ret_ns);
    if (result < 0 || *ret_ns == 0)
        return cli_usage_error("sim run: --timeout: '%s' is no time to give a run (write 60, 500ms "
                               "or 1m30s)",
                               optarg);
    return CLI_OK;
}

static int take_option(int option, struct sim_options *options) {
    uint64_t jobs = 0;
    int status = CLI_OK;
    switch (option) {
    case SEEDS_OPTION:
        return parse_count("--seeds", 1, UINT64_MAX, &options->count);
    case SEED:
        options->count = 1;
        return parse_count("--seed", 0, UINT64_MAX, &options->from);
    case FROM:
        return parse_count("--from", 0, UINT64_MAX, &options->from);
    case 'j':
        status = parse_count("-j", 1, SIM_JOBS_MAX, &jobs);
        options->jobs = (int)jobs;
        return status;
    case TIMEOUT:
        return parse_timeout(&options->timeout_ns);
    case KEEP_GOING:
        options->keeps_going = true;
        return CLI_OK;
    case TWICE:
        options->runs_twice = true;
        return CLI_OK;
    case SHRINK:
        options->shrinks = true;
        return CLI_OK;
    case COVERAGE:
        options->wants_coverage = true;
        return CLI_OK;
    case TRACE:
        options->trace = optarg;
        return CLI_OK;
    case LOG:
        options->log = optarg;
        return CLI_OK;
    default:
        options->is_json = true;
        return CLI_OK;
    }
}

static int processors_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count < SIM_JOBS_MAX ? (int)count : SIM_JOBS_MAX;
}

// Said before the search, which may take long.
static int check_file(const char *path) {
    FILE *file = path && strcmp(path, "-") != 0 ? fopen(path, "a") : stdout;
    if (!file)
        return cli_failure("sim run: %s: %s", path, weft_strerror(-errno));
    if (file != stdout)
        fclose(file);
    return CLI_OK;
}

static int run(const struct cli_command *self, int argc, char **argv) {
    static const struct option options[] = {{"seeds", required_argument, NULL, SEEDS_OPTION},
                                            {"from", required_argument, NULL, FROM},
                                            {"seed", required_argument, NULL, SEED},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"timeout", required_argument, NULL, TIMEOUT},
                                            {"keep-going", no_argument, NULL, KEEP_GOING},
                                            {"twice", no_argument, NULL, TWICE},
                                            {"shrink", no_argument, NULL, SHRINK},
                                            {"coverage", no_argument, NULL, COVERAGE},
                                            {"trace", required_argument, NULL, TRACE},
                                            {"log", required_argument, NULL, LOG},
                                            {"json", no_argument, NULL, JSON},
                                            CLI_HELP_OPTION,
                                            {0}};
    static struct sim_batch batch; // large, and there is one
    batch.options = (struct sim_options){
        .from = 1, .count = SEEDS, .jobs = processors_count(), .timeout_ns = TIMEOUT_NS};
    for (int option; (option = cli_next_option(self, argc, argv, options)) != -1;) {
        int status = take_option(option, &batch.options);
        if (status != CLI_OK)
            return status;
    }
    const struct cli_operands operands = {.least = 1, .most = INT_MAX, .meaning = "the program"};
    (void)cli_operand(self, argc, argv, &operands);
    batch.options.argv = argv + optind;
    if (batch.options.is_json && (batch.options.trace || batch.options.log))
        return cli_usage_error("sim run: --json prints one object: --trace and --log go without");
    if (batch.options.count - 1 > UINT64_MAX - batch.options.from)
        return cli_usage_error("sim run: the last seed would be beyond %" PRIu64, UINT64_MAX);
    int status = check_file(batch.options.trace);
    if (status == CLI_OK)
        status = check_file(batch.options.log);
    if (status == CLI_OK)
        status = search(&batch);
    sim_outcome_close(&batch.failures[0].outcome);
    sim_outcome_close(&batch.error);
    return status;
}

// `weft sim` has one command so far, and its help is that one's.
static int run_sim(const struct cli_command *self, int argc, char **argv) {
    static const struct cli_command sim_run = {"sim run", "", help, run,
                                               .hint = "the program's own options stand after --"};
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return run(&sim_run, argc - 1, argv + 1);
    static const struct option none[] = {CLI_HELP_OPTION, {0}};
    (void)cli_next_option(self, argc, argv, none);
    return argc > 1 ? cli_usage_error("sim: unknown command '%s' (there is weft sim run)", argv[1])
                    : cli_usage_error("sim: no command given (there is weft sim run)");
}

const struct cli_command cli_sim = {"sim", "runs a simulation with many seeds until one fails",
                                    help, run_sim, NULL};

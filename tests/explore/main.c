// SPDX-License-Identifier: MIT
//
// Runs the cases of a scenario and prints what was explored.
//
//   NAME                      every case, up to its bound
//   NAME --find               at least one case must have a finding (for plants)
//   NAME --quick              1 deviation at most, in cases about weft
//   NAME --replay CASE AT=OPTION,...   one execution, step by step, as printed with a finding
//   NAME --bound N            N deviations instead of the cases' own number
//   NAME CASE...              these cases only
#include "engine.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CRASH_STACK_SIZE = 64 * 1024 };

struct options {
    bool must_find, is_quick;
    const char *replay;
    int bound; // -1: the case's
    int scale;
    const char *program;
};

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// ---- A crash of the program is a finding ----------------------------------------------------

static void on_crash(int number) {
    snprintf(explorer->finding, sizeof explorer->finding, "signal %d (%s) in %s", number,
             strsignal(number), explorer->current ? explorer->current->name : "the explorer");
    explorer->has_finding = true;
    siglongjmp(explorer->crash, 1);
}

static void watch_crashes(void) {
    stack_t where = {.ss_sp = malloc(CRASH_STACK_SIZE), .ss_size = CRASH_STACK_SIZE};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaltstack(&where, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}

// ---- Replay ---------------------------------------------------------------------------------

// "12=1,40=2": the choices that are not the first option.
static bool parse_choices(const char *text) {
    memset(explorer->choices, 0, sizeof explorer->choices);
    explorer->replayed_count = 0;
    while (*text) {
        char *end;
        unsigned long at = strtoul(text, &end, 10);
        if (*end != '=' || at >= CHOICES)
            return false;
        explorer->choices[at].taken = (uint8_t)strtoul(end + 1, &end, 10);
        explorer->replayed_count = (unsigned)at + 1;
        if (*end != ',' && *end != '\0')
            return false;
        text = *end ? end + 1 : end;
    }
    return true;
}

static void print_choices(void) {
    const char *before = "";
    for (unsigned i = 0; i < explorer->replayed_count; i++)
        if (explorer->choices[i].taken > 0) {
            printf("%s%u=%u", before, i, explorer->choices[i].taken);
            before = ",";
        }
    printf("%s\n", *before ? "" : "''");
}

static int replay(const struct explore_case *now, const char *text) {
    explorer->now = now;
    explore_search_begin(EXPLORE_ALL);
    if (!parse_choices(text)) {
        fprintf(stderr, "not a list of choices: %s\n", text);
        return 2;
    }
    explorer->is_tracing = true;
    explore_run_once();
    printf("  %s\n", explorer->has_finding ? explorer->finding : "nothing was found");
    return explorer->has_finding ? 1 : 0;
}

// The execution that has just ended once more, with its steps.
static void print_finding(const struct options *options, const struct explore_case *now) {
    char finding[sizeof explorer->finding];
    memcpy(finding, explorer->finding, sizeof finding);
    explorer->replayed_count = explorer->choice_count;
    explorer->choice_count = 0;
    explorer->left = explorer->bound;
    printf("  %s: %s\n", now->name, finding);
    explorer->is_tracing = true;
    explore_run_once();
    explorer->is_tracing = false;
    if (!explorer->has_finding || strcmp(explorer->finding, finding) != 0)
        printf("  but the second time: %s\n",
               explorer->has_finding ? explorer->finding : "nothing");
    printf("  to see it again: %s --replay %s ", options->program, now->name);
    print_choices();
}

void explore_outcome(unsigned outcome) {
    explorer->outcomes[outcome] = true;
}

unsigned explore_parameter(void) {
    return explorer->parameter;
}

// ---- Cases ----------------------------------------------------------------------------------

// 0 deviations, then 1, and so on; then, if all are wanted, without a limit.
static unsigned bound_after(unsigned bound, unsigned most) {
    return most == EXPLORE_ALL && bound == 3 ? EXPLORE_ALL : bound + 1;
}

// The last bound that was explored.
static unsigned explore_bounds(unsigned most) {
    for (unsigned bound = 0;; bound = bound_after(bound, most)) {
        explore_search_begin(bound);
        do
            explore_run_once();
        while (!explorer->has_finding && explore_next());
        if (explorer->has_finding || !explorer->is_cut || bound == most)
            return bound;
    }
}

static bool fails(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(explorer->finding, sizeof explorer->finding, format, args);
    va_end(args);
    explorer->choice_count = 0;
    return explorer->has_finding = true;
}

// For cases about the explorer itself: the outcomes are the right ones, known states or not.
static bool has_wrong_outcomes(unsigned most) {
    const struct explore_case *now = explorer->now;
    bool found[EXPLORE_OUTCOMES];
    memcpy(found, explorer->outcomes, sizeof found);
    memset(explorer->outcomes, 0, sizeof explorer->outcomes);
    explorer->is_naive = true;
    (void)explore_bounds(most);
    explorer->is_naive = false;
    if (memcmp(found, explorer->outcomes, sizeof found) != 0)
        return fails("parameter %u: known states have hidden an outcome", explorer->parameter);
    for (unsigned i = 0; i < 64 && now->repeat == 0; i++)
        if (found[i] != (now->outcomes >> i & 1))
            return fails("outcome %u: %s", i, found[i] ? "must not occur" : "did not occur");
    return false;
}

static bool has_expected_finding(void) {
    const char *expected = explorer->now->finding;
    if (!explorer->has_finding || strncmp(explorer->finding, expected, strlen(expected)) != 0)
        return false;
    explorer->has_finding = false;
    return true;
}

// True if something was found that should not be.
static bool explore_parameter_of(unsigned parameter, unsigned most, unsigned *ret_bound) {
    explorer->parameter = parameter;
    memset(explorer->outcomes, 0, sizeof explorer->outcomes);
    explore_search_forget();
    *ret_bound = explore_bounds(most);
    explorer->total_states += explorer->state_count;
    if (explorer->now->finding)
        return has_expected_finding() ? false : fails("not found: %s", explorer->now->finding);
    if (!explorer->has_finding && explorer->now->outcomes)
        return has_wrong_outcomes(most);
    return explorer->has_finding;
}

static unsigned bound_of(const struct options *options, const struct explore_case *now) {
    bool is_about_explorer = now->outcomes != 0 || now->finding;
    if (options->bound >= 0)
        return (unsigned)options->bound;
    if (options->is_quick && !is_about_explorer)
        return 1;
    return options->scale > 1 && now->bound != EXPLORE_ALL ? now->bound + 1 : now->bound;
}

static bool explore(const struct options *options, const struct explore_case *now) {
    double begun = now_s();
    unsigned most = bound_of(options, now), bound = 0;
    unsigned repeat = options->is_quick ? now->repeat / 20 : now->repeat;
    explorer->now = now;
    explorer->executions = explorer->total_steps = explorer->total_states = 0;
    bool is_wrong = false;
    for (unsigned i = 0; i <= repeat && !is_wrong; i++)
        is_wrong = explore_parameter_of(i, most, &bound);
    char reached[40] = "all there are";
    if (now->finding && !is_wrong)
        snprintf(reached, sizeof reached, "%s, as it must be", now->finding);
    else if (is_wrong || explorer->is_cut)
        snprintf(reached, sizeof reached, "up to %u deviations", bound);
    printf("  %-36s %9" PRIu64 " executions %8" PRIu64 " states %10" PRIu64 " steps, %s, %.1f s\n",
           now->name, explorer->executions, explorer->total_states, explorer->total_steps, reached,
           now_s() - begun);
    return is_wrong;
}

static bool is_chosen(const char *name, char **names, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

static int run_cases(const struct options *options, const struct explore_case *cases, size_t count,
                     char **names, int name_count) {
    int findings = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_chosen(cases[i].name, names, name_count))
            continue;
        if (options->replay)
            return replay(&cases[i], options->replay);
        if (!explore(options, &cases[i]))
            continue;
        findings++;
        if (options->must_find) {
            printf("  found after %" PRIu64 " executions: %s\n", explorer->executions,
                   explorer->finding);
            return 0;
        }
        print_finding(options, &cases[i]);
    }
    if (options->must_find)
        printf("  the planted defect was not found\n");
    return options->must_find || findings > 0 ? 1 : 0;
}

static int scale(void) {
    const char *text = getenv("WEFT_TEST_SCALE");
    return text ? (int)strtol(text, NULL, 10) : 1;
}

int explore_main(int argc, char **argv, const struct explore_case *cases, size_t count) {
    struct options options = {.bound = -1, .scale = scale(), .program = argv[0]};
    int used = 1;
    char *replayed = NULL;
    for (; used < argc && argv[used][0] == '-'; used++) {
        if (strcmp(argv[used], "--find") == 0) {
            options.must_find = true;
        } else if (strcmp(argv[used], "--quick") == 0) {
            options.is_quick = true;
        } else if (strcmp(argv[used], "--bound") == 0 && used + 1 < argc) {
            options.bound = (int)strtol(argv[++used], NULL, 10);
        } else if (strcmp(argv[used], "--replay") == 0 && used + 2 < argc) {
            replayed = argv[++used];
            options.replay = argv[++used];
        } else {
            fprintf(stderr, "usage: see tests/explore/main.c\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    watch_crashes();
    explore_memory_prepare();
    if (replayed)
        return run_cases(&options, cases, count, &replayed, 1);
    return run_cases(&options, cases, count, argv + used, argc - used);
}

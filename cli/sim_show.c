// SPDX-License-Identifier: MIT
// What `weft sim run` has found, for people and as JSON. What a program said itself goes to stderr,
// as it came.
#include "cli.h"
#include "sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

// ---- The line that replays ----

// A word as a shell reads it: between quotes unless it is plain.
static void put_word(FILE *out, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./,:@%^";
    if (*word != '\0' && strspn(word, plain) == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (const char *at = word; *at != '\0'; at++) {
        if (*at == '\'')
            fputs("'\\''", out);
        else
            fputc(*at, out);
    }
    fputc('\'', out);
}

// "WEFT_SIM_SEED=77 WEFT_SIM_FAULTS=resets ./prog"; `faults` NULL: as the environment has it.
// Gives the text; NULL without memory.
static char *replay_text(const struct sim_batch *batch, uint64_t seed, const char *faults) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "WEFT_SIM_SEED=%" PRIu64, seed);
    if (!faults)
        faults = getenv("WEFT_SIM_FAULTS");
    if (faults) {
        fputs(" WEFT_SIM_FAULTS=", out);
        put_word(out, faults);
    }
    for (char **word = batch->options.argv; *word; word++) {
        fputc(' ', out);
        put_word(out, *word);
    }
    return fclose(out) == 0 ? text : NULL;
}

static void show_replay(const struct sim_batch *batch, uint64_t seed, const char *faults) {
    char *text = replay_text(batch, seed, faults);
    printf("%sreplay: %s%s\n", cli_colour(CLI_BOLD), text ? text : "", cli_colour(CLI_PLAIN));
    free(text);
}

// ---- For people ----

static void show_stderr(const struct sim_outcome *outcome) {
    fflush(stdout);
    if (!outcome->text || outcome->text_size == 0)
        return;
    fwrite(outcome->text, 1, outcome->text_size, stderr);
    if (outcome->text[outcome->text_size - 1] != '\n')
        fputc('\n', stderr);
    fflush(stderr);
}

void sim_show_failure(const struct sim_batch *batch, const struct sim_failure *failure) {
    char how[SIM_HOW_TEXT_SIZE];
    show_stderr(&failure->outcome);
    printf("%sseed %" PRIu64 " failed%s: %s\n", cli_colour(CLI_RED), failure->seed,
           cli_colour(CLI_PLAIN), sim_how_text(&failure->outcome, how));
    if (failure == &batch->failures[0])
        show_replay(batch, failure->seed, NULL);
    fflush(stdout);
}

void sim_show_shrunk(const struct sim_batch *batch) {
    int members[SIM_FAULTS_MAX];
    char text[SIM_SET_TEXT_SIZE];
    int all = sim_set_members(&batch->faults, batch->all, members);
    int left = sim_set_members(&batch->faults, batch->smallest, members);
    sim_set_text(&batch->faults, batch->smallest, text);
    switch (batch->shrunk) {
    case SIM_NOT_SHRUNK:
        return;
    case SIM_NO_FAULTS:
        printf("nothing to shrink: no fault was on\n");
        return;
    case SIM_NOT_AGAIN:
        printf("not shrunk: with the same faults it did not fail in the same way again "
               "(--twice finds out whether it is deterministic)\n");
        return;
    case SIM_SHRINK_ENDED:
        printf("shrinking was ended early: %d of %d faults are left: %s\n", left, all, text);
        break;
    case SIM_SHRUNK:
        if (left == 0)
            printf("it fails without any of the %d faults\n", all);
        else
            printf("%d of %d faults make it fail: %s\n", left, all, text);
        break;
    }
    show_replay(batch, batch->failures[0].seed, text);
}

static double seconds_of(const struct sim_batch *batch) {
    return (double)(batch->end_ns - batch->start_ns) / 1e9;
}

// The names, sorted, and how many runs had each: on, and then how often it came true.
static void show_faults(const struct sim_batch *batch) {
    int members[SIM_FAULTS_MAX], width = 5;
    int count = sim_set_members(&batch->faults, sim_seen_faults(batch), members);
    for (int i = 0; i < count; i++)
        if ((int)strlen(batch->faults.names[members[i]]) > width)
            width = (int)strlen(batch->faults.names[members[i]]);
    if (count > 0)
        printf("\n  %s%-*s  %10s  %10s%s\n", cli_colour(CLI_BOLD), width, "fault", "runs on",
               "runs fired", cli_colour(CLI_PLAIN));
    for (int i = 0; i < count; i++) {
        uint64_t on = batch->on_counts[members[i]], fired = batch->fired_counts[members[i]];
        bool is_idle = on > 0 && fired == 0;
        printf("  %s%-*s  %10" PRIu64 "  %10" PRIu64 "%s%s\n",
               is_idle ? cli_colour(CLI_YELLOW) : "", width, batch->faults.names[members[i]], on,
               fired, is_idle ? "  never fired" : "", is_idle ? cli_colour(CLI_PLAIN) : "");
    }
}

void sim_show_summary(const struct sim_batch *batch) {
    uint64_t done = batch->passed_count + batch->failed_count;
    uint64_t from = batch->options.from;
    printf("%" PRIu64 " seed%s", done, done == 1 ? "" : "s");
    if (done == 1)
        printf(" (%" PRIu64 ")", from);
    else if (done > 0)
        printf(" (%" PRIu64 " to %" PRIu64 ")", from, from + done - 1);
    printf(": %s%" PRIu64 " passed%s, %" PRIu64 " failed; %.1fs, %.0f seeds a second\n",
           batch->failed_count == 0 ? cli_colour(CLI_GREEN) : "", batch->passed_count,
           batch->failed_count == 0 ? cli_colour(CLI_PLAIN) : "", batch->failed_count,
           seconds_of(batch), (double)done / seconds_of(batch));
    show_faults(batch);
    if (batch->is_cut_short)
        printf("\ninterrupted; to go on: --from %" PRIu64 " --seeds %" PRIu64 "\n", from + done,
               batch->options.count - done);
}

// ---- As JSON. The names and their order are promised by weft.1. ----

static void print_string(const char *name, const char *text) {
    printf("\"%s\": ", name);
    cli_print_json_string(text, strlen(text));
}

static void print_replay(const struct sim_batch *batch, uint64_t seed, const char *faults) {
    char *text = replay_text(batch, seed, faults);
    print_string("replay", text ? text : "");
    free(text);
}

static void print_failures(const struct sim_batch *batch) {
    printf("  \"failures\": [");
    for (uint64_t i = 0; i < batch->failed_count && i < SIM_FAILURES_KEPT; i++) {
        const struct sim_failure *failure = &batch->failures[i];
        char how[SIM_HOW_TEXT_SIZE];
        printf("%s\n    {\"seed\": %" PRIu64 ", ", i > 0 ? "," : "", failure->seed);
        print_string("how", sim_how_text(&failure->outcome, how));
        printf(", \"stderr\": ");
        cli_print_json_string(failure->outcome.text, failure->outcome.text_size);
        printf(", ");
        print_replay(batch, failure->seed, NULL);
        printf("}");
    }
    printf("],\n");
}

static void print_shrunk(const struct sim_batch *batch) {
    int members[SIM_FAULTS_MAX];
    char text[SIM_SET_TEXT_SIZE];
    printf("  \"shrunk\": ");
    if (batch->shrunk != SIM_SHRUNK && batch->shrunk != SIM_SHRINK_ENDED) {
        printf("null,\n");
        return;
    }
    int count = sim_set_members(&batch->faults, batch->smallest, members);
    printf("{\"is_smallest\": %s, \"faults\": [", batch->shrunk == SIM_SHRUNK ? "true" : "false");
    for (int i = 0; i < count; i++) {
        const char *name = batch->faults.names[members[i]];
        printf("%s", i > 0 ? ", " : "");
        cli_print_json_string(name, strlen(name));
    }
    printf("], ");
    print_replay(batch, batch->failures[0].seed,
                 sim_set_text(&batch->faults, batch->smallest, text));
    printf("},\n");
}

static void print_faults(const struct sim_batch *batch) {
    int members[SIM_FAULTS_MAX];
    int count = sim_set_members(&batch->faults, sim_seen_faults(batch), members);
    printf("  \"faults\": [");
    for (int i = 0; i < count; i++) {
        printf("%s\n    {", i > 0 ? "," : "");
        print_string("name", batch->faults.names[members[i]]);
        printf(", \"runs_on\": %" PRIu64 ", \"runs_fired\": %" PRIu64 "}",
               batch->on_counts[members[i]], batch->fired_counts[members[i]]);
    }
    printf("]\n");
}

void sim_show_json(const struct sim_batch *batch, const char *verdict) {
    printf("{\n  \"weft\": \"%s\",\n  \"verdict\": \"%s\",\n", weft_version(), verdict);
    printf("  \"from\": %" PRIu64 ",\n  \"passed\": %" PRIu64 ",\n  \"failed\": %" PRIu64 ",\n",
           batch->options.from, batch->passed_count, batch->failed_count);
    printf("  \"seconds\": %.3f,\n", seconds_of(batch));
    print_failures(batch);
    print_shrunk(batch);
    print_faults(batch);
    printf("}\n");
}

// ---- What is wrong ----

static const char *cure_of_start(int error, const char *program) {
    if (error == ENOENT && !strchr(program, '/'))
        return " in PATH (for one in this folder, write ./ before it)";
    if (error == ENOENT)
        return " (has it been built?)";
    if (error == EACCES)
        return " (is it a program? chmod +x makes a script one)";
    return "";
}

int sim_show_error(const struct sim_batch *batch) {
    const struct sim_outcome *error = &batch->error;
    const char *program = batch->options.argv[0];
    char how[SIM_HOW_TEXT_SIZE];
    show_stderr(error);
    switch (error->how) {
    case SIM_NO_PROGRAM:
        return cli_usage_error("sim run: %s: %s%s", program, weft_strerror(error->code),
                               cure_of_start(error->code, program));
    case SIM_NO_PROCESS:
        return cli_usage_error("sim run: no process for %s: %s (fewer at once: -j1)", program,
                               weft_strerror(error->code));
    case SIM_UNREADABLE:
        return cli_usage_error("sim run: %s: its report cannot be read (is it linked with another "
                               "version of weft than %s?)",
                               program, weft_version());
    case SIM_EXITED:
        return cli_usage_error("sim run: %s %s and ran no simulation (it has to call weft_sim_run, "
                               "and not to exit before that returns)",
                               program, sim_how_text(error, how));
    default:
        return cli_usage_error("sim run: %s ran no simulation (it has to call weft_sim_run)",
                               program);
    }
}

int sim_show_coverage(const struct sim_batch *batch) {
    char text[SIM_SET_TEXT_SIZE];
    uint64_t on = sim_seen_faults(batch), idle = on;
    for (int fault = 0; fault < batch->faults.count; fault++)
        if (batch->fired_counts[fault] > 0)
            idle &= ~(UINT64_C(1) << fault);
    if (on == 0)
        cli_failure("sim run: --coverage: no fault was on in any run (weft_sim enables them)");
    else if (idle != 0)
        cli_failure("sim run: --coverage: on, but never fired: %s (more seeds, or a program that "
                    "gives them occasion)",
                    sim_set_text(&batch->faults, idle, text));
    return on == 0 || idle != 0 ? SIM_UNCOVERED : CLI_OK;
}

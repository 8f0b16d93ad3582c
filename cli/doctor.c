// SPDX-License-Identifier: MIT
// `weft doctor`: which driver works here, why not the others, which limits are in the way, and what
// to do about each. The findings are made in doctor_checks.c; here they are shown, for people or as
// JSON.
#include "doctor.h"
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <weft.h>

static const char *const verdict_names[] = {
    [CLI_GOOD] = "ok", [CLI_NOTE] = "note", [CLI_BAD] = "bad"};
static const enum cli_colour verdict_colours[] = {
    [CLI_GOOD] = CLI_GREEN, [CLI_NOTE] = CLI_YELLOW, [CLI_BAD] = CLI_RED};

// For people: one line, a second one with what it means, a third one with what to do.
static void show(const struct cli_finding *finding) {
    printf("  %s%-4s%s  %-13s  %s\n", cli_colour(verdict_colours[finding->verdict]),
           verdict_names[finding->verdict], cli_colour(CLI_PLAIN), finding->name, finding->value);
    if (finding->detail[0])
        printf("        %13s  %s\n", "", finding->detail);
    if (finding->cure[0])
        printf("        %13s  %scure: %s%s\n", "", cli_colour(CLI_BOLD), finding->cure,
               cli_colour(CLI_PLAIN));
}

static void print_json_member(const char *name, const char *text) {
    printf(", \"%s\": ", name);
    cli_print_json_string(text, strlen(text));
}

// The names and their order are promised by weft.1 and checked by tests/process/doctor.sh.
static void show_json(const struct cli_finding *finding, bool is_first) {
    printf("%s\n    {\"name\": \"%s\"", is_first ? "" : ",", finding->name);
    print_json_member("verdict", verdict_names[finding->verdict]);
    print_json_member("value", finding->value);
    print_json_member("detail", finding->detail);
    print_json_member("cure", finding->cure);
    putchar('}');
}

static const char help[] =
    "Usage: weft doctor [--json]\n"
    "\n"
    "Tells which driver works here and why not the others, and which limits of this machine are\n"
    "in the way, each with its cure. Sends nothing anywhere.\n"
    "\n"
    "  --json      the same for programs: {\"weft\", \"is_healthy\", \"findings\": [{\"name\",\n"
    "              \"verdict\", \"value\", \"detail\", \"cure\"}]}\n"
    "  -h, --help  this text\n"
    "\n"
    "ok: as it should be. note: works, more is possible. bad: weft cannot work; exit status 1.\n";

static int run(const struct cli_command *self, int argc, char **argv) {
    enum { JSON = 256 };
    static const struct option options[] = {
        {"json", no_argument, NULL, JSON}, CLI_HELP_OPTION, {0}};
    bool is_json = false, is_healthy = true;
    for (int option; (option = cli_next_option(self, argc, argv, options)) != -1;)
        is_json |= option == JSON;
    (void)cli_operand(self, argc, argv, &(struct cli_operands){0});
    printf(is_json ? "{\n  \"weft\": \"%s\",\n  \"findings\": [" : "weft %s\n", weft_version());
    for (int i = 0; i < cli_checks_count; i++) {
        struct cli_finding finding = {0};
        cli_checks[i](&finding);
        is_healthy &= finding.verdict != CLI_BAD;
        if (is_json)
            show_json(&finding, i == 0);
        else
            show(&finding);
    }
    if (is_json)
        printf("\n  ],\n  \"is_healthy\": %s\n}\n", is_healthy ? "true" : "false");
    return is_healthy ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_doctor = {"doctor", "checks what this machine offers weft", help, run,
                                       NULL};

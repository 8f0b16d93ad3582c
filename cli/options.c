// SPDX-License-Identifier: MIT
// The command line: getopt_long(3) does the reading; here its findings become one line that names
// the mistake and where help is. Not what the options mean: each command knows its own.
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

// A help text that nobody could read has not been given.
static _Noreturn void print_help(const struct cli_command *command) {
    fputs(command->help, stdout);
    if (fflush(stdout) != 0)
        exit(cli_failure("standard output: %m"));
    exit(CLI_OK);
}

// getopt_long leaves the text of a long option behind it, the letter of a short one in optopt.
static _Noreturn void refuse_option(const struct cli_command *command, char **argv) {
    const char *comma = command->hint ? ", " : "", *hint = command->hint ? command->hint : "";
    if (optopt > 0 && optopt < 256)
        exit(cli_usage_error("%s: unknown option '-%c' (weft %s --help lists them%s%s)",
                             command->name, optopt, command->name, comma, hint));
    const char *problem = optopt >= 256 ? "option takes no value" : "unknown option";
    exit(cli_usage_error("%s: %s '%s' (weft %s --help lists them%s%s)", command->name, problem,
                         argv[optind - 1], command->name, comma, hint));
}

// The options whose value is a letter have a short form, too: ":hj:".
static void collect_letters(const struct option *options, char *letters, size_t size) {
    size_t used = 0;
    letters[used++] = ':'; // a missing value is told apart
    for (; options->name && used + 3 < size; options++) {
        if (options->val >= 256)
            continue;
        letters[used++] = (char)options->val;
        if (options->has_arg == required_argument)
            letters[used++] = ':';
    }
    letters[used] = '\0';
}

int cli_next_option(const struct cli_command *command, int argc, char **argv,
                    const struct option *options) {
    opterr = 0; // its own messages lack a cure
    optopt = 0;
    char letters[32];
    collect_letters(options, letters, sizeof letters);
    int option = getopt_long(argc, argv, letters, options, NULL);
    if (option == 'h')
        print_help(command);
    if (option == '?')
        refuse_option(command, argv);
    if (option == ':')
        exit(cli_usage_error("%s: option '%s' needs a value (see weft %s --help)", command->name,
                             argv[optind - 1], command->name));
    return option;
}

const char *cli_operand(const struct cli_command *command, int argc, char **argv,
                        const struct cli_operands *operands) {
    int count = argc - optind;
    if (count > operands->most)
        exit(cli_usage_error("%s: unexpected argument '%s' (see weft %s --help)", command->name,
                             argv[optind + operands->most], command->name));
    if (count < operands->least)
        exit(cli_usage_error("%s: %s is missing (see weft %s --help)", command->name,
                             operands->meaning, command->name));
    return count > 0 ? argv[optind] : operands->otherwise;
}

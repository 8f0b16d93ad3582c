// SPDX-License-Identifier: MIT
// The command `weft`: finds the command that was asked for and hands over. What each one does is in
// the file of its name.
#include "cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

static const struct cli_command *const commands[] = {
    &cli_echo, &cli_hello, &cli_connect, &cli_sim, &cli_doctor, NULL,
};

// Descriptors 0 to 2 are the standard files, or nothing. If the caller closed one, the next socket
// would take its place and what we print would go to a peer.
static void keep_standard_files(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            exit(CLI_FAILED);
}

static int print_help(void) {
    const char *bold = cli_colour(CLI_BOLD), *plain = cli_colour(CLI_PLAIN);
    printf("%sweft%s: servers, a client, simulations and a check-up, on the weft library\n\n", bold,
           plain);
    for (int i = 0; commands[i]; i++)
        printf("  %sweft %-8s%s %s\n", bold, commands[i]->name, plain, commands[i]->summary);
    printf("\n`weft COMMAND --help` tells more, `weft --version` the version.\n"
           "WEFT_DRIVER=auto|uring|epoll chooses the driver, WEFT_LOG=off|warn|info the log,\n"
           "WEFT_WORKERS=N how many threads run tasks.\n");
    return CLI_OK;
}

// By its whole name: `weft e` might mean something else one day.
static const struct cli_command *find_command(const char *name) {
    for (int i = 0; commands[i]; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i];
    return NULL;
}

static bool is_any_of(const char *word, const char *name, const char *option, const char *letter) {
    return strcmp(word, name) == 0 || strcmp(word, option) == 0 || strcmp(word, letter) == 0;
}

static bool asks_for_help(const char *word) {
    return is_any_of(word, "help", "--help", "-h");
}

// `weft help echo` is `weft echo --help`.
static int run_help(int argc, char **argv) {
    if (argc < 3 || asks_for_help(argv[2]))
        return print_help();
    const struct cli_command *command = find_command(argv[2]);
    if (!command)
        return cli_usage_error("unknown command '%s' (weft --help lists them)", argv[2]);
    fputs(command->help, stdout);
    return CLI_OK;
}

static int run(int argc, char **argv) {
    if (argc < 2)
        return cli_usage_error("no command given (weft --help lists them)");
    const char *word = argv[1];
    if (asks_for_help(word))
        return run_help(argc, argv);
    if (is_any_of(word, "version", "--version", "-V")) {
        if (argc > 2 && asks_for_help(argv[2]))
            return print_help();
        printf("weft %s\n", weft_version());
        return CLI_OK;
    }
    if (word[0] == '-')
        return cli_usage_error("unknown option '%s' (see weft --help)", word);
    const struct cli_command *command = find_command(word);
    if (!command)
        return cli_usage_error("unknown command '%s' (weft --help lists them)", word);
    return command->run(command, argc - 1, argv + 1);
}

int main(int argc, char **argv) {
    keep_standard_files();
    int status = run(argc, argv);
    // A full disk or a closed pipe is a failure, too, and shows only when the buffer is written.
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_OK)
        return cli_failure("standard output: %m");
    return status;
}

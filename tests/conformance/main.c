// SPDX-License-Identifier: MIT
// The conformance suite: the same cases on the thread, epoll, uring and simulated drivers, and a
// matrix of what each does (docs/semantics.md, section 9). What stands in quotation marks beside a
// case is taken from docs/semantics.md or from a public header. The options are all here; the work
// is in runner.c.
#include "runner.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: conformance [options]\n"
    "  --driver NAME   thread, epoll, uring or sim; repeatable; all four by default\n"
    "  --case GLOB     only cases whose name matches; repeatable\n"
    "  --list          prints the cases and does nothing\n"
    "  --seed N        of the simulator and of random cases; 1 by default. The simulator has\n"
    "                  three workers if it is even, else one\n"
    "  --seeds N       how many seeds a case runs with on the simulator; 5 by default\n"
    "  --jobs N        processes at once; 2 by default\n"
    "  --repeat N      goes through everything N times, with other seeds each time\n"
    "  --matrix FILE   writes the matrix there instead of to the terminal\n"
    "  --slowest N     prints which N took longest\n"
    "Environment: WEFT_WORKERS of each real runtime (2), but for cases that choose it themselves;\n"
    "WEFT_TEST_SCALE multiplies repetitions, WEFT_TEST_TIMEOUT is a case's limit in seconds (30),\n"
    "WEFT_TEST_SLOW is set where an emulator makes everything slower.\n";

static _Noreturn void refuse(const char *what, const char *value) {
    fprintf(stderr, "conformance: %s: %s\n%s", what, value, usage);
    exit(2);
}

static uint64_t number(const char *text, const char *option) {
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || value == 0)
        refuse(option, text);
    return value;
}

static void add_driver(struct options *options, const char *name) {
    static const char *const known[DRIVERS_MAX] = {"thread", "epoll", "uring", "sim"};
    for (size_t i = 0; i < options->driver_count; i++)
        if (strcmp(options->drivers[i], name) == 0)
            return;
    for (size_t i = 0; i < DRIVERS_MAX; i++)
        if (strcmp(known[i], name) == 0) {
            options->drivers[options->driver_count++] = known[i];
            return;
        }
    refuse("no such driver", name);
}

static void list_cases(void) {
    for (struct conformance_case *of = case_first(); of != NULL; of = of->next) {
        printf("%s\n", of->name);
        for (size_t i = 0; i < of->exception_count; i++)
            printf("    not on %s: %s\n", of->exceptions[i].driver, of->exceptions[i].reason);
    }
}

static void set_option(struct options *options, int option) {
    switch (option) {
    case 'd':
        add_driver(options, optarg);
        return;
    case 'c':
        if (options->glob_count == GLOBS_MAX)
            refuse("too many cases", optarg);
        options->globs[options->glob_count++] = optarg;
        return;
    case 's':
        options->seed = number(optarg, "--seed");
        return;
    case 'S':
        options->seeds = number(optarg, "--seeds");
        return;
    case 'j':
        options->jobs = number(optarg, "--jobs");
        return;
    case 'r':
        options->repeats = number(optarg, "--repeat");
        return;
    case 'm':
        options->matrix_path = optarg;
        return;
    case 't':
        options->slowest = number(optarg, "--slowest");
        return;
    case 'l':
        list_cases();
        exit(0);
    case 'h':
        printf("%s", usage);
        exit(0);
    default:
        fprintf(stderr, "%s", usage);
        exit(2);
    }
}

static void parse(int argc, char **argv, struct options *options) {
    static const struct option names[] = {
        {"driver", required_argument, NULL, 'd'},
        {"case", required_argument, NULL, 'c'},
        {"list", no_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'S'},
        {"jobs", required_argument, NULL, 'j'},
        {"repeat", required_argument, NULL, 'r'},
        {"matrix", required_argument, NULL, 'm'},
        {"slowest", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;)
        set_option(options, option);
    if (optind < argc)
        refuse("no such argument", argv[optind]);
    if (options->jobs > 16)
        options->jobs = 16;
    if (options->driver_count == 0) {
        add_driver(options, "thread");
        add_driver(options, "epoll");
        add_driver(options, "uring");
        add_driver(options, "sim");
    }
}

static bool any_is_available(const struct matrix *matrix) {
    for (size_t d = 0; d < matrix->driver_count; d++)
        if (matrix->is_available[d])
            return true;
    return false;
}

// To a file, and then only the count to stdout: what failed was said before, and shall stay in
// sight.
static size_t write_matrix(const struct matrix *matrix, const char *path) {
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    matrix_print(matrix, file, false);
    fclose(file);
    printf("%s: ", path);
    return matrix_print_count(matrix, stdout);
}

int main(int argc, char **argv) {
    static struct matrix matrix;
    struct options options = {.program = argv[0], .seed = 1, .jobs = 2, .repeats = 1};
    parse(argc, argv, &options);
    setenv("WEFT_WORKERS", "2", 0); // on a machine with one processor, too
    setvbuf(stdout, NULL, _IOLBF, 0);
    runner_run(&options, &matrix);
    if (matrix.row_count == 0)
        refuse("no case matches", options.globs[0]);
    matrix_print_slowest(&matrix, options.slowest);
    size_t failed = options.matrix_path != NULL
                        ? write_matrix(&matrix, options.matrix_path)
                        : matrix_print(&matrix, stdout, isatty(STDOUT_FILENO));
    return failed > 0 || !any_is_available(&matrix);
}

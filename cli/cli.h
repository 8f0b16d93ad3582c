// SPDX-License-Identifier: MIT
// What the parts of the command `weft` share: how a command is described, how it complains, and how
// a server of ours is run. The command is built on the public headers alone, as any program is.
#ifndef CLI_H
#define CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Exit statuses, the same for every command; weft.1 promises them.
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

// One command, `weft NAME`.
struct cli_command {
    const char *name;
    const char *summary; // one line, for `weft --help`
    const char *help;    // what `weft NAME --help` prints
    int (*run)(const struct cli_command *self, int argc, char **argv); // gives the exit status
    const char *hint; // what an unknown option may be about; NULL: nothing is known
};

extern const struct cli_command cli_echo, cli_hello, cli_connect, cli_doctor, cli_sim;

// ---- options.c: reading the command line ----

// The next option of a command, as getopt_long(3) gives it, or -1 after the last. --help is
// answered here and ends the program, as does an option that is wrong (one line, CLI_USAGE).
// `options` holds CLI_HELP_OPTION and ends with zeros; an option with a letter for its value has it
// as a short form, the others have values from 256 up.
#define CLI_HELP_OPTION                                                                            \
    { "help", no_argument, NULL, 'h' }
int cli_next_option(const struct cli_command *command, int argc, char **argv,
                    const struct option *options);

// The operand at `index`, or `otherwise` when there are fewer. More operands than `most`, or fewer
// than `least`, end the program as a wrong option does; `meaning` names them for the message.
struct cli_operands {
    int least, most;
    const char *meaning;
    const char *otherwise;
};
const char *cli_operand(const struct cli_command *command, int argc, char **argv,
                        const struct cli_operands *operands);

// ---- say.c: complaints and colours ----

// Each prints one line on stderr, "weft: ...", and gives the exit status that belongs to it.
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_failed_call(int code); // the sentence of weft_explain for the call that gave `code`

enum cli_colour { CLI_PLAIN, CLI_BOLD, CLI_RED, CLI_GREEN, CLI_YELLOW };

// The control sequence that begins a colour on stdout, "" where colours are not wanted: no
// terminal, TERM=dumb, or NO_COLOR (https://no-color.org).
const char *cli_colour(enum cli_colour colour);

// ---- json.c: output for programs ----

// Prints a string of JSON (RFC 8259 section 7). Bytes that are no UTF-8 become U+FFFD.
void cli_print_json_string(const char *text, size_t size);

// ---- serve.c: running a server until Ctrl-C ----

struct cli_service {
    bool is_blocking;        // plain threads instead of tasks
    int listener;            // TCP; taken
    int (*client)(int conn); // serves one client; takes the connection
    int (*beside)(void *);   // runs beside the listener, if not NULL: the UDP half
    void *beside_arg;
};

// Starts the driver unless `is_blocking`. Returns CLI_OK, or has complained and returns the status.
int cli_start_driver(bool is_blocking);

// "epoll (io_uring refused: ...)": the driver, with the reason for the choice. Static.
const char *cli_driver_story(void);

// Serves until SIGINT or SIGTERM, closes everything and gives the exit status.
int cli_serve(struct cli_service *service);

// Prints one line: what is listened on, and the command of a client to try it with, which gets a
// URL or IP and port.
void cli_print_listening(const char *protocol, int handle, const char *client, bool wants_url);

#endif

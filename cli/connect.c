// SPDX-License-Identifier: MIT
// `weft connect URL`: standard input to a peer, the peer to standard output. Everything here runs
// on plain threads, without a runtime: one reads the peer, one feeds it. The deadline of --timeout
// is one weft_within around all of it.
#include "cli.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <weft.h>

#define NEVER     INT64_MAX
#define ANSWER_NS (5 * WEFT_SECOND) // how long one UDP answer is waited for without --timeout

// What was asked for on the command line, and what came of it.
struct session {
    const char *where; // HOST:PORT
    bool is_udp;
    const char *timeout; // as it was given
    int64_t timeout_ns;  // NEVER without --timeout
    int64_t deadline_ns; // on the clock of weft_now
    char *text;          // of --send, NULL: standard input
    size_t text_size;
    int conn; // once connected
};

// For a weft_within: on another thread, or later, less is left of the same deadline.
static int64_t time_left(const struct session *session) {
    return session->deadline_ns == NEVER ? NEVER : session->deadline_ns - weft_now();
}

// Writes all of it to standard output. A reader that went away ends us by SIGPIPE, as any filter.
static int print_bytes(const char *buf, size_t size) {
    while (size > 0) {
        ssize_t n = write(STDOUT_FILENO, buf, size);
        if (n < 0 && errno != EINTR)
            return cli_failure("standard output: %m");
        buf += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return CLI_OK;
}

// Reports a call that failed. That the time is up is our own doing and said in our own words.
static int failed(const struct session *session, int code) {
    if (!weft_timed_out())
        return cli_failed_call(code);
    return cli_failure("connect %s: timed out (--timeout %s)", session->where, session->timeout);
}

// ---- TCP ----

// The thread that feeds the peer. What goes wrong with the connection, the other one reports: both
// see the same connection, and a peer that stops listening may still have something to say.
static void *feed(void *arg) {
    const struct session *session = arg;
    char buf[16384];
    ssize_t n = 0;
    weft_within(time_left(session));
    if (session->text)
        (void)weft_write_all(session->conn, session->text, session->text_size);
    else
        while ((n = read(STDIN_FILENO, buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR))
            if (n > 0 && weft_write_all(session->conn, buf, (size_t)n) < 0)
                break;
    if (n < 0)
        cli_failure("standard input: %m");
    (void)weft_shutdown(session->conn, WEFT_WRITE);
    return NULL;
}

// Reads until the peer's end. Ours is the other thread's business.
static int converse(struct session *session) {
    pthread_t feeder;
    char buf[16384];
    int status = CLI_OK;
    int error = pthread_create(&feeder, NULL, feed, session);
    if (error != 0)
        return cli_failure("no thread for standard input: %s", weft_strerror(error));
    pthread_detach(feeder); // it may wait for a terminal when the peer has long gone
    ssize_t n = 0;
    while (status == CLI_OK && (n = weft_read(session->conn, buf, sizeof buf)) > 0)
        status = print_bytes(buf, (size_t)n);
    return n < 0 ? failed(session, (int)n) : status;
}

static int connect_tcp(struct session *session) {
    weft_within(session->timeout_ns);
    session->conn = weft_tcp_connect(session->where);
    if (session->conn < 0)
        return failed(session, session->conn);
    int status = converse(session);
    weft_close(session->conn);
    return status;
}

// ---- UDP ----

// Lines of --send, or of standard input, each as long as a datagram may be.
struct lines {
    char *buf;
    size_t capacity;
    size_t start, end; // of what was read and not yet given out
    bool is_at_end;
};

// Waits for more input and reads it. Returns what read(2) does, or 0 when the time is up.
static ssize_t read_more(struct lines *lines, const struct session *session) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t left_ns = time_left(session);
    int64_t left_ms = left_ns == NEVER ? -1 : left_ns < 0 ? 0 : left_ns / WEFT_MILLISECOND + 1;
    int ready = poll(&input, 1, left_ms > INT32_MAX ? -1 : (int)left_ms);
    if (ready <= 0)
        return ready;
    return read(STDIN_FILENO, lines->buf + lines->end, lines->capacity - lines->end);
}

// The next line without its newline, also a last one that has none.
// Returns 1, 0 at the end or when the time is up, or -1 after a complaint.
static int next_line(struct lines *lines, const struct session *session, const char **ret_line,
                     size_t *ret_size) {
    for (;;) {
        char *start = lines->buf + lines->start;
        size_t size = lines->end - lines->start;
        char *newline = memchr(start, '\n', size);
        bool is_full = size == lines->capacity;
        if (newline || is_full || (lines->is_at_end && size > 0)) {
            *ret_line = start;
            *ret_size = newline ? (size_t)(newline - start) : size;
            lines->start += *ret_size + (newline ? 1 : 0);
            return 1;
        }
        if (lines->is_at_end)
            return 0;
        memmove(lines->buf, start, size);
        lines->start = 0;
        lines->end = size;
        ssize_t n = read_more(lines, session);
        if (n < 0 && errno == EINTR) // stopped and continued by the shell: the clock ran on
            continue;
        if (n < 0) {
            cli_failure("standard input: %m");
            return -1;
        }
        lines->end += (size_t)n;
        lines->is_at_end = n == 0;
    }
}

// One datagram there, one back, printed as a line.
static int ask(const struct session *session, const char *text, size_t size) {
    static char answer[65536];
    weft_within(session->deadline_ns == NEVER ? ANSWER_NS : NEVER);
    ssize_t n = weft_write(session->conn, text, size);
    if (n >= 0)
        n = weft_read(session->conn, answer, sizeof answer - 1);
    if (n < 0 && weft_timed_out() && session->deadline_ns == NEVER)
        return cli_failure("connect %s: no answer within 5s (is the server running? UDP does not "
                           "tell; --timeout waits longer)",
                           session->where);
    if (n < 0)
        return failed(session, (int)n);
    answer[n] = '\n';
    return print_bytes(answer, (size_t)n + 1);
}

// Question by question: UDP does not tell which answer belongs to which, so no two are under way.
static int connect_udp(struct session *session) {
    static char input[65536];
    struct lines lines = {.buf = input, .capacity = sizeof input};
    if (session->text)
        lines = (struct lines){session->text, SIZE_MAX, 0, session->text_size, true};
    const char *line;
    size_t size;
    int found, status = CLI_OK;
    weft_within(session->timeout_ns);
    session->conn = weft_udp_connect(session->where);
    if (session->conn < 0)
        return failed(session, session->conn);
    while (status == CLI_OK && (found = next_line(&lines, session, &line, &size)) != 0)
        status = found < 0 ? CLI_FAILED : ask(session, line, size);
    int result = status == CLI_OK ? weft_check() : 0; // the time may have run out without a call
    weft_close(session->conn);
    return result < 0 ? failed(session, result) : status;
}

// ---- The command line ----

static const char help[] =
    "Usage: weft connect [--send TEXT] [--timeout TIME] URL\n"
    "\n"
    "URL is tcp://HOST:PORT or udp://HOST:PORT; a host name is looked up.\n"
    "\n"
    "  tcp  standard input goes to the peer, what the peer says to standard output. At the end\n"
    "       of input the peer is told (half-close); the peer's end is the end.\n"
    "  udp  each line, of standard input or TEXT, is sent as a datagram, without its newline; one\n"
    "       answer is awaited, 5s if there is no --timeout, and printed as a line.\n"
    "\n"
    "  --send TEXT     sends TEXT instead of standard input; knows the escapes of C: \\n \\x00\n"
    "  --timeout TIME  ends everything, name lookup included, after TIME: 5s, 500ms, 1m30s\n"
    "  -h, --help      this text\n"
    "\n"
    "  weft connect tcp://127.0.0.1:7878 --send 'hi\\n'\n";

// Splits "tcp://HOST:PORT", with or without a final slash.
static int parse_url(char *url, struct session *session) {
    static const char forms[] = "tcp://HOST:PORT or udp://HOST:PORT";
    size_t size = strlen(url);
    session->is_udp = strncasecmp(url, "udp://", 6) == 0; // RFC 3986 section 3.1
    if (!session->is_udp && strncasecmp(url, "tcp://", 6) != 0)
        return cli_usage_error("connect: '%s' is no URL of the form %s", url, forms);
    if (url[size - 1] == '/' && size > 6)
        url[size - 1] = '\0';
    session->where = url + 6;
    return CLI_OK;
}

static int parse_timeout(const char *text, struct session *session) {
    session->timeout = text;
    int result = cli_parse_duration(text, &session->timeout_ns);
    if (result == -ERANGE)
        session->timeout_ns = NEVER; // beyond 292 years
    if (result == -EINVAL)
        return cli_usage_error("connect: '%s' is no time (write 5s, 500ms or 1m30s)", text);
    return CLI_OK;
}

// The escapes are replaced where they stand: argv may be changed (C17 5.1.2.2.1).
static int parse_text(char *text, struct session *session) {
    const char *escape;
    session->text = text;
    if (cli_unescape(text, &session->text_size, &escape) < 0)
        return cli_usage_error("connect: '%.4s' is no escape of C (write \\\\ for a backslash)",
                               escape);
    return CLI_OK;
}

static int run(const struct cli_command *self, int argc, char **argv) {
    enum { SEND = 256, TIMEOUT };
    static const struct option options[] = {{"send", required_argument, NULL, SEND},
                                            {"timeout", required_argument, NULL, TIMEOUT},
                                            CLI_HELP_OPTION,
                                            {0}};
    static struct session session = {.timeout_ns = NEVER}; // a thread may see it to the very end
    int status = CLI_OK;
    for (int option; (option = cli_next_option(self, argc, argv, options)) != -1;) {
        status = option == SEND ? parse_text(optarg, &session) : parse_timeout(optarg, &session);
        if (status != CLI_OK)
            return status;
    }
    const struct cli_operands operands = {.least = 1, .most = 1, .meaning = "a URL"};
    status = parse_url((char *)cli_operand(self, argc, argv, &operands), &session);
    if (status != CLI_OK)
        return status;
    int64_t now = weft_now();
    session.deadline_ns = session.timeout_ns > NEVER - now ? NEVER : now + session.timeout_ns;
    return session.is_udp ? connect_udp(&session) : connect_tcp(&session);
}

const struct cli_command cli_connect = {"connect", "talks to a TCP or UDP server", help, run, NULL};

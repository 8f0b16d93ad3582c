// SPDX-License-Identifier: MIT
// `weft hello`: a correct minimal HTTP/1.1 server. Answers GET and HEAD with a greeting, keeps
// connections, answers pipelined requests in one write. Heads are read in http.c; here the bytes
// come and go. Not a web server: every path gives the same answer.
#include "cli.h"
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weft.h>

#define GREETING   "Hello, World!\n"
#define RAW_ANSWER "HTTP/1.1 200 OK\r\n\r\nHello, World!" // that of examples/tcp_hello_server.c

enum {
    OUT_SIZE = 4096,
    ANSWER_MAX_SIZE = 512,    // more than the longest answer
    BODY_MAX_SIZE = 1 << 20,  // a longer request body is 413
    DRAIN_MAX_SIZE = 1 << 16, // read and dropped before a close, see take_leave
};
#define REQUEST_NS (60 * WEFT_SECOND) // for one request, waiting for it included
#define LEAVE_NS   WEFT_SECOND

// One connection. Only what is used of the buffers is ever touched: an idle client stays small.
struct client {
    int conn;
    int64_t deadline_ns; // of the request that comes next
    size_t in_size, out_size;
    time_t date_s; // the second that `date` tells
    char date[32];
    char in[HTTP_HEAD_MAX_SIZE];
    char out[OUT_SIZE];
};

// The reason phrase of each status that http_parse and this file give.
static const char *reason_of(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 405:
        return "Method Not Allowed";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Bad Request";
    }
}

// The Date field that an origin server with a clock has to send (RFC 9110 section 6.6.1).
static const char *date_of(struct client *client) {
    struct timespec now;
    struct tm utc;
    timespec_get(&now, TIME_UTC);
    if (now.tv_sec != client->date_s && gmtime_r(&now.tv_sec, &utc)) {
        strftime(client->date, sizeof client->date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
        client->date_s = now.tv_sec;
    }
    return client->date;
}

// ---- What goes out: answers gather in a buffer, so that pipelined ones leave in one write ----

static ssize_t flush(struct client *client) {
    size_t size = client->out_size;
    client->out_size = 0;
    return weft_write_all(client->conn, client->out, size);
}

// Every text is shorter than the buffer, so after a flush there is room.
static ssize_t put(struct client *client, const char *text, size_t size) {
    if (size > sizeof client->out - client->out_size) {
        ssize_t result = flush(client);
        if (result < 0)
            return result;
    }
    memcpy(client->out + client->out_size, text, size);
    client->out_size += size;
    return 0;
}

// What keeps a connection is the default of 1.1 and the exception in 1.0, so each says the
// contrary.
static ssize_t put_answer(struct client *client, const struct http_request *request) {
    char text[ANSWER_MAX_SIZE];
    const char *connection = !request->keeps_alive  ? "Connection: close\r\n"
                             : request->is_http_1_0 ? "Connection: keep-alive\r\n"
                                                    : "";
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\n"
                        "Content-Length: %zu\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Date: %s\r\n%s\r\n%s",
                        sizeof GREETING - 1, date_of(client), connection,
                        request->is_head ? "" : GREETING);
    return put(client, text, (size_t)size);
}

// A refusal ends the connection: after a request that cannot be read nobody knows where the next
// one begins.
static ssize_t put_refusal(struct client *client, int status) {
    char text[ANSWER_MAX_SIZE];
    const char *reason = reason_of(status);
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 %d %s\r\n"
                        "Content-Length: %zu\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Date: %s\r\n%sConnection: close\r\n\r\n%d %s\n",
                        status, reason, strlen(reason) + 5, date_of(client),
                        status == 405 ? "Allow: GET, HEAD\r\n" : "", status, reason);
    return put(client, text, (size_t)size);
}

// ---- What comes in ----

// Drops `size` bytes from the front of what was read.
static void consume(struct client *client, size_t size) {
    client->in_size -= size;
    memmove(client->in, client->in + size, client->in_size);
}

// Reads a body to its end and drops it, so that the next request is found behind it.
static ssize_t skip_body(struct client *client, const struct http_request *request) {
    uint64_t left = request->body_size;
    if (left > 0 && request->expects_continue && client->in_size == 0) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        ssize_t result = put(client, go_on, sizeof go_on - 1);
        if (result < 0 || (result = flush(client)) < 0)
            return result;
    }
    for (;;) {
        size_t here = left < client->in_size ? (size_t)left : client->in_size;
        consume(client, here);
        left -= here;
        if (left == 0)
            return 0;
        ssize_t n = weft_read(client->conn, client->in, sizeof client->in);
        if (n <= 0)
            return n < 0 ? n : -ENODATA; // nobody is left to answer
        client->in_size = (size_t)n;
    }
}

// Answers one whole request, 1; or 0 when it was the last of its connection; or an error.
static ssize_t answer(struct client *client, const struct http_request *request) {
    consume(client, request->head_size);
    if (request->body_size > BODY_MAX_SIZE) {
        ssize_t result = put_refusal(client, 413);
        return result < 0 ? result : 0;
    }
    ssize_t result = skip_body(client, request);
    if (result == 0)
        result = put_answer(client, request);
    return result < 0 ? result : request->keeps_alive;
}

// Answers every request that has arrived whole. Returns 1 to read on, 0 to close, or an error.
static ssize_t answer_all(struct client *client) {
    ssize_t result = 1;
    while (result == 1) {
        struct http_request request;
        int parsed = http_parse(client->in, client->in_size, &request);
        if (parsed == 0)
            break;
        if (parsed < 0) {
            result = put_refusal(client, -parsed);
            break;
        }
        result = answer(client, &request);
        client->deadline_ns = weft_now() + REQUEST_NS;
    }
    ssize_t flushed = result < 0 ? 0 : flush(client);
    return flushed < 0 ? flushed : result;
}

// Closing with bytes unread makes the kernel send a reset, which may overtake our last answer
// (RFC 9112 section 9.6): so say that no more comes, and give the peer a moment to hear it.
static void take_leave(int conn) {
    char dropped[1024];
    ssize_t n;
    weft_within(LEAVE_NS);
    (void)weft_shutdown(conn, WEFT_WRITE); // it fails only when the peer has already gone
    for (size_t size = 0; size < DRAIN_MAX_SIZE; size += (size_t)n)
        if ((n = weft_read(conn, dropped, sizeof dropped)) <= 0)
            break;
}

// One connection, from its first byte to its last. The deadline is that of a whole request and not
// of a single read, or else a byte a minute would hold the connection for ever.
static int hello(int conn) {
    struct client client; // not zeroed: that would touch every page of its buffers
    client.conn = conn;
    client.in_size = client.out_size = 0;
    client.date_s = -1;
    client.date[0] = '\0';
    client.deadline_ns = weft_now() + REQUEST_NS;
    ssize_t result = 1;
    while (result == 1) {
        weft_within(client.deadline_ns - weft_now());
        ssize_t n = weft_read(conn, client.in + client.in_size, sizeof client.in - client.in_size);
        if (n <= 0)
            break;
        client.in_size += (size_t)n;
        result = answer_all(&client);
    }
    if (result == 0)
        take_leave(conn);
    return weft_close(conn);
}

// Whatever was asked, this is the answer; its end is the end of the connection.
static int hello_raw(int conn) {
    char request[512];
    weft_within(REQUEST_NS);
    ssize_t n = weft_read(conn, request, sizeof request);
    if (n >= 0 && weft_write_all(conn, RAW_ANSWER, sizeof RAW_ANSWER - 1) > 0)
        take_leave(conn);
    return weft_close(conn);
}

static const char help[] =
    "Usage: weft hello [ADDR] [--blocking] [--raw]\n"
    "\n"
    "Answers every HTTP request with a greeting, until Ctrl-C. ADDR is 127.0.0.1:7878 if\n"
    "not given; port 0 lets the system choose.\n"
    "\n"
    "  --blocking  a plain thread per client instead of a task\n"
    "  --raw       the bytes of examples/tcp_hello_server.c: no length, closes after each answer\n"
    "  -h, --help  this text\n"
    "\n"
    "HTTP/1.1 and 1.0, GET and HEAD, keep-alive, pipelining. A head has at most 8KiB and 100\n"
    "fields, a body 1MiB; a request that takes longer than 60s ends its connection.\n"
    "\n"
    "  weft hello 127.0.0.1:8080\n"
    "  curl http://127.0.0.1:8080/\n"
    "  wrk -t1 -c100 -d5s http://127.0.0.1:8080/\n";

static int run(const struct cli_command *self, int argc, char **argv) {
    enum { BLOCKING = 256, RAW };
    static const struct option options[] = {{"blocking", no_argument, NULL, BLOCKING},
                                            {"raw", no_argument, NULL, RAW},
                                            CLI_HELP_OPTION,
                                            {0}};
    struct cli_service service = {.client = hello};
    for (int option; (option = cli_next_option(self, argc, argv, options)) != -1;) {
        if (option == BLOCKING)
            service.is_blocking = true;
        else
            service.client = hello_raw;
    }
    const char *where = cli_operand(
        self, argc, argv, &(struct cli_operands){.most = 1, .otherwise = "127.0.0.1:7878"});
    int status = cli_start_driver(service.is_blocking);
    if (status != CLI_OK)
        return status;
    service.listener = weft_tcp_listen(where);
    if (service.listener < 0)
        return cli_failed_call(service.listener);
    printf("weft hello: a greeting for every HTTP request\n  driver %s\n", cli_driver_story());
    cli_print_listening("HTTP", service.listener, "curl", true);
    return cli_serve(&service);
}

const struct cli_command cli_hello = {"hello", "answers HTTP requests with a greeting", help, run,
                                      NULL};

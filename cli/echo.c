// SPDX-License-Identifier: MIT
// `weft echo`: every byte that comes over TCP and every UDP datagram goes back to where it came
// from. The TCP handler is the one of the README, ten lines, and does not know whether it runs in a
// task or in a thread.
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <weft.h>

static int echo(int conn) {
    char buf[1024];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    weft_close(conn);
    return (int)n;
}

// The UDP half. The buffer holds any datagram and would fill a task's stack, so it stands here.
struct datagrams {
    int sock;
    char buf[65536];
};

static int echo_datagrams(void *arg) {
    struct datagrams *server = arg;
    weft_addr peer;
    ssize_t n;
    while ((n = weft_recv_from(server->sock, server->buf, sizeof server->buf, &peer)) >= 0)
        (void)weft_send_to(server->sock, server->buf, (size_t)n, &peer); // UDP promises nothing
    if (n != -ECANCELED)
        cli_failed_call((int)n);
    weft_close(server->sock);
    return (int)n;
}

static const char help[] =
    "Usage: weft echo [--tcp ADDR] [--udp ADDR] [--blocking]\n"
    "\n"
    "Sends back whatever comes, over TCP and UDP, until Ctrl-C.\n"
    "\n"
    "  --tcp ADDR  where to listen for TCP, 127.0.0.1:7878 if not given\n"
    "  --udp ADDR  where to wait for UDP, 127.0.0.1:8081 if not given\n"
    "  --blocking  a plain thread per client instead of a task\n"
    "  -h, --help  this text\n"
    "\n"
    "ADDR is HOST:PORT, as in 0.0.0.0:7878 or [::1]:0; port 0 lets the system choose.\n"
    "\n"
    "  weft echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0\n";

static int run(const struct cli_command *self, int argc, char **argv) {
    enum { TCP = 256, UDP, BLOCKING };
    static const struct option options[] = {{"tcp", required_argument, NULL, TCP},
                                            {"udp", required_argument, NULL, UDP},
                                            {"blocking", no_argument, NULL, BLOCKING},
                                            CLI_HELP_OPTION,
                                            {0}};
    static struct datagrams datagrams;
    struct cli_service service = {
        .client = echo, .beside = echo_datagrams, .beside_arg = &datagrams};
    const char *tcp = "127.0.0.1:7878", *udp = "127.0.0.1:8081";
    for (int option; (option = cli_next_option(self, argc, argv, options)) != -1;) {
        if (option == BLOCKING)
            service.is_blocking = true;
        else
            *(option == TCP ? &tcp : &udp) = optarg;
    }
    (void)cli_operand(self, argc, argv, &(struct cli_operands){0});
    int status = cli_start_driver(service.is_blocking);
    if (status != CLI_OK)
        return status;
    service.listener = weft_tcp_listen(tcp);
    if (service.listener < 0)
        return cli_failed_call(service.listener);
    datagrams.sock = weft_udp_bind(udp);
    if (datagrams.sock < 0)
        return cli_failed_call(datagrams.sock);
    printf("weft echo: every byte comes back\n  driver %s\n", cli_driver_story());
    cli_print_listening("TCP", service.listener, "printf 'hi\\n' | nc -q1", false);
    cli_print_listening("UDP", datagrams.sock, "printf 'hi\\n' | nc -u -w1", false);
    return cli_serve(&service);
}

const struct cli_command cli_echo = {"echo", "sends back what comes, over TCP and UDP", help, run,
                                     NULL};

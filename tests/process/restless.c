// SPDX-License-Identifier: MIT
// Clients that never stop of their own accord: each has a connection to an echo server and sends
// the next message when the last has come back. The program ends with 0 when the server has closed
// every one of them, which is what it is there to see. restless HOST PORT CLIENTS
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 1024, MESSAGE_SIZE = 100 };

static struct pollfd clients[CLIENTS_MAX];
static bool has_echoed[CLIENTS_MAX];

static int fail(const char *what) {
    perror(what);
    return 1;
}

static int open_client(const struct sockaddr_in *addr) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0)
        return -1;
    return fd;
}

static bool is_closed_by_peer(ssize_t result) {
    return result == 0 || (result < 0 && (errno == ECONNRESET || errno == EPIPE));
}

// One echo has come, or the end. Returns whether the client goes on; -1: something else is wrong.
static int go_on(struct pollfd *client) {
    static const char message[MESSAGE_SIZE];
    char buf[MESSAGE_SIZE];
    ssize_t n = recv(client->fd, buf, sizeof buf, 0);
    if (n > 0)
        n = send(client->fd, message, (size_t)n, MSG_NOSIGNAL);
    if (n > 0)
        return 1;
    return is_closed_by_peer(n) ? 0 : -1;
}

// Until all are closed. Says when every client has had an answer.
static int run(nfds_t count) {
    nfds_t open = count, silent = count;
    while (open > 0) {
        if (poll(clients, count, -1) < 0)
            return fail("poll");
        for (nfds_t i = 0; i < count; i++) {
            if (clients[i].revents == 0)
                continue;
            int goes_on = go_on(&clients[i]);
            if (goes_on < 0)
                return fail("a client");
            if (goes_on == 0) {
                close(clients[i].fd);
                clients[i].fd = -1; // poll(2) skips it
                open--;
            }
            if (!has_echoed[i] && --silent == 0)
                puts("all are served");
            has_echoed[i] = true;
        }
    }
    puts("all are closed");
    return 0;
}

int main(int argc, char **argv) {
    struct sockaddr_in addr = {.sin_family = AF_INET};
    if (argc != 4 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1)
        return 2;
    addr.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    nfds_t count = strtoul(argv[3], NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (nfds_t i = 0; i < count && i < CLIENTS_MAX; i++) {
        clients[i] = (struct pollfd){.fd = open_client(&addr), .events = POLLIN};
        if (clients[i].fd < 0)
            return fail("connect");
        if (send(clients[i].fd, "x", 1, MSG_NOSIGNAL) != 1)
            return fail("send");
    }
    return run(count < CLIENTS_MAX ? count : CLIENTS_MAX);
}

// SPDX-License-Identifier: MIT
// A crowd of TCP clients in one process, on raw epoll and without weft: opens COUNT connections,
// keeps them all open at once, sends MESSAGES messages over each, and checks that every byte comes
// back. The clients come from several addresses of 127.0.0.0/8, so that ports do not run out.
//   many_clients IP PORT COUNT MESSAGES
// Exit status 0 when every byte came back, 1 when not, 77 when a limit forbids so many.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MESSAGE_SIZE = 64,
    CLIENTS_PER_ADDRESS = 4000,
    CONNECTING_MAX_COUNT = 256, // at once: more would only fill the server's backlog
    BOUND_S = 120,              // ends hangs, measures nothing
};

struct client {
    int fd;
    int sent, received; // messages, whole ones
    size_t filled;      // bytes of the answer that is arriving
    char answer[MESSAGE_SIZE];
};

static struct sockaddr_in server = {.sin_family = AF_INET};
static struct client *clients;
static int count, messages, epoll_fd;
static int connecting, connected;

static _Noreturn void give_up(int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    exit(status);
}

// What client `index` sends as its message `number`: no two are alike.
static void make_message(int index, int number, char message[static MESSAGE_SIZE]) {
    uint64_t state = ((uint64_t)index << 32 | (uint32_t)number) * 0x9e3779b97f4a7c15 + 1;
    for (int i = 0; i < MESSAGE_SIZE; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        message[i] = (char)(state >> 32);
    }
}

static void raise_limit(void) {
    struct rlimit limit;
    rlim_t needed = (rlim_t)count + 16;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < needed)
        give_up(77, "skipped: %d clients need %llu descriptors; the hard limit is %llu", count,
                (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Begins to connect client `index` from its own address.
static void begin(int index) {
    struct client *client = &clients[index];
    struct sockaddr_in from = {.sin_family = AF_INET};
    uint32_t host = 1 + (uint32_t)(index / CLIENTS_PER_ADDRESS);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // The port is chosen by connect(2), which knows the whole pair (ip(7)).
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (client->fd < 0 || bind(client->fd, (struct sockaddr *)&from, sizeof from) < 0)
        give_up(1, "client %d: socket: %m", index);
    if (connect(client->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
        give_up(1, "client %d: connect: %m", index);
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)index};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
        give_up(1, "client %d: epoll_ctl: %m", index);
    connecting++;
}

static void send_next(int index) {
    struct client *client = &clients[index];
    char message[MESSAGE_SIZE];
    make_message(index, client->sent, message);
    // So few bytes always fit into an empty socket buffer.
    if (send(client->fd, message, sizeof message, MSG_NOSIGNAL) != MESSAGE_SIZE)
        give_up(1, "client %d: send: %m", index);
    client->sent++;
}

static void finish_connect(int index) {
    int error = 0;
    getsockopt(clients[index].fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
    if (error != 0)
        give_up(1, "client %d: connect: %s", index, strerror(error));
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, clients[index].fd, &event);
    connecting--;
    connected++;
    send_next(index);
}

// Reads what came back. True when it completed a message.
static bool receive(int index) {
    struct client *client = &clients[index];
    char expected[MESSAGE_SIZE];
    ssize_t n = recv(client->fd, client->answer + client->filled, MESSAGE_SIZE - client->filled, 0);
    if (n < 0)
        give_up(1, "client %d: recv: %m", index);
    if (n == 0)
        give_up(1, "client %d: the server closed after %d answers", index, client->received);
    client->filled += (size_t)n;
    if (client->filled < MESSAGE_SIZE)
        return false;
    make_message(index, client->received, expected);
    if (memcmp(client->answer, expected, MESSAGE_SIZE) != 0)
        give_up(1, "client %d: answer %d is not what was sent", index, client->received);
    client->filled = 0;
    client->received++;
    return true;
}

// Runs until every client has had `goal` answers; a client goes on as soon as it may.
static void run_until(int goal) {
    struct epoll_event events[256];
    int done = 0, next = connected;
    for (int i = 0; i < connected; i++)
        send_next(i);
    while (done < count) {
        for (; next < count && connecting < CONNECTING_MAX_COUNT; next++)
            begin(next);
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int index = (int)events[i].data.u32;
            if (events[i].events & EPOLLOUT)
                finish_connect(index);
            else if (receive(index)) {
                if (clients[index].received == goal)
                    done++;
                else
                    send_next(index);
            }
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 5 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
        give_up(2, "usage: many_clients IP PORT COUNT MESSAGES");
    server.sin_port = htons((uint16_t)strtol(argv[2], NULL, 10));
    count = (int)strtol(argv[3], NULL, 10);
    messages = (int)strtol(argv[4], NULL, 10);
    raise_limit();
    alarm(BOUND_S);
    clients = calloc((size_t)count, sizeof *clients);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run_until(1); // from here on all are connected, and each was answered
    if (messages > 1)
        run_until(messages);
    printf("%d clients at once, %d messages each: every byte came back\n", connected, messages);
    free(clients);
    return 0;
}

// SPDX-License-Identifier: MIT
// Clients that behave badly, on raw sockets and without weft. Each runs until it is killed, but for
// `reset`, which ends after COUNT resets.
//   bad_peer reset IP PORT COUNT     connects, sends, breaks off with a reset; COUNT times
//   bad_peer stall IP PORT COUNT     COUNT connections that send a few bytes and then nothing
//   bad_peer drip IP PORT TEXT       sends TEXT again and again, a byte per segment, and reads
//   bad_peer flood IP PORT COUNT     COUNT connections that send what they can and never read
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in server = {.sin_family = AF_INET};

static int connect_one(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) < 0) {
        perror("bad_peer: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

// Says that the misbehaviour has begun, and stays.
static void stay(void) {
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

static int reset(int count) {
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (int i = 0; i < count; i++) {
        int fd = connect_one();
        // Every third says nothing at all, every other one leaves its answer unread.
        if (i % 3 != 0 && send(fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0)
            perror("bad_peer: send");
        if (i % 3 == 2)
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                   sizeof(struct linger));
        close(fd);
    }
    printf("%d resets\n", count);
    return 0;
}

static void stall(int count) {
    for (int i = 0; i < count; i++) {
        int fd = connect_one();
        if (send(fd, "GE", 2, MSG_NOSIGNAL) != 2)
            exit(1);
    }
    stay();
}

// Reads what is there without waiting; the answers are not looked at.
static void read_some(int fd) {
    char buf[4096];
    while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
        continue;
}

static void drip(const char *text) {
    int fd = connect_one();
    puts("ready");
    fflush(stdout);
    for (size_t i = 0; send(fd, text + i, 1, MSG_NOSIGNAL) == 1; i = (i + 1) % strlen(text)) {
        read_some(fd);
        poll(NULL, 0, 1); // so that each byte travels alone
    }
    fprintf(stderr, "bad_peer: the server gave up on us\n");
    exit(1);
}

// Fills every connection until it takes no more: the server's answers fill its buffers, too.
static void flood(int count) {
    static char zeros[65536];
    int *fds = calloc((size_t)count, sizeof *fds);
    for (int i = 0; i < count; i++)
        fds[i] = connect_one();
    for (int quiet = 0; quiet < 3;) { // three rounds in which nothing moved: all is full
        long moved = 0;
        for (int i = 0; i < count; i++) {
            ssize_t n = send(fds[i], zeros, sizeof zeros, MSG_NOSIGNAL | MSG_DONTWAIT);
            moved += n > 0 ? n : 0;
        }
        quiet = moved > 0 ? 0 : quiet + 1;
        poll(NULL, 0, 50);
    }
    stay();
}

int main(int argc, char **argv) {
    if (argc != 5 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
        fprintf(stderr, "usage: bad_peer reset|stall|drip|flood IP PORT COUNT|TEXT\n");
        return 2;
    }
    server.sin_port = htons((unsigned short)strtol(argv[3], NULL, 10));
    int count = (int)strtol(argv[4], NULL, 10);
    if (strcmp(argv[1], "reset") == 0)
        return reset(count);
    if (strcmp(argv[1], "stall") == 0)
        stall(count);
    if (strcmp(argv[1], "drip") == 0)
        drip(argv[4]);
    if (strcmp(argv[1], "flood") == 0)
        flood(count);
    return 2;
}

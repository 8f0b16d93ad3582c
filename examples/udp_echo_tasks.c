// SPDX-License-Identifier: MIT
// UDP echo in a task: the function is that of udp_echo_server.c, unchanged.
#include <stdio.h>
#include <weft.h>

static int echo(int sock) {
    char buf[65536]; // room for any datagram
    weft_addr peer;
    ssize_t n;
    while ((n = weft_recv_from(sock, buf, sizeof buf, &peer)) >= 0) {
        printf("Received: %.*s\n", (int)n, buf);
        if ((n = weft_send_to(sock, buf, (size_t)n, &peer)) < 0)
            fprintf(stderr, "Not sent back: %s\n", weft_strerror(n));
    }
    weft_close(sock);
    return (int)n;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0); // each line at once, into a file or a pipe, too
    weft_scope servers = {0};
    weft_task_options roomy = {.stack_size = 128 * 1024}; // tasks have 64 KiB, which buf fills
    weft_must(weft_go_with(&servers, echo, weft_must(weft_udp_bind("127.0.0.1:8081")), &roomy));
    weft_must(weft_join(&servers));
}

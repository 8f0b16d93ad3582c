// SPDX-License-Identifier: MIT
// A blocking TCP server, as in a first lesson on sockets: one client after the other.
#include <stdio.h>
#include <weft.h>

static int answer(int conn) {
    char request[512];
    weft_within(5 * WEFT_SECOND); // a client that stalls keeps the next one waiting no longer
    ssize_t n = weft_read(conn, request, sizeof request);
    if (n >= 0) {
        printf("Received: %.*s\n", (int)n, request);
        n = weft_printf(conn, "HTTP/1.1 200 OK\r\n\r\nHello, World!");
    }
    weft_close(conn);
    return (int)n;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0); // each line at once, into a file or a pipe, too
    int n, listener = weft_must(weft_tcp_listen("127.0.0.1:7878"));
    puts("Server listening on port 7878...");
    for (;;)
        if ((n = answer(weft_accept(listener))) < 0) // a failed accept passes through answer
            fprintf(stderr, "No answer given: %s\n", weft_strerror(n));
}

// SPDX-License-Identifier: MIT
// TCP echo with a task per client: thousands at once, each written as if it were the only one.
#include <stdio.h>
#include <weft.h>

static int echo(int conn) {
    char buf[1024];
    weft_addr peer = {0};
    weft_peer_addr(conn, &peer);
    printf("New connection: %s\n", weft_addr_text(&peer, buf));
    ssize_t n, sent = 0;
    while (sent >= 0 && (n = weft_read(conn, buf, sizeof buf)) > 0)
        sent = weft_write_all(conn, buf, (size_t)n);
    if ((n = sent < 0 ? sent : n) < 0)
        fprintf(stderr, "%s: %s\n", sent < 0 ? "write" : "read", weft_strerrorname(n));
    return weft_close(conn);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0); // each line at once, into a file or a pipe, too
    weft_scope clients = {0};
    int listener = weft_must(weft_tcp_listen("127.0.0.1:7878"));
    for (;;)
        weft_must(weft_go(&clients, echo, weft_accept(listener)));
}

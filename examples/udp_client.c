// SPDX-License-Identifier: MIT
// A blocking UDP client, from an ephemeral port: one datagram there, one back.
#include <stdio.h>
#include <weft.h>

int main(void) {
    static const char hello[] = "Hello, UDP server!";
    char buf[512];
    weft_within(5 * WEFT_SECOND); // datagrams get lost: nobody should wait for one for ever
    weft_autoclose int sock = weft_must(weft_udp_connect("127.0.0.1:8081"));
    weft_must(weft_write(sock, hello, sizeof hello - 1));
    ssize_t n = weft_must(weft_read(sock, buf, sizeof buf));
    printf("Received: %.*s\n", (int)n, buf);
}

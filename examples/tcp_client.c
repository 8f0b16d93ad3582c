// SPDX-License-Identifier: MIT
// A blocking TCP client: sends one request and prints all that comes back.
#include <stdio.h>
#include <weft.h>

int main(void) {
    char buf[512];
    ssize_t n;
    weft_autoclose int conn = weft_must(weft_tcp_connect("127.0.0.1:7878"));
    weft_must(weft_printf(conn, "GET / HTTP/1.1\r\n\r\n"));
    printf("Server response: ");
    while ((n = weft_must(weft_read(conn, buf, sizeof buf))) > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    puts("");
}

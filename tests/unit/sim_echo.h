// SPDX-License-Identifier: MIT
// An echo server for simulated hosts, on port 7878.
#ifndef TESTS_UNIT_SIM_ECHO_H
#define TESTS_UNIT_SIM_ECHO_H

#include <weft.h>

static inline int serve_one(int conn) {
    char buf[512];
    ssize_t n;
    while ((n = weft_read(conn, buf, sizeof buf)) > 0)
        if ((n = weft_write_all(conn, buf, (size_t)n)) < 0)
            break;
    weft_close(conn);
    return 0;
}

static inline int server(void *unused) {
    (void)unused;
    weft_autojoin weft_scope clients = {0};
    weft_autoclose int listener = weft_tcp_listen("0.0.0.0:7878");
    int error = 0;
    while (error == 0)
        error = weft_go(&clients, serve_one, weft_accept(listener));
    return error;
}

#endif

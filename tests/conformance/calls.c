// SPDX-License-Identifier: MIT
// The table of public calls that take a handle, each with harmless arguments. Their results go
// nowhere: what is tested is how they treat the handle.
#include "calls.h"

#include "case.h"

#define CALL(name_, ...)                                                                           \
    static ssize_t make_##name_(int h) {                                                           \
        char buf[16] = {0};                                                                        \
        struct iovec part = {buf, sizeof buf};                                                     \
        weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 9);                                          \
        (void)part, (void)addr;                                                                    \
        return __VA_ARGS__;                                                                        \
    }

CALL(read, weft_read(h, buf, sizeof buf))
CALL(write, weft_write(h, buf, 1))
CALL(readv, weft_readv(h, &part, 1))
CALL(writev, weft_writev(h, &part, 1))
CALL(peek, weft_peek(h, buf, sizeof buf))
CALL(ready, weft_ready(h, WEFT_WRITE))
CALL(read_exact, weft_read_exact(h, buf, 1))
CALL(write_all, weft_write_all(h, buf, 1))
CALL(readv_exact, weft_readv_exact(h, &part, 1))
CALL(writev_all, weft_writev_all(h, &part, 1))
CALL(printf, weft_printf(h, "%d", 1))
CALL(shutdown, weft_shutdown(h, WEFT_WRITE))
CALL(close, weft_close(h))
CALL(abort, weft_abort(h))
CALL(accept, weft_accept(h))
CALL(accept_from, weft_accept_from(h, &addr))
CALL(tcp_nodelay, weft_tcp_nodelay(h, 1))
CALL(tcp_keepalive, weft_tcp_keepalive(h, 60, 5, 3))
CALL(recv_from, weft_recv_from(h, buf, sizeof buf, &addr))
CALL(recv_with, weft_recv_with(h, buf, sizeof buf, NULL))
CALL(send_to, weft_send_to(h, buf, 1, &addr))
CALL(local_addr, weft_local_addr(h, &addr))
CALL(peer_addr, weft_peer_addr(h, &addr))

// Calls that fail on a listener for another reason than its kind (weft_peer_addr: -ENOTCONN) are
// marked as working on it: their own cases say how.
const struct call calls[] = {
    {"weft_read", make_read, STREAM | DATAGRAM, true, false},
    {"weft_write", make_write, STREAM | DATAGRAM, true, false},
    {"weft_readv", make_readv, STREAM | DATAGRAM, true, false},
    {"weft_writev", make_writev, STREAM | DATAGRAM, true, false},
    {"weft_peek", make_peek, STREAM | DATAGRAM, true, false},
    {"weft_ready", make_ready, ANY, true, false},
    {"weft_read_exact", make_read_exact, STREAM, true, false},
    {"weft_write_all", make_write_all, STREAM, true, false},
    {"weft_readv_exact", make_readv_exact, STREAM, true, false},
    {"weft_writev_all", make_writev_all, STREAM, true, false},
    {"weft_printf", make_printf, STREAM, true, false},
    {"weft_shutdown", make_shutdown, STREAM, false, false},
    {"weft_close", make_close, ANY, false, true},
    {"weft_abort", make_abort, ANY, false, true},
    {"weft_accept", make_accept, LISTENER, true, false},
    {"weft_accept_from", make_accept_from, LISTENER, true, false},
    {"weft_tcp_nodelay", make_tcp_nodelay, STREAM | LISTENER, false, false},
    {"weft_tcp_keepalive", make_tcp_keepalive, STREAM | LISTENER, false, false},
    {"weft_recv_from", make_recv_from, DATAGRAM, true, false},
    {"weft_recv_with", make_recv_with, DATAGRAM, true, false},
    {"weft_send_to", make_send_to, DATAGRAM, true, false},
    {"weft_local_addr", make_local_addr, ANY, false, false},
    {"weft_peer_addr", make_peer_addr, ANY, false, false},
};
const size_t call_count = sizeof calls / sizeof calls[0];

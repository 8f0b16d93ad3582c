// SPDX-License-Identifier: MIT
//
// UDP: sockets and datagrams.
#include "net/socket.h"

#include "net/addr.h"

#include <errno.h>
#include <string.h>
#include <weft/io.h>
#include <weft/net.h>

static int connect_to(struct weft__making *making, int fd, const weft_addr *peer) {
    weft_addr copy = *peer;
    struct weft__ctl connect = {.kind = WEFT__CTL_CONNECT, .fd = fd, .addr = &copy};
    return (int)weft__ctl(making->self, &connect);
}

// `addr` NULL: not bound, an ephemeral port comes with the peer.
static int open_socket(struct weft__making *making, const weft_addr *addr,
                       const weft_udp_options *options) {
    const weft_addr *family_of = addr ? addr : options->peer;
    bool is_ipv6 = weft_addr_family(family_of) == WEFT_IPV6;
    struct weft__socket_option list[] = {
        {WEFT__OPT_REUSEADDR, options->reuse_addr},
        {WEFT__OPT_REUSEPORT, options->reuse_port},
        {WEFT__OPT_V6ONLY, is_ipv6 ? options->v6_only : 0},
        {WEFT__OPT_BROADCAST, options->broadcast},
        {WEFT__OPT_SEND_BUFFER, options->send_buffer_size},
        {WEFT__OPT_RECEIVE_BUFFER, options->receive_buffer_size},
    };
    int fd =
        weft__socket_make(making, family_of, WEFT__DATAGRAM, list, sizeof list / sizeof list[0]);
    if (fd < 0)
        return fd;
    int error = addr ? weft__socket_bind(making, fd, addr) : 0;
    if (error == 0 && options->peer)
        error = connect_to(making, fd, options->peer);
    if (error == 0)
        return weft__socket_handle(making, fd, WEFT__KIND_DATAGRAM, weft__handle_serial(),
                                   addr ? addr : options->peer);
    weft__ctl_close(making->self, fd);
    return error;
}

static int bind_by_default(struct weft__making *making, const weft_addr *addr) {
    return open_socket(making, addr, &(weft_udp_options){0});
}

int weft_udp_bind(const char *where) {
    return weft__where_each("bind", where, bind_by_default);
}

int weft_priv_udp_bind(const weft_addr *addr, const weft_udp_options *given, size_t size) {
    struct weft__making making = {.self = weft__self(), .name = "bind", .addr = addr};
    weft_udp_options options = {0};
    if (given)
        memcpy(&options, given, size < sizeof options ? size : sizeof options);
    if (!making.self)
        return -ENOMEM;
    int result = weft__is_orphan() ? -ECHILD : weft__making_check(&making);
    if (result == 0)
        result = open_socket(&making, addr, &options);
    return result < 0 ? weft__making_failed(&making, result) : result;
}

static int connect_by_default(struct weft__making *making, const weft_addr *addr) {
    return open_socket(making, NULL, &(weft_udp_options){.peer = addr});
}

int weft_udp_connect(const char *where) {
    return weft__where_each("connect", where, connect_by_default);
}

// ---- Datagrams ------------------------------------------------------------------------------

static int64_t receive(struct weft__call *call, void *buf, size_t size,
                       const weft_recv_options *options, bool *ret_truncated) {
    struct iovec iov = {buf, size};
    weft_addr peer = {{0}};
    struct weft__op op = {.kind = WEFT__OP_RECVMSG,
                          .iov = &iov,
                          .count = 1,
                          .peer = &peer,
                          .flags = options->peek ? WEFT__OP_PEEK : 0};
    if (size > (size_t)INT64_MAX)
        return -EINVAL;
    int64_t result = weft__call_perform(call, &op);
    if (result < 0)
        return result;
    *ret_truncated = op.flags & WEFT__OP_TRUNCATED;
    if (options->ret_peer)
        *options->ret_peer = peer;
    return result;
}

static ssize_t receive_on(const char *name, int sock, void *buf, size_t size,
                          const weft_recv_options *options) {
    struct weft__call call;
    if (sock < 0)
        return sock;
    int error = weft__call_begin(&call, name, sock, WEFT__SIDE_READ, WEFT__KIND_DATAGRAM);
    if (error < 0)
        return error;
    bool is_truncated = false;
    int64_t result = receive(&call, buf, size, options, &is_truncated);
    if (result >= 0 && options->ret_truncated)
        *options->ret_truncated = is_truncated;
    else if (result >= 0 && is_truncated)
        result = -EMSGSIZE;
    return weft__call_end(&call, result);
}

ssize_t weft_recv_from(int sock, void *buf, size_t size, weft_addr *ret_peer) {
    return receive_on("recv_from", sock, buf, size, &(weft_recv_options){.ret_peer = ret_peer});
}

ssize_t weft_priv_recv(int sock, void *buf, size_t size, const weft_recv_options *given,
                       size_t options_size) {
    weft_recv_options options = {0};
    int ignored;
    if (given)
        memcpy(&options, given, options_size < sizeof options ? options_size : sizeof options);
    if (!options.ret_truncated)
        options.ret_truncated = &ignored; // being too long is no error here
    return receive_on("recv_with", sock, buf, size, &options);
}

ssize_t weft_send_to(int sock, const void *buf, size_t size, const weft_addr *peer) {
    struct weft__call call;
    if (sock < 0)
        return sock;
    int error = weft__call_begin(&call, "send_to", sock, WEFT__SIDE_WRITE, WEFT__KIND_DATAGRAM);
    if (error < 0)
        return error;
    if (size > (size_t)INT64_MAX)
        return weft__call_end(&call, -EINVAL);
    struct iovec iov = {(void *)buf, size};
    weft_addr to = peer ? *peer : (weft_addr){{0}};
    struct weft__op op = {
        .kind = WEFT__OP_SENDMSG, .iov = &iov, .count = 1, .peer = peer ? &to : NULL};
    int64_t result = weft__call_end(&call, weft__call_perform(&call, &op));
    if (result < 0 && peer && call.self) { // the sentence names the peer rather than our own end
        call.self->failure->addr = to;
        call.self->failure->has_addr = true;
    }
    return result;
}

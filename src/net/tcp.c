// SPDX-License-Identifier: MIT
//
// TCP: listening, accepting, options of a connection. Connecting is dial.c.
#include "net/tcp.h"

#include "os/os.h"
#include "task/park.h"

#include <errno.h>
#include <string.h>
#include <weft/error.h>
#include <weft/net.h>

enum { BACKLOG = 4096 };
static const int64_t SHORTAGE_PAUSE_NS = 100000000;

// ---- Listening ------------------------------------------------------------------------------

size_t weft__tcp_socket_options(const weft_tcp_options *options, struct weft__socket_option *list) {
    size_t count = 0;
    list[count++] = (struct weft__socket_option){WEFT__OPT_REUSEPORT, options->reuse_port};
    list[count++] = (struct weft__socket_option){WEFT__OPT_NODELAY, options->nodelay};
    list[count++] =
        (struct weft__socket_option){WEFT__OPT_KEEPALIVE, options->keepalive_idle_s > 0};
    list[count++] =
        (struct weft__socket_option){WEFT__OPT_KEEPALIVE_IDLE_S, options->keepalive_idle_s};
    list[count++] =
        (struct weft__socket_option){WEFT__OPT_KEEPALIVE_INTERVAL_S, options->keepalive_interval_s};
    list[count++] =
        (struct weft__socket_option){WEFT__OPT_KEEPALIVE_COUNT, options->keepalive_count};
    list[count++] = (struct weft__socket_option){WEFT__OPT_SEND_BUFFER, options->send_buffer_size};
    list[count++] =
        (struct weft__socket_option){WEFT__OPT_RECEIVE_BUFFER, options->receive_buffer_size};
    return count;
}

static int listen_on(struct weft__making *making, const weft_addr *addr,
                     const weft_tcp_options *options) {
    struct weft__socket_option list[WEFT__TCP_OPTION_COUNT + 3];
    size_t count = weft__tcp_socket_options(options, list);
    if (!options->reuse_port)
        list[count++] =
            (struct weft__socket_option){WEFT__OPT_REUSEPORT, options->per_worker_listen};
    list[count++] = (struct weft__socket_option){WEFT__OPT_REUSEADDR, 1};
    if (weft_addr_family(addr) == WEFT_IPV6)
        list[count++] = (struct weft__socket_option){WEFT__OPT_V6ONLY, options->v6_only};
    int fd = weft__socket_make(making, addr, WEFT__STREAM, list, count);
    if (fd < 0)
        return fd;
    struct weft__ctl listen = {.kind = WEFT__CTL_LISTEN,
                               .fd = fd,
                               .value = options->backlog > 0 ? options->backlog : BACKLOG};
    int64_t error = weft__socket_bind(making, fd, addr);
    if (error == 0)
        error = weft__ctl(making->self, &listen);
    if (error == 0)
        return weft__socket_handle(making, fd, WEFT__KIND_LISTENER, weft__handle_serial(), addr);
    weft__ctl_close(making->self, fd);
    return (int)error;
}

static int listen_by_default(struct weft__making *making, const weft_addr *addr) {
    return listen_on(making, addr, &(weft_tcp_options){0});
}

int weft_tcp_listen(const char *where) {
    return weft__where_each("listen", where, listen_by_default);
}

int weft_priv_tcp_listen(const weft_addr *addr, const weft_tcp_options *given, size_t size) {
    struct weft__making making = {.self = weft__self(), .name = "listen", .addr = addr};
    weft_tcp_options options = {0};
    if (given)
        memcpy(&options, given, size < sizeof options ? size : sizeof options);
    if (!making.self)
        return -ENOMEM;
    int result = weft__is_orphan() ? -ECHILD : weft__making_check(&making);
    if (result == 0)
        result = listen_on(&making, addr, &options);
    return result < 0 ? weft__making_failed(&making, result) : result;
}

// ---- Accepting ------------------------------------------------------------------------------

static bool is_shortage(int64_t code) {
    return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

// Errors of the connection that was to be accepted, or of its network: the next one may be fine
// (accept(2), "Error handling").
static bool is_of_connection(int64_t code) {
    switch (code) {
    case -ECONNABORTED:
    case -EPROTO:
    case -ENETDOWN:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -ENONET:
    case -EHOSTUNREACH:
    case -EOPNOTSUPP:
    case -ENETUNREACH:
    case -EPERM: // firewall rules
        return true;
    default:
        return false;
    }
}

// `has_fd`: it is the handle that is not to be had.
static void log_shortage(struct weft__call *call, int64_t code, bool has_fd) {
    WEFT__ATOMIC(int) *episode = &call->turn.handle->error; // a listener's errors are not sticky
    if (weft__exchange(episode, 1, relaxed) == 1)
        return;
    if (code == -EMFILE && has_fd)
        weft__log(WEFT__LOG_WARN,
                  "accept: all handles are open (%llu): new connections wait "
                  "(close some)",
                  (unsigned long long)weft__handles_open());
    else if (code == -EMFILE)
        weft__log(
            WEFT__LOG_WARN,
            "accept: out of file descriptors (limit %llu, %llu connections and listeners open): "
            "new connections wait (raise it with ulimit -n)",
            (unsigned long long)weft__os_descriptor_limit(),
            (unsigned long long)weft__handles_open());
    else
        weft__log(WEFT__LOG_WARN, "accept: %s (limit: %s): new connections wait (raise it)",
                  weft_strerror(code),
                  code == -ENFILE ? "sysctl fs.file-max" : "memory, and sysctl net.ipv4.tcp_mem");
}

// Nothing is asked of the listener until a handle was closed, or for a while.
static int await_relief(struct weft__call *call, int64_t code, bool has_fd) {
    struct weft__waiter *self = call->self;
    if (self->may_not_wait)
        return -ENOMEM;
    log_shortage(call, code, has_fd);
    weft__turn_waits(&call->turn);
    int error = weft__turn_is_closing(&call->turn) ? -EBADF : weft__interrupted(self);
    if (error == 0) {
        int64_t until = weft__fresh_now(self) + SHORTAGE_PAUSE_NS;
        int64_t at = weft__interrupt_at(self);
        weft__handle_await_close(self, at < until ? at : until);
        error = weft__turn_is_closing(&call->turn) ? -EBADF : weft__interrupted(self);
    }
    weft__turn_waited(&call->turn);
    call->is_interrupted = error < 0;
    return error;
}

// An episode of shortage ends when there is a descriptor at hand and nobody waits for it. Not with
// the next connection: while others wait, what became free is gone at once, and a busy server would
// log a line for each. (With no descriptor left accept(2) says EMFILE even when nobody waits.)
static int64_t accept_once(struct weft__call *call, struct weft__op *op) {
    WEFT__ATOMIC(int) *episode = &call->turn.handle->error;
    if (weft__load(episode, relaxed) != 0) {
        int64_t fd = weft__call_attempt(call, op);
        if (fd != -EAGAIN)
            return fd;
        weft__store(episode, 0, relaxed);
    }
    return weft__call_perform(call, op);
}

static int64_t accept_fd(struct weft__call *call, weft_addr *ret_peer) {
    for (;;) {
        weft_addr peer = {{0}};
        struct weft__op op = {.kind = WEFT__OP_ACCEPT, .peer = &peer};
        int64_t fd = accept_once(call, &op);
        if (fd >= 0) {
            *ret_peer = peer;
            return fd;
        }
        if (call->is_interrupted || (!is_shortage(fd) && !is_of_connection(fd)))
            return fd;
        int error = 0;
        if (is_shortage(fd))
            error = await_relief(call, fd, false);
        else if (weft__turn_is_closing(&call->turn))
            error = -EBADF;
        else if ((error = weft__enter(call->self)) < 0) // others have their turn, too
            call->is_interrupted = true;
        if (error < 0)
            return error;
    }
}

static int64_t accept_handle(struct weft__call *call, weft_addr *ret_peer) {
    weft_addr peer;
    int64_t fd = accept_fd(call, &peer);
    if (fd < 0)
        return fd;
    int64_t h = weft__handle_open((int)fd, WEFT__KIND_STREAM, weft__handle_serial());
    while (h < 0) { // out of handles or memory: the connection is kept until there is one
        int error = await_relief(call, h, true);
        if (error < 0) {
            weft__ctl_close(call->self, (int)fd);
            return error;
        }
        h = weft__handle_open((int)fd, WEFT__KIND_STREAM, weft__handle_serial());
    }
    weft__handle_name((int)h, &peer);
    if (ret_peer)
        *ret_peer = peer;
    return h;
}

int weft_accept_from(int listener, weft_addr *ret_peer) {
    struct weft__call call;
    if (listener < 0)
        return listener;
    int error = weft__call_begin(&call, "accept", listener, WEFT__SIDE_READ, WEFT__KIND_LISTENER);
    if (error < 0)
        return error;
    return (int)weft__call_end(&call, accept_handle(&call, ret_peer));
}

int weft_accept(int listener) {
    return weft_accept_from(listener, NULL);
}

// ---- Options of a connection ----------------------------------------------------------------

static int64_t set(struct weft__call *call, enum weft__option option, int value) {
    struct weft__ctl ctl = {
        .kind = WEFT__CTL_SET, .fd = call->turn.handle->fd, .option = option, .value = value};
    return weft__ctl(call->self, &ctl);
}

int weft_tcp_nodelay(int conn, int on) {
    struct weft__call call;
    if (conn < 0)
        return conn;
    int error = weft__call_enter(&call, "nodelay", conn, WEFT__KIND_STREAM);
    if (error < 0)
        return error;
    return (int)weft__call_end(&call, set(&call, WEFT__OPT_NODELAY, on != 0));
}

static int64_t set_keepalive(struct weft__call *call, int idle_s, int interval_s, int count) {
    if (idle_s < 0 || interval_s < 0 || count < 0)
        return -EINVAL;
    int64_t error = 0;
    if (idle_s > 0)
        error = set(call, WEFT__OPT_KEEPALIVE_IDLE_S, idle_s);
    if (error == 0 && interval_s > 0)
        error = set(call, WEFT__OPT_KEEPALIVE_INTERVAL_S, interval_s);
    if (error == 0 && count > 0)
        error = set(call, WEFT__OPT_KEEPALIVE_COUNT, count);
    return error == 0 ? set(call, WEFT__OPT_KEEPALIVE, idle_s > 0) : error;
}

int weft_tcp_keepalive(int conn, int idle_s, int interval_s, int count) {
    struct weft__call call;
    if (conn < 0)
        return conn;
    int error = weft__call_enter(&call, "keepalive", conn, WEFT__KIND_STREAM);
    if (error < 0)
        return error;
    return (int)weft__call_end(&call, set_keepalive(&call, idle_s, interval_s, count));
}

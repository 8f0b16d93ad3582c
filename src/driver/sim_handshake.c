// SPDX-License-Identifier: MIT
// How connections of the simulated machine begin: connect(2), the three packets, listen(2),
// accept(2).
// Not here: what an established connection does, and the states as a whole (sim_tcp.c).
//
// A listener with a backlog of n holds n + 1 connections that nobody has accepted. A SYN beyond
// that is dropped, and sent again 1, 3, 7, 15, 31 and 63 seconds after the first; after 127 the
// connection has timed out.
#include "driver/sim_tcp.h"

enum {
    SYN_MAX = 7,         // net.ipv4.tcp_syn_retries, and the first
    BACKLOG_MAX = 4096,  // net.core.somaxconn
    SEND_SIZE = 2626560, // SO_SNDBUF after the handshake on loopback, which Linux tunes
};

static const int64_t SYN_WAIT_NS = 1000000000;

// ---- Connecting ----

// A send buffer that nobody has set grows with the first window it sees.
static void establish(struct weft__sim_socket *s) {
    s->tcp.state = WEFT__SIM_ESTABLISHED;
    s->is_connected = true;
    if (!s->is_send_size_set)
        s->options[WEFT__OPT_SEND_BUFFER] = SEND_SIZE;
    weft__sim_keepalive_begin(s); // a way may have been cut meanwhile
}

// As tcp_disconnect(): the socket is fresh again but for its options and, if it was bound by
// number, its port.
void weft__sim_tcp_fail(struct weft__sim_socket *s, int error) {
    struct weft__sim_name local = s->local, nobody = weft__sim_wildcard(s->family);
    if (!s->is_local_fixed) {
        local = nobody;
        local.port = s->local.port;
    }
    weft__sim_rename(s, &local, &nobody);
    if (!s->claim->is_fixed) // getsockname(2) goes on answering the port that it had
        weft__sim_unbind(s, false);
    weft__sim_tcp_detach(s);
    s->is_read_shut = s->is_write_shut = false;
    s->tcp.state = WEFT__SIM_IDLE;
    s->error = error;
    weft__sim_touch_all(s);
}

// Each wait is twice the one before it.
static void send_syn(struct weft__sim_socket *s) {
    weft__sim_stream_send(s->tcp.stream, s->tcp.end, WEFT__SIM_PACKET_SYN);
    int64_t wait_ns = SYN_WAIT_NS << s->tcp.syn_count++;
    weft__sim_set(s->sim, &s->tcp.timer, weft__sim_now(s->sim) + wait_ns);
}

static void time_syn(struct weft__sim *sim, struct weft__sim_event *event) {
    (void)sim;
    struct weft__sim_socket *s = WEFT__CONTAINER(event, struct weft__sim_socket, tcp.timer);
    if (s->tcp.syn_count == SYN_MAX)
        weft__sim_tcp_fail(s, ETIMEDOUT);
    else
        send_syn(s);
}

// All memory that the client's side needs is taken before the first packet, so that nothing can
// fail later on for the lack of it.
static int begin_connect(struct weft__sim_socket *s, const weft_addr *peer) {
    struct weft__sim_name to, from;
    if (s->tcp.state != WEFT__SIM_IDLE)
        return -EISCONN;
    int error = weft__sim_read_name(s, peer, true, &to);
    if (error == 0)
        error = weft__sim_route(s, &to, &from);
    if (error != 0)
        return error;
    struct weft__sim_stream *stream = weft__sim_stream_make(s->sim);
    if (stream == NULL)
        return -ENOMEM;
    error = weft__sim_bind_pair(s, &from, &to);
    if (error != 0) {
        weft__sim_stream_leave(stream, 0);
        return error;
    }
    weft__sim_tcp_attach(s, stream, 0);
    stream->names[0] = s->local;
    stream->names[1] = to;
    stream->hosts[0] = s->host;
    stream->hosts[1] = weft__sim_host_of(s->host, &to);
    s->error = 0;
    s->tcp.state = WEFT__SIM_CONNECTING;
    s->tcp.is_connect_unanswered = true;
    s->tcp.syn_count = 0;
    s->tcp.timer.fire = time_syn;
    send_syn(s);
    return 0;
}

// The first call begins, later ones ask how it went, as connect(2) on a non-blocking socket: by
// that a connect that was tried, or cancelled, and then submitted is one connect. The outcome is
// told once; a reset that came right behind the handshake is part of it.
int64_t weft__sim_tcp_connect(struct weft__sim_socket *s, const weft_addr *peer) {
    if (!s->tcp.is_connect_unanswered) {
        int error = begin_connect(s, peer);
        if (error != 0)
            return error;
    }
    if (s->tcp.state == WEFT__SIM_CONNECTING)
        return -EAGAIN;
    s->tcp.is_connect_unanswered = false;
    if (s->tcp.state == WEFT__SIM_ESTABLISHED)
        return 0;
    int error = weft__sim_take_error(s);
    return error != 0 ? error : -ECONNABORTED;
}

// ---- Listening ----

// Two sockets may have bound one name by SO_REUSEADDR, but only one of them may listen.
static int bind_to_listen(struct weft__sim_socket *s) {
    if (s->claim != NULL)
        return weft__sim_is_taken(s, &s->local) ? -EADDRINUSE : 0;
    struct weft__sim_name local = s->local;
    local.port = 0;
    return weft__sim_bind(s, &local);
}

int weft__sim_tcp_listen(struct weft__sim_socket *s, int backlog) {
    if (s->tcp.state != WEFT__SIM_IDLE && s->tcp.state != WEFT__SIM_LISTENING)
        return -EINVAL;
    int error = s->tcp.state == WEFT__SIM_IDLE ? bind_to_listen(s) : 0;
    if (error != 0)
        return error;
    uint32_t asked = (uint32_t)backlog;
    s->tcp.backlog = (int)(asked < BACKLOG_MAX ? asked : BACKLOG_MAX);
    s->tcp.state = WEFT__SIM_LISTENING;
    return 0;
}

static struct weft__sim_socket *sibling_of(struct weft__list *link) {
    return link != NULL ? WEFT__CONTAINER(link, struct weft__sim_socket, tcp.sibling) : NULL;
}

void weft__sim_tcp_leave_listener(struct weft__sim_socket *child) {
    weft__list_remove(&child->tcp.sibling);
    child->tcp.listener->tcp.queued_count--;
    child->tcp.listener = NULL;
}

static void reset_children(struct weft__list *children) {
    struct weft__sim_socket *child;
    while ((child = sibling_of(weft__list_first(children))) != NULL) {
        weft__sim_tcp_leave_listener(child);
        weft__sim_tcp_reset_and_drop(child);
    }
}

void weft__sim_tcp_stop_listening(struct weft__sim_socket *s) {
    reset_children(&s->tcp.half_open);
    reset_children(&s->tcp.accept_queue);
    s->tcp.state = WEFT__SIM_IDLE;
    s->is_read_shut = s->is_write_shut = false;
    if (!s->claim->is_fixed)
        weft__sim_unbind(s, false);
    weft__sim_touch_all(s);
}

// The child has the listener's options, and what shutdown(2) noted before listen(2). NULL: no
// memory, which drops the SYN.
static struct weft__sim_socket *make_child(struct weft__sim_socket *listener,
                                           struct weft__sim_stream *stream) {
    struct weft__sim_socket *child =
        weft__sim_socket_make(listener->host, listener->family, WEFT__STREAM);
    if (child == NULL)
        return NULL;
    if (weft__sim_bind_child(child, &stream->names[1], &stream->names[0]) != 0) {
        weft__sim_socket_free(child);
        return NULL;
    }
    for (int i = 0; i < WEFT__SIM_OPTIONS; i++)
        child->options[i] = listener->options[i];
    child->is_linger_zero = listener->is_linger_zero;
    child->is_send_size_set = listener->is_send_size_set;
    child->is_read_shut = listener->is_read_shut;
    child->is_write_shut = listener->is_write_shut;
    return child;
}

static int shortage(struct weft__sim *sim) {
    int error = weft__sim_shortage(sim, WEFT__SIM_FD_SHORTAGES, -EMFILE, -ENFILE);
    return error != 0 ? error
                      : weft__sim_shortage(sim, WEFT__SIM_BUFFER_SHORTAGES, -ENOBUFS, -ENOMEM);
}

// A connection that was reset meanwhile is accepted, too: its reader learns of it. Without a
// descriptor to give, it stays in the queue.
int64_t weft__sim_tcp_accept(struct weft__sim_socket *s, struct weft__op *op) {
    if (s->tcp.state != WEFT__SIM_LISTENING)
        return -EINVAL;
    struct weft__sim_socket *child = sibling_of(weft__list_first(&s->tcp.accept_queue));
    if (child == NULL)
        return -EAGAIN;
    if (weft__sim_strikes(s->sim, WEFT__SIM_ABORTS)) {
        weft__sim_tcp_leave_listener(child);
        weft__sim_tcp_reset_and_drop(child);
        return -ECONNABORTED;
    }
    int error = shortage(s->sim);
    if (error == 0)
        error = weft__sim_socket_open(child);
    if (error != 0)
        return error;
    weft__sim_tcp_leave_listener(child);
    if (op->peer != NULL)
        *op->peer = weft__sim_show(child, &child->remote);
    return child->fd;
}

// ---- The three packets ----

// Nobody listens: refused. A full listener says nothing, and the SYN comes again.
void weft__sim_tcp_on_syn(struct weft__sim_stream *stream, int end) {
    struct weft__sim *sim = stream->sim;
    if (stream->ends[end] != NULL) // it was heard before: the answer is on its way
        return;
    struct weft__sim_socket *listener = weft__sim_find(
        stream->hosts[end], WEFT__STREAM, &stream->names[end], &stream->names[1 - end]);
    if (listener == NULL || weft__sim_strikes(sim, WEFT__SIM_REFUSALS)) {
        weft__sim_stream_reset(stream, end);
        return;
    }
    bool is_full = listener->tcp.queued_count > (size_t)listener->tcp.backlog;
    struct weft__sim_socket *child = is_full ? NULL : make_child(listener, stream);
    if (child == NULL) {
        weft__sim_trace(sim, WEFT__SIM_TRACE_DROP, listener->number, 0);
        return;
    }
    weft__sim_tcp_attach(child, stream, end);
    child->tcp.state = WEFT__SIM_HALF_OPEN;
    child->tcp.listener = listener;
    listener->tcp.queued_count++;
    weft__list_push_back(&listener->tcp.half_open, &child->tcp.sibling);
    weft__sim_stream_send(stream, end, WEFT__SIM_PACKET_SYN_ACK);
}

// The client is established before the server is: its data may reach a child that nobody has
// accepted. Whoever closed meanwhile refuses the answer, which frees the place at the listener.
void weft__sim_tcp_on_syn_ack(struct weft__sim_stream *stream, int end) {
    struct weft__sim_socket *s = stream->ends[end];
    if (s == NULL) {
        weft__sim_stream_reset(stream, end);
        return;
    }
    weft__sim_unset(s->sim, &s->tcp.timer);
    establish(s);
    weft__sim_stream_send(stream, end, WEFT__SIM_PACKET_ACK);
    weft__sim_touch_all(s);
}

// Connections are accepted in the order in which their handshakes ended.
void weft__sim_tcp_on_ack(struct weft__sim_stream *stream, int end) {
    struct weft__sim_socket *child = stream->ends[end];
    if (child == NULL) // the listener went away, and said so
        return;
    struct weft__sim_socket *listener = child->tcp.listener;
    establish(child);
    weft__list_remove(&child->tcp.sibling);
    weft__list_push_back(&listener->tcp.accept_queue, &child->tcp.sibling);
    if (child->is_write_shut) // as tcp_rcv_state_process() does
        (void)weft__sim_tcp_shutdown(child, WEFT__SHUT_WRITE);
    weft__sim_touch_all(listener);
}

// SPDX-License-Identifier: MIT
// Connections of the simulated machine as Linux has them: what a socket answers in each state, and
// how it comes into it. What a program on loopback can tell apart is the same here; what only a
// capture of packets could tell (sequence numbers, acknowledgements) is left out.
// Not here: the bytes and their packets (sim_stream.c), the handshake (sim_handshake.c).
//
//   IDLE --listen--> LISTENING --shutdown--> IDLE
//   IDLE --connect, SYN--> CONNECTING --SYN+ACK, ACK--> ESTABLISHED --both FINs, or RST--> CLOSED
//   IDLE <--refused, timed out-- CONNECTING
//   a SYN at a listener: HALF_OPEN --ACK--> ESTABLISHED, in the accept queue
//
// 1. FIN_WAIT, CLOSE_WAIT, LAST_ACK and CLOSING are ESTABLISHED here. What tells them apart is
//    is_fin_received, is_fin_queued (ours), is_fin_acked, is_last_ack (ours came second).
// 2. A close with data unread, or with SO_LINGER 0, resets. Any other close makes an orphan, which
//    sends what is queued, then the FIN, and answers data with a reset.
// 3. A reset leaves data that has arrived readable; then its error is answered once, by whatever
//    call comes first (sk_err). It is EPIPE in CLOSE_WAIT, else ECONNRESET (tcp_reset in Linux).
// 4. Who sent the first FIN keeps the pair of names for a minute: TIME_WAIT.
#include "driver/sim_tcp.h"

#include "driver/sim_watch.h"

static const int64_t ORPHAN_WAIT_NS = 60 * 1000000000L; // net.ipv4.tcp_fin_timeout

// ---- Small parts ----

// A part of the receive buffer is for what Linux notes beside the bytes: half of it, until the
// packets have shown that they need less, then next to nothing (tcp_measure_rcv_mss). How much that
// is depends on their sizes and times, so here on the seed, once for each end of a connection. It
// is no draw: that would shift what others draw.
static size_t window_of(const struct weft__sim_socket *s) {
    size_t half = (size_t)s->options[WEFT__OPT_RECEIVE_BUFFER] / 2;
    uint64_t who = (uint64_t)s->tcp.stream->number * 2 + (uint64_t)s->tcp.end;
    return half + half * (weft__mix64(s->sim->seed + who) % 64) / 64;
}

static size_t unread_of(const struct weft__sim_socket *s) {
    return s->tcp.stream != NULL ? weft__sim_stream_unread(s->tcp.stream, s->tcp.end) : 0;
}

void weft__sim_tcp_attach(struct weft__sim_socket *s, struct weft__sim_stream *stream, int end) {
    s->tcp.stream = stream;
    s->tcp.end = end;
    stream->ends[end] = s;
    stream->pipes[1 - end].window = window_of(s);
}

void weft__sim_tcp_detach(struct weft__sim_socket *s) {
    weft__sim_unset(s->sim, &s->tcp.timer);
    if (s->tcp.stream != NULL)
        weft__sim_stream_leave(s->tcp.stream, s->tcp.end);
    s->tcp.stream = NULL;
}

void weft__sim_tcp_drop(struct weft__sim_socket *s) {
    weft__sim_tcp_detach(s);
    weft__sim_socket_free(s);
}

void weft__sim_tcp_reset_and_drop(struct weft__sim_socket *s) {
    weft__sim_stream_reset(s->tcp.stream, s->tcp.end);
    weft__sim_tcp_drop(s);
}

// A larger window lets the peer send at once; a smaller one takes nothing back.
void weft__sim_tcp_resize(struct weft__sim_socket *s) {
    if (s->tcp.stream == NULL)
        return;
    int sender = 1 - s->tcp.end;
    s->tcp.stream->pipes[sender].window = window_of(s);
    weft__sim_stream_push(s->tcp.stream, sender);
}

// The connection is over. A port that was not asked for by number is free again at once, or after
// TIME_WAIT. An orphan has nobody left to tell.
static void end_connection(struct weft__sim_socket *s, int error, bool time_wait) {
    s->tcp.state = WEFT__SIM_CLOSED;
    s->error = error != 0 ? error : s->error;
    if (time_wait || !s->claim->is_fixed)
        weft__sim_unbind(s, time_wait);
    if (s->tcp.is_orphan)
        weft__sim_tcp_drop(s);
    else
        weft__sim_touch_all(s);
}

static void end_if_both_are_done(struct weft__sim_socket *s) {
    struct weft__sim_tcp *tcp = &s->tcp;
    if (tcp->state == WEFT__SIM_ESTABLISHED && tcp->is_fin_received && tcp->is_fin_acked)
        end_connection(s, 0, !tcp->is_last_ack);
}

// ---- Reading and writing ----

// The order is that of tcp_recvmsg(): what is queued, the end (SOCK_DONE), the error, our own
// shutdown, the state. So after the peer's FIN no error is ever read, only written.
int64_t weft__sim_tcp_read(struct weft__sim_socket *s, struct weft__op *op) {
    struct weft__sim_tcp *tcp = &s->tcp;
    if (op->kind == WEFT__OP_RECVMSG) { // recvmsg(2) of a stream names no peer
        op->flags &= ~(uint32_t)WEFT__OP_TRUNCATED;
        if (op->peer != NULL)
            *op->peer = (weft_addr){0};
    }
    size_t unread = unread_of(s);
    if (unread > 0) {
        unread = weft__sim_shorten(s->sim, WEFT__SIM_SHORT_READS, unread);
        return weft__sim_stream_read(tcp->stream, tcp->end, op, unread, op->flags & WEFT__OP_PEEK);
    }
    if (tcp->is_fin_received)
        return 0;
    if (s->error != 0)
        return weft__sim_take_error(s);
    if (tcp->state == WEFT__SIM_LISTENING)
        return -ENOTCONN;
    if (s->is_read_shut || tcp->state == WEFT__SIM_CLOSED)
        return 0;
    return tcp->state == WEFT__SIM_IDLE ? -ENOTCONN : -EAGAIN;
}

// tcp_sendmsg() asks for the error first and says EPIPE when it has been told.
int64_t weft__sim_tcp_write(struct weft__sim_socket *s, struct weft__op *op) {
    struct weft__sim_tcp *tcp = &s->tcp;
    if (tcp->state == WEFT__SIM_CONNECTING)
        return -EAGAIN;
    if (tcp->state != WEFT__SIM_ESTABLISHED || s->is_write_shut || s->error != 0)
        return s->error != 0 ? weft__sim_take_error(s) : -EPIPE;
    size_t capacity = (size_t)s->options[WEFT__OPT_SEND_BUFFER];
    size_t unacked = weft__sim_stream_unacked(tcp->stream, tcp->end);
    if (unacked >= capacity)
        return -EAGAIN;
    if (weft__sim_strikes(s->sim, WEFT__SIM_MEMORY_SHORTAGES))
        return -ENOMEM;
    size_t room = weft__sim_shorten(s->sim, WEFT__SIM_SHORT_WRITES, capacity - unacked);
    return weft__sim_stream_write(tcp->stream, tcp->end, op, room);
}

// Linux calls a stream writable when the free part of its buffer is half the used one.
static bool is_roomy(const struct weft__sim_socket *s) {
    size_t unacked = weft__sim_stream_unacked(s->tcp.stream, s->tcp.end);
    return unacked + unacked / 2 <= (size_t)s->options[WEFT__OPT_SEND_BUFFER];
}

uint32_t weft__sim_tcp_ready(const struct weft__sim_socket *s) {
    const struct weft__sim_tcp *tcp = &s->tcp;
    bool is_readable = false, is_writable = false;
    switch (tcp->state) {
    case WEFT__SIM_LISTENING:
        is_readable = !weft__list_is_empty(&tcp->accept_queue);
        break;
    case WEFT__SIM_CONNECTING:
    case WEFT__SIM_HALF_OPEN:
        break;
    case WEFT__SIM_ESTABLISHED:
        is_readable = unread_of(s) > 0 || tcp->is_fin_received || s->is_read_shut;
        is_writable = s->is_write_shut || is_roomy(s);
        break;
    case WEFT__SIM_IDLE:
    case WEFT__SIM_CLOSED: // POLLHUP
        is_readable = is_writable = true;
        break;
    }
    return (is_readable ? WEFT__READABLE : 0) | (is_writable ? WEFT__WRITABLE : 0);
}

// ---- Ending ----

static void time_orphan(struct weft__sim *sim, struct weft__sim_event *event) {
    (void)sim;
    weft__sim_tcp_drop(WEFT__CONTAINER(event, struct weft__sim_socket, tcp.timer));
}

// An orphan whose goodbye has been heard waits a minute for the peer's (FIN_WAIT2).
static void bound_orphan(struct weft__sim_socket *s) {
    if (!s->tcp.is_orphan || !s->tcp.is_fin_acked)
        return;
    s->tcp.timer.fire = time_orphan;
    weft__sim_set(s->sim, &s->tcp.timer, weft__sim_now(s->sim) + ORPHAN_WAIT_NS);
}

// The FIN goes behind what is still to be sent. Whether the peer's came first is settled here,
// not when it is sent: from now on this side is in LAST_ACK, or else in FIN_WAIT.
static void shut_write(struct weft__sim_socket *s) {
    s->is_write_shut = true;
    if (s->tcp.is_fin_queued)
        return;
    s->tcp.is_fin_queued = true;
    s->tcp.is_last_ack = s->tcp.is_fin_received;
    s->tcp.stream->pipes[s->tcp.end].is_fin_queued = true;
    weft__sim_stream_push(s->tcp.stream, s->tcp.end);
}

// In the states that it cannot end, shutdown(2) takes note all the same and says ENOTCONN; a
// handshake under way it ends, as tcp_disconnect() does.
int weft__sim_tcp_shutdown(struct weft__sim_socket *s, int how) {
    switch (s->tcp.state) {
    case WEFT__SIM_LISTENING:
        if (how & WEFT__SHUT_READ)
            weft__sim_tcp_stop_listening(s);
        return 0;
    case WEFT__SIM_CONNECTING:
        weft__sim_tcp_fail(s, ECONNRESET);
        return 0;
    default:
        break;
    }
    s->is_read_shut |= (how & WEFT__SHUT_READ) != 0;
    s->is_write_shut |= (how & WEFT__SHUT_WRITE) != 0;
    if (s->tcp.state != WEFT__SIM_ESTABLISHED) // which changes nothing of what was just noted
        return -ENOTCONN;
    if (how & WEFT__SHUT_WRITE)
        shut_write(s);
    weft__sim_touch_all(s);
    return 0;
}

// What was read is known to have been read, so a peer whose data was not must be told.
void weft__sim_tcp_close(struct weft__sim_socket *s) {
    if (s->tcp.state == WEFT__SIM_LISTENING)
        weft__sim_tcp_stop_listening(s);
    if (s->tcp.state != WEFT__SIM_ESTABLISHED) {
        weft__sim_tcp_drop(s);
        return;
    }
    if (s->is_linger_zero || unread_of(s) > 0) {
        weft__sim_tcp_reset_and_drop(s);
        return;
    }
    s->tcp.is_orphan = true;
    shut_write(s);
    bound_orphan(s);
}

// Refuses what had not begun, ends what had.
static void end_by(struct weft__sim_socket *s, int refusal, int error) {
    switch (s->tcp.state) {
    case WEFT__SIM_CONNECTING:
        weft__sim_tcp_fail(s, refusal);
        break;
    case WEFT__SIM_HALF_OPEN:
        weft__sim_tcp_leave_listener(s);
        weft__sim_tcp_drop(s);
        break;
    case WEFT__SIM_ESTABLISHED:
        end_connection(s, error, false);
        break;
    default:
        break;
    }
}

// ---- Packets that arrive ----

// Data for somebody who has said that he will read no more (RFC 1122, 4.2.2.13) is answered with
// a reset, and ends this side, too.
static void on_data(struct weft__sim_stream *stream, int end,
                    const struct weft__sim_packet *packet) {
    struct weft__sim_socket *s = stream->ends[end];
    if (s == NULL || s->tcp.state == WEFT__SIM_CLOSED) {
        weft__sim_stream_reset(stream, end);
        return;
    }
    if (s->tcp.is_orphan || (s->is_read_shut && s->tcp.is_fin_queued)) {
        weft__sim_stream_reset(stream, end);
        end_connection(s, ECONNRESET, false);
        return;
    }
    weft__sim_stream_take(stream, end, packet);
    weft__sim_touch_all(s);
}

static void on_fin(struct weft__sim_stream *stream, int end) {
    struct weft__sim_socket *s = stream->ends[end];
    if (s == NULL || s->tcp.state == WEFT__SIM_CLOSED) {
        weft__sim_stream_reset(stream, end);
        return;
    }
    s->tcp.is_fin_received = true;
    weft__sim_touch_all(s);
    end_if_both_are_done(s);
}

// Nobody answers a reset.
void weft__sim_tcp_on_reset(struct weft__sim_socket *s) {
    if (s == NULL)
        return;
    bool is_close_wait = s->tcp.is_fin_received && !s->tcp.is_fin_queued;
    if (s->tcp.state == WEFT__SIM_ESTABLISHED)
        weft__sim_stream_discard(s->tcp.stream, s->tcp.end);
    end_by(s, ECONNREFUSED, is_close_wait ? EPIPE : ECONNRESET);
}

void weft__sim_tcp_arrive(struct weft__sim_stream *stream, int end,
                          const struct weft__sim_packet *packet) {
    switch (packet->kind) {
    case WEFT__SIM_PACKET_SYN:
        weft__sim_tcp_on_syn(stream, end);
        break;
    case WEFT__SIM_PACKET_SYN_ACK:
        weft__sim_tcp_on_syn_ack(stream, end);
        break;
    case WEFT__SIM_PACKET_ACK:
        weft__sim_tcp_on_ack(stream, end);
        break;
    case WEFT__SIM_PACKET_DATA:
        on_data(stream, end, packet);
        break;
    case WEFT__SIM_PACKET_FIN:
        on_fin(stream, end);
        break;
    case WEFT__SIM_PACKET_RST:
        weft__sim_tcp_on_reset(stream->ends[end]);
        break;
    }
}

// ---- What the sender learns ----

// A FIN that was heard ends this side, if the other one's was heard before.
void weft__sim_tcp_acked(struct weft__sim_stream *stream, int end,
                         const struct weft__sim_packet *packet) {
    struct weft__sim_socket *s = stream->ends[end];
    stream->pipes[end].acked = stream->pipes[end].arrived;
    if (s == NULL || s->tcp.state == WEFT__SIM_CLOSED)
        return;
    if (packet->kind == WEFT__SIM_PACKET_DATA)
        weft__sim_touch_all(s);
    if (packet->kind != WEFT__SIM_PACKET_FIN)
        return;
    s->tcp.is_fin_acked = true;
    bound_orphan(s);
    end_if_both_are_done(s);
}

void weft__sim_tcp_break(struct weft__sim_stream *stream) {
    for (int end = 0; end < 2; end++)
        weft__sim_tcp_on_reset(stream->ends[end]);
}

void weft__sim_tcp_give_up(struct weft__sim_stream *stream, int end, int error) {
    struct weft__sim_socket *s = stream->ends[end];
    weft__sim_see_given_up(stream, end, error);
    weft__sim_stream_discard(stream, end);
    stream->pipes[end].is_reset = false; // what still comes is answered
    if (s != NULL)
        end_by(s, error, error);
}

// SPDX-License-Identifier: MIT
// What the parts of the simulated TCP share: the handshake (sim_handshake.c), the bytes
// (sim_stream.c), keep-alive (sim_keepalive.c) and the rest (sim_tcp.c).
// Not for anybody else: see sim_net.h.
#ifndef WEFT__SIM_TCP_H
#define WEFT__SIM_TCP_H

#include "driver/sim_net.h"

// ---- sim_tcp.c ----

// The socket is at this end of the stream from now on.
void weft__sim_tcp_attach(struct weft__sim_socket *s, struct weft__sim_stream *stream, int end);
// It leaves its stream, if it has one, and its timer.
void weft__sim_tcp_detach(struct weft__sim_socket *s);
void weft__sim_tcp_drop(struct weft__sim_socket *s);           // detaches and frees
void weft__sim_tcp_reset_and_drop(struct weft__sim_socket *s); // tells the peer first

// A packet that end 1 - `end` sent has arrived at `end`; the sender, `end`, learns that it has.
void weft__sim_tcp_arrive(struct weft__sim_stream *stream, int end,
                          const struct weft__sim_packet *packet);
void weft__sim_tcp_acked(struct weft__sim_stream *stream, int end,
                         const struct weft__sim_packet *packet);
// The sender has waited in vain for that, again and again; or a router says that there is nobody.
void weft__sim_tcp_give_up(struct weft__sim_stream *stream, int end, int error);
// Both ends are told, by somebody between them, that it is over.
void weft__sim_tcp_break(struct weft__sim_stream *stream);
// A reset has come.
void weft__sim_tcp_on_reset(struct weft__sim_socket *s);

// ---- sim_handshake.c ----

// Back to where it was before connect(2). The error waits for the connect(2) that asks how it went,
// or for SO_ERROR.
void weft__sim_tcp_fail(struct weft__sim_socket *s, int error);
// Resets all that nobody has accepted. A port that was not asked for by number is given back.
void weft__sim_tcp_stop_listening(struct weft__sim_socket *s);
void weft__sim_tcp_leave_listener(struct weft__sim_socket *child);
// The packets of the handshake, at the end where they arrive.
void weft__sim_tcp_on_syn(struct weft__sim_stream *stream, int end);
void weft__sim_tcp_on_syn_ack(struct weft__sim_stream *stream, int end);
void weft__sim_tcp_on_ack(struct weft__sim_stream *stream, int end);

#endif

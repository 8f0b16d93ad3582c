// SPDX-License-Identifier: MIT
// SO_KEEPALIVE: an end on which nobody sends notices that its peer is gone (RFC 9293, 3.8.4;
// tcp(7)). A probe that is answered changes nothing a program could tell, so there are events for
// probes only while one may not be answered: from the moment at which a way is cut, or a host goes
// down, until one is. Otherwise an idle world would never be found to be a dead one.
#include "driver/sim_tcp.h"

static int64_t seconds_of(const struct weft__sim_socket *s, enum weft__option option) {
    return s->options[option] * (int64_t)1000000000;
}

static bool is_probing(const struct weft__sim_socket *s) {
    return s->type == WEFT__STREAM && s->tcp.state == WEFT__SIM_ESTABLISHED && !s->tcp.is_orphan &&
           s->options[WEFT__OPT_KEEPALIVE];
}

static bool is_peer_there(const struct weft__sim_socket *s) {
    return s->tcp.stream->ends[1 - s->tcp.end] != NULL;
}

// There and back again.
static bool is_answered(const struct weft__sim_socket *s) {
    const struct weft__sim_host *peer = s->tcp.stream->hosts[1 - s->tcp.end];
    return !weft__sim_is_cut(s->sim, weft__sim_way(s->host, peer)) &&
           !weft__sim_is_cut(s->sim, weft__sim_way(peer, s->host));
}

// A host that knows nothing of the connection, because it was down, answers with a reset.
static void probe(struct weft__sim *sim, struct weft__sim_event *event) {
    struct weft__sim_socket *s = WEFT__CONTAINER(event, struct weft__sim_socket, tcp.timer);
    struct weft__sim_stream *stream = s->tcp.stream;
    if (!is_probing(s))
        return;
    if (is_answered(s) && is_peer_there(s)) {
        s->tcp.probe_count = 0;
    } else if (is_answered(s)) {
        weft__sim_tcp_on_reset(s);
    } else if (s->tcp.probe_count++ < s->options[WEFT__OPT_KEEPALIVE_COUNT]) {
        weft__sim_set(sim, event,
                      weft__sim_now(sim) + seconds_of(s, WEFT__OPT_KEEPALIVE_INTERVAL_S));
    } else {
        weft__sim_tcp_give_up(stream, s->tcp.end, ETIMEDOUT);
    }
}

// Probes come one idle time after the last packet of either end, and again after each idle time in
// which the one before was answered.
void weft__sim_keepalive_begin(struct weft__sim_socket *s) {
    if (!is_probing(s) || weft__sim_is_set(&s->tcp.timer) || (is_answered(s) && is_peer_there(s)))
        return;
    int64_t now = weft__sim_now(s->sim), idle_ns = seconds_of(s, WEFT__OPT_KEEPALIVE_IDLE_S);
    int64_t at_ns = 0;
    for (int end = 0; end < 2; end++)
        if (s->tcp.stream->pipes[end].last_arrival_ns > at_ns)
            at_ns = s->tcp.stream->pipes[end].last_arrival_ns;
    at_ns += idle_ns;
    if (at_ns <= now)
        at_ns += (now - at_ns) / idle_ns * idle_ns + idle_ns;
    s->tcp.probe_count = 0;
    s->tcp.timer.fire = probe;
    weft__sim_set(s->sim, &s->tcp.timer, at_ns);
}

void weft__sim_keepalive_look(struct weft__sim *sim) {
    for (struct weft__list *link = weft__list_first(&sim->sockets); link != NULL;
         link = weft__list_next(&sim->sockets, link))
        weft__sim_keepalive_begin(WEFT__CONTAINER(link, struct weft__sim_socket, link));
}

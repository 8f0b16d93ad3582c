// SPDX-License-Identifier: MIT
// What the capture and the timeline tell of the simulated traffic. Both are fed from here, and only
// watch: with and without them a run is the same.
//
// 1. A packet is captured when it leaves, where it leaves: what is lost on the way is in the
//    capture, and so is the packet that takes its place. One that was lost leaves again at the
//    moment in which it arrives, or is lost once more.
// 2. The simulator has no sequence numbers: a stream's are its offsets behind a number that comes
//    from the seed, the stream and the direction. They are drawn from no random stream, which would
//    shift what others draw.
// 3. The simulator has no acknowledgements, either. A receiver is shown to send one for each DATA
//    and FIN that it takes; and one that opens the window, once the sender makes use of that.
#include "driver/sim_watch.h"

#include "driver/sim_capture.h"
#include "driver/sim_log.h"

#include <inttypes.h>
#include <string.h>
#include <weft/error.h>

enum {
    FIN = 0x01,
    SYN = 0x02,
    RST = 0x04,
    PSH = 0x08,
    ACK = 0x10,

    TCP_SIZE = 20,
    TCP_OPTIONS_SIZE = 8, // of SYN
    UDP_SIZE = 8,
    ICMP_SIZE = 8,
    ICMP_QUOTE_MAX = 512, // of the datagram that it is about
    WINDOW_SHIFT = 2,     // 65535 << 2 is above the largest SO_RCVBUF
};

static const struct {
    const char *name;
    uint8_t flags;
} kinds[] = {
    [WEFT__SIM_PACKET_SYN] = {"SYN", SYN},
    [WEFT__SIM_PACKET_SYN_ACK] = {"SYN+ACK", SYN | ACK},
    [WEFT__SIM_PACKET_ACK] = {"ACK", ACK},
    [WEFT__SIM_PACKET_DATA] = {"DATA", PSH | ACK},
    [WEFT__SIM_PACKET_FIN] = {"FIN", FIN | ACK},
    [WEFT__SIM_PACKET_RST] = {"RST", RST | ACK},
};

// ---- Numbers ----

static struct weft__sim_pipe *other_way(const struct weft__sim_pipe *pipe) {
    return &pipe->stream->pipes[1 - pipe->end];
}

static uint32_t first_number(const struct weft__sim_pipe *pipe) {
    uint64_t key = (uint64_t)pipe->stream->number << 1 | (uint64_t)pipe->end;
    return (uint32_t)weft__mix64(pipe->stream->sim->seed ^ weft__mix64(key));
}

// SYN and FIN take a number each.
static uint32_t number_at(const struct weft__sim_pipe *pipe, uint64_t offset) {
    return first_number(pipe) + 1 + (uint32_t)offset;
}

// Who refuses a SYN has no numbers yet (RFC 9293, 3.5.2).
static uint32_t number_of(const struct weft__sim_pipe *pipe, uint8_t flags, uint64_t offset) {
    if (flags & SYN)
        return first_number(pipe);
    if (!pipe->seen.has_begun)
        return 0;
    bool is_behind_fin = pipe->is_fin_sent && !(flags & FIN) && offset == pipe->sent;
    return number_at(pipe, offset) + is_behind_fin;
}

static uint32_t next_number(const struct weft__sim_pipe *pipe) {
    return number_at(pipe, pipe->arrived) + pipe->seen.has_fin_arrived;
}

// What the sender of `pipe` admits on the other way. A window that shrinks takes nothing back. SYN
// has it unscaled (RFC 7323, 2.2); else it is rounded up, so that nobody is seen to go beyond it.
static uint32_t window_of(const struct weft__sim_pipe *pipe, uint8_t flags) {
    struct weft__sim_pipe *other = other_way(pipe);
    int shift = flags & SYN ? 0 : WINDOW_SHIFT;
    uint64_t end = other->read + other->window;
    end = end > other->sent ? end : other->sent;
    uint64_t window = (end - other->arrived + (1u << shift) - 1) >> shift;
    window = window < 65535 ? window : 65535;
    other->seen.window_end = other->arrived + (window << shift);
    return (uint32_t)window;
}

// ---- TCP in the capture ----

// The largest segment, and the scale of windows.
static void put_options(uint8_t *options, const struct weft__sim_pipe *pipe) {
    const uint8_t bytes[TCP_OPTIONS_SIZE] = {2, 4, 0, 0, 1, 3, 3, WINDOW_SHIFT};
    memcpy(options, bytes, sizeof bytes);
    weft__sim_put16(options + 2, (uint32_t)weft__sim_stream_mss(pipe));
}

// Of what is sent again because its acknowledgement was lost, the bytes may have been read: then
// the packet is in the capture without them.
static void capture(struct weft__sim_pipe *pipe, uint8_t flags, uint64_t offset, size_t size) {
    const struct weft__sim_name *from = &pipe->stream->names[pipe->end];
    const struct weft__sim_name *to = &pipe->stream->names[1 - pipe->end];
    size_t head_size = TCP_SIZE + (flags & SYN ? TCP_OPTIONS_SIZE : 0);
    struct weft__sim *sim = pipe->stream->sim;
    uint8_t *tcp = weft__sim_capture_begin(sim, from, to, WEFT__SIM_TCP, head_size + size);
    if (tcp == NULL)
        return;
    weft__sim_put16(tcp, from->port);
    weft__sim_put16(tcp + 2, to->port);
    weft__sim_put32(tcp + 4, number_of(pipe, flags, offset));
    if (flags & ACK)
        weft__sim_put32(tcp + 8, next_number(other_way(pipe)));
    tcp[12] = (uint8_t)(head_size / 4 << 4);
    tcp[13] = flags;
    if (!(flags & RST))
        weft__sim_put16(tcp + 14, window_of(pipe, flags));
    if (flags & SYN)
        put_options(tcp + TCP_SIZE, pipe);
    bool is_known = offset >= pipe->read;
    if (size > 0 && is_known)
        weft__sim_stream_copy(pipe, offset, tcp + head_size, size);
    weft__sim_capture_end(sim, head_size + (is_known ? size : 0));
}

static void capture_ack(struct weft__sim_pipe *pipe) {
    capture(pipe, ACK, pipe->sent, 0);
}

// ---- Streams ----

static void tell(const struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet,
                 uint64_t start, int at_end, const char *what) {
    const struct weft__sim_stream *stream = pipe->stream;
    const struct weft__sim_name *from = &stream->names[pipe->end];
    const struct weft__sim_name *to = &stream->names[1 - pipe->end];
    const struct weft__sim_host *host = stream->hosts[at_end];
    if (host == NULL) // of an address that nobody has
        host = stream->hosts[1 - at_end];
    if (packet->kind == WEFT__SIM_PACKET_DATA)
        weft__sim_log_put(stream->sim, host, from, to, "TCP DATA %" PRIu64 "..%" PRIu64 "%s", start,
                          packet->end, what);
    else
        weft__sim_log_put(stream->sim, host, from, to, "TCP %s%s", kinds[packet->kind].name, what);
}

static void show(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet, uint64_t start,
                 const char *what) {
    bool is_data = packet->kind == WEFT__SIM_PACKET_DATA;
    tell(pipe, packet, start, pipe->end, what);
    capture(pipe, kinds[packet->kind].flags, is_data ? start : packet->end,
            is_data ? (size_t)(packet->end - start) : 0);
}

void weft__sim_see_sent(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet,
                        size_t size) {
    enum weft__sim_packet_kind kind = packet->kind;
    if (kind == WEFT__SIM_PACKET_SYN || kind == WEFT__SIM_PACKET_SYN_ACK)
        pipe->seen.has_begun = true;
    if (pipe->count == 1) // those before it are forgotten
        pipe->seen.is_lost = false;
    if (kind == WEFT__SIM_PACKET_DATA && packet->end > pipe->seen.window_end)
        capture_ack(other_way(pipe));
    bool is_refusal = kind == WEFT__SIM_PACKET_RST && !pipe->seen.has_begun;
    show(pipe, packet, packet->end - size, is_refusal ? " refused" : "");
}

void weft__sim_see_due(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet) {
    if (pipe->seen.is_lost)
        show(pipe, packet, pipe->seen.start, " again");
    pipe->seen.is_lost = false;
}

void weft__sim_see_lost(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet,
                        bool is_cut) {
    tell(pipe, packet, pipe->seen.start, 1 - pipe->end, is_cut ? " lost: cut" : " lost");
    pipe->seen.is_lost =
        packet->kind != WEFT__SIM_PACKET_SYN && packet->kind != WEFT__SIM_PACKET_RST;
}

void weft__sim_see_repeated(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet,
                            bool is_heard) {
    show(pipe, packet, pipe->acked, " again");
    if (is_heard)
        capture_ack(other_way(pipe));
    else
        tell(pipe, packet, pipe->acked, pipe->end, " unacknowledged");
}

void weft__sim_see_arriving(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet) {
    bool is_somewhere = pipe->stream->hosts[1 - pipe->end] != NULL;
    tell(pipe, packet, pipe->seen.start, 1 - pipe->end,
         is_somewhere ? " arrived" : " unreachable: nobody has this address");
}

// Who takes no more has answered with a reset; a FIN has no bytes by which one could tell. A
// listener that has no room answers nothing.
void weft__sim_see_arrived(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet) {
    struct weft__sim_pipe *other = other_way(pipe);
    pipe->seen.start = packet->end;
    bool is_fin = packet->kind == WEFT__SIM_PACKET_FIN && !other->is_reset;
    bool is_data = packet->kind == WEFT__SIM_PACKET_DATA && pipe->arrived == packet->end;
    pipe->seen.has_fin_arrived |= is_fin;
    if (is_fin || is_data)
        capture_ack(other);
    bool is_unanswered = pipe->stream->ends[other->end] == NULL && !other->is_reset;
    if (packet->kind == WEFT__SIM_PACKET_SYN && is_unanswered &&
        pipe->stream->hosts[other->end] != NULL)
        tell(pipe, packet, 0, other->end, " dropped: the listener's queue is full");
}

// Each end gets a reset that looks as if the other had sent it.
void weft__sim_see_broken(struct weft__sim_stream *stream) {
    for (int end = 0; end < 2; end++) {
        struct weft__sim_pipe *pipe = &stream->pipes[end];
        show(pipe, &(struct weft__sim_packet){.kind = WEFT__SIM_PACKET_RST, .end = pipe->sent}, 0,
             " by somebody on the way");
    }
}

void weft__sim_see_given_up(const struct weft__sim_stream *stream, int end, int error) {
    weft__sim_log_put(stream->sim, stream->hosts[end], &stream->names[end], &stream->names[1 - end],
                      "TCP given up: %s", weft_strerror(-error));
}

// ---- Datagrams ----

static void put_datagram(uint8_t *udp, const struct weft__sim_datagram *datagram, size_t size) {
    weft__sim_put16(udp, datagram->from.port);
    weft__sim_put16(udp + 2, datagram->to.port);
    weft__sim_put16(udp + 4, (uint32_t)(UDP_SIZE + datagram->size));
    memcpy(udp + UDP_SIZE, datagram->data, size);
}

static void capture_datagram(struct weft__sim *sim, const struct weft__sim_datagram *datagram) {
    size_t size = UDP_SIZE + datagram->size;
    uint8_t *udp =
        weft__sim_capture_begin(sim, &datagram->from, &datagram->to, WEFT__SIM_UDP, size);
    if (udp == NULL)
        return;
    put_datagram(udp, datagram, datagram->size);
    weft__sim_capture_end(sim, size);
}

// "Port unreachable", which quotes the packet that it is about (RFC 792, RFC 4443). Where nobody
// has the address, the sender's own host says so.
static void capture_refusal(struct weft__sim *sim, const struct weft__sim_datagram *datagram) {
    bool is_v4 = weft__sim_is_v4(&datagram->to), is_there = datagram->receiver != NULL;
    bool is_whole = datagram->size <= ICMP_QUOTE_MAX;
    size_t quoted = is_whole ? datagram->size : ICMP_QUOTE_MAX;
    size_t size = ICMP_SIZE + (is_v4 ? 20 : 40) + UDP_SIZE + quoted;
    uint8_t *icmp =
        weft__sim_capture_begin(sim, is_there ? &datagram->to : &datagram->from, &datagram->from,
                                is_v4 ? WEFT__SIM_ICMP_V4 : WEFT__SIM_ICMP_V6, size);
    if (icmp == NULL)
        return;
    icmp[0] = is_v4 ? 3 : 1;
    icmp[1] = is_v4 ? (is_there ? 3 : 1) : (is_there ? 4 : 3);
    uint8_t *ip = icmp + ICMP_SIZE;
    size_t udp_size = UDP_SIZE + datagram->size;
    size_t ip_size = weft__sim_ip_put(ip, WEFT__SIM_UDP, &datagram->from, &datagram->to, udp_size);
    put_datagram(ip + ip_size, datagram, quoted);
    if (is_whole)
        weft__sim_ip_checksum(ip, WEFT__SIM_UDP, udp_size);
    weft__sim_capture_end(sim, size);
}

static const char *fate_text(const struct weft__sim *sim, const struct weft__sim_datagram *datagram,
                             enum weft__sim_fate fate) {
    switch (fate) {
    case WEFT__SIM_SENT:
        break;
    case WEFT__SIM_ARRIVED:
        return " arrived";
    case WEFT__SIM_LOST:
        return weft__sim_is_cut(sim, weft__sim_way(datagram->sender, datagram->receiver))
                   ? " lost: cut"
                   : " lost";
    case WEFT__SIM_REFUSED:
        return datagram->receiver != NULL ? " refused: nobody is bound to this port"
                                          : " unreachable: nobody has this address";
    case WEFT__SIM_OVERFLOWED:
        return " dropped: the receive buffer is full";
    }
    return "";
}

void weft__sim_see_datagram(struct weft__sim *sim, const struct weft__sim_datagram *datagram,
                            enum weft__sim_fate fate) {
    bool is_at_sender = fate == WEFT__SIM_SENT || datagram->receiver == NULL;
    weft__sim_log_put(sim, is_at_sender ? datagram->sender : datagram->receiver, &datagram->from,
                      &datagram->to, "UDP %zu B%s", datagram->size, fate_text(sim, datagram, fate));
    if (fate == WEFT__SIM_SENT)
        capture_datagram(sim, datagram);
    if (fate == WEFT__SIM_REFUSED)
        capture_refusal(sim, datagram);
}

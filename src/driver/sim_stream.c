// SPDX-License-Identifier: MIT
// The bytes and packets of a simulated connection: two pipes, each a queue of bytes and the packets
// that carry them, in order. What arrives is acknowledged at once, and the window opens at once
// when the receiver reads; only packets take time. Not for what a packet means to a socket: that is
// sim_tcp.c.
//
// A lost packet is sent again after a while, twice as long each time, and holds up those behind it:
// a receiver cannot tell that from a retransmission of each. Acknowledgements are lost only while
// the way back is cut; then the sender repeats what has arrived until one comes through. SYN is
// repeated by who connects, RST by nobody.
//
//        read          arrived           sent            written
//   ......|  readable   |   in flight     |  window closed  |      all of it stands in `chunks`
//
// The writer's buffer holds acked .. written, the receiver's window read .. sent.
#include "driver/sim_tcp.h"
#include "driver/sim_watch.h"
#include "driver/socket.h"
#include "os/os.h"

#include <string.h>

enum {
    PLACES = WEFT__SIM_PACKETS + 1,
    CHUNK_MIN = 1024,
    CHUNK_MAX = 65536,
    HEADERS_SIZE = 40,    // of IPv4 and TCP
    HEADERS_SIZE_V6 = 60, // of IPv6 and TCP
    PACKET_MAX = 65535,   // what IPv4's header can say
    RETRIES = 15,         // net.ipv4.tcp_retries2: then the connection has timed out;
    SYN_ACK_RETRIES = 5,  // net.ipv4.tcp_synack_retries
};
static const int64_t RESEND_NS = 200000000; // the least that Linux waits (TCP_RTO_MIN),
static const int64_t RESEND_MAX_NS = 120 * 1000000000L;
static const int64_t SYN_WAIT_NS = 1000000000; // and in a handshake

// Bytes of a pipe. Small writes share one.
struct chunk {
    struct weft__list link;
    size_t size, capacity;
    char data[];
};

static struct chunk *chunk_of(struct weft__list *link) {
    return link != NULL ? WEFT__CONTAINER(link, struct chunk, link) : NULL;
}

static void free_chunk(struct chunk *chunk) {
    weft__list_remove(&chunk->link);
    weft__free(chunk);
}

// ---- Bytes ----

// A chunk with room at its end, or NULL when there is no memory.
static struct chunk *chunk_with_room(struct weft__sim_pipe *pipe, size_t size) {
    struct chunk *last = chunk_of(weft__list_last(&pipe->chunks));
    if (last != NULL && last->size < last->capacity)
        return last;
    size_t capacity = size < CHUNK_MIN ? CHUNK_MIN : size > CHUNK_MAX ? CHUNK_MAX : size;
    struct chunk *chunk = weft__alloc(sizeof *chunk + capacity);
    if (chunk == NULL)
        return NULL;
    chunk->capacity = capacity;
    weft__list_push_back(&pipe->chunks, &chunk->link);
    return chunk;
}

// Frees the first bytes, which were read or will never be.
static void consume(struct weft__sim_pipe *pipe, size_t size) {
    pipe->read += size;
    pipe->head_size += size;
    struct chunk *head;
    while ((head = chunk_of(weft__list_first(&pipe->chunks))) != NULL &&
           pipe->head_size >= head->size) {
        pipe->head_size -= head->size;
        free_chunk(head);
    }
}

// Frees the last bytes, from `offset` on, which is not before `read`.
static void truncate_at(struct weft__sim_pipe *pipe, uint64_t offset) {
    while (pipe->written > offset) {
        struct chunk *last = chunk_of(weft__list_last(&pipe->chunks));
        bool is_head = &last->link == weft__list_first(&pipe->chunks);
        size_t held = last->size - (is_head ? pipe->head_size : 0);
        uint64_t surplus = pipe->written - offset;
        size_t cut = surplus < held ? (size_t)surplus : held;
        last->size -= cut;
        pipe->written -= cut;
        if (cut < held)
            break;
        free_chunk(last);
        if (is_head)
            pipe->head_size = 0;
    }
}

// With too little memory a part is written, which every writer must expect anyhow.
int64_t weft__sim_stream_write(struct weft__sim_stream *stream, int end, const struct weft__op *op,
                               size_t limit) {
    struct weft__sim_pipe *pipe = &stream->pipes[end];
    size_t size = weft__op_size(op), done = 0;
    size = size < limit ? size : limit;
    while (done < size) {
        struct chunk *chunk = chunk_with_room(pipe, size - done);
        if (chunk == NULL)
            break;
        size_t room = chunk->capacity - chunk->size;
        size_t piece = size - done < room ? size - done : room;
        weft__sim_gather(op, done, chunk->data + chunk->size, piece);
        chunk->size += piece;
        done += piece;
    }
    pipe->written += done;
    weft__sim_stream_push(stream, end);
    return done > 0 || size == 0 ? (int64_t)done : -ENOMEM;
}

// The limit is not above what has arrived. Reading opens the window, so the other end may have
// something to send.
int64_t weft__sim_stream_read(struct weft__sim_stream *stream, int end, const struct weft__op *op,
                              size_t limit, bool peek) {
    struct weft__sim_pipe *pipe = &stream->pipes[1 - end];
    size_t size = weft__op_size(op), done = 0;
    size = size < limit ? size : limit;
    size_t skipped = pipe->head_size;
    struct chunk *chunk = chunk_of(weft__list_first(&pipe->chunks));
    while (done < size) {
        size_t held = chunk->size - skipped;
        size_t piece = size - done < held ? size - done : held;
        weft__sim_scatter(op, done, chunk->data + skipped, piece);
        done += piece;
        skipped = 0;
        chunk = chunk_of(weft__list_next(&pipe->chunks, &chunk->link));
    }
    if (!peek) {
        consume(pipe, done);
        weft__sim_stream_push(stream, 1 - end);
    }
    return (int64_t)done;
}

size_t weft__sim_stream_unread(const struct weft__sim_stream *stream, int end) {
    const struct weft__sim_pipe *pipe = &stream->pipes[1 - end];
    return (size_t)(pipe->arrived - pipe->read);
}

size_t weft__sim_stream_unacked(const struct weft__sim_stream *stream, int end) {
    const struct weft__sim_pipe *pipe = &stream->pipes[end];
    return (size_t)(pipe->written - pipe->acked);
}

void weft__sim_stream_take(struct weft__sim_stream *stream, int end,
                           const struct weft__sim_packet *packet) {
    stream->pipes[1 - end].arrived = packet->end;
}

void weft__sim_stream_copy(const struct weft__sim_pipe *pipe, uint64_t offset, void *to,
                           size_t size) {
    size_t skipped = pipe->head_size + (size_t)(offset - pipe->read), done = 0;
    struct weft__list *link = weft__list_first(&pipe->chunks);
    for (; done < size; link = weft__list_next(&pipe->chunks, link)) {
        const struct chunk *chunk = chunk_of(link);
        size_t skip = skipped < chunk->size ? skipped : chunk->size;
        size_t held = chunk->size - skip;
        size_t piece = size - done < held ? size - done : held;
        memcpy((char *)to + done, chunk->data + skip, piece);
        done += piece;
        skipped -= skip;
    }
}

// ---- Packets ----

// The way that the pipe's packets take. Where nobody has the address, a router close by finds out.
static struct weft__sim_way *way_of(const struct weft__sim_pipe *pipe) {
    const struct weft__sim_host *from = pipe->stream->hosts[pipe->end];
    const struct weft__sim_host *to = pipe->stream->hosts[1 - pipe->end];
    return weft__sim_way(from != NULL ? from : to, to != NULL ? to : from);
}

static bool can_answer(const struct weft__sim_pipe *pipe) {
    return !weft__sim_is_cut(pipe->stream->sim, way_of(&pipe->stream->pipes[1 - pipe->end]));
}

static struct weft__sim_packet *packet_at(struct weft__sim_pipe *pipe, size_t index) {
    return &pipe->packets[(pipe->first + index) % PLACES];
}

// A packet arrives behind the one before it, however lucky it is.
static void append(struct weft__sim_pipe *pipe, enum weft__sim_packet_kind kind, size_t size) {
    struct weft__sim *sim = pipe->stream->sim;
    ASSERT(pipe->count < PLACES);
    int64_t at_ns = weft__sim_arrival(sim, way_of(pipe), size + HEADERS_SIZE);
    if (at_ns > pipe->last_arrival_ns)
        pipe->last_arrival_ns = at_ns;
    struct weft__sim_packet *packet = packet_at(pipe, pipe->count);
    *packet =
        (struct weft__sim_packet){.kind = kind, .at_ns = pipe->last_arrival_ns, .end = pipe->sent};
    if (pipe->count++ == pipe->unheard)
        weft__sim_set(sim, &pipe->event, pipe->last_arrival_ns);
    weft__sim_see_sent(pipe, packet, size);
}

void weft__sim_stream_send(struct weft__sim_stream *stream, int end,
                           enum weft__sim_packet_kind kind) {
    append(&stream->pipes[end], kind, 0);
}

size_t weft__sim_stream_mss(const struct weft__sim_pipe *pipe) {
    size_t mtu = way_of(pipe)->link.mtu;
    bool is_v4 = weft__sim_is_v4(&pipe->stream->names[pipe->end]);
    return (mtu < PACKET_MAX ? mtu : PACKET_MAX) - (is_v4 ? HEADERS_SIZE : HEADERS_SIZE_V6);
}

// What may be sent now: the bytes written and not sent, as far as the window reaches.
static size_t sendable(const struct weft__sim_pipe *pipe) {
    uint64_t limit = pipe->read + pipe->window;
    limit = limit < pipe->written ? limit : pipe->written;
    uint64_t size = limit > pipe->sent ? limit - pipe->sent : 0;
    size_t most = weft__sim_stream_mss(pipe);
    size = size < most ? size : most;
    return weft__sim_shorten(pipe->stream->sim, WEFT__SIM_DRIPS, (size_t)size);
}

// Packets are few and large rather than one for each write: while they are all on their way, what
// is written meanwhile gathers for the next, as it does behind a full device queue. No packet
// needs memory, so the window can open without anybody there to be told of a shortage.
void weft__sim_stream_push(struct weft__sim_stream *stream, int end) {
    struct weft__sim_pipe *pipe = &stream->pipes[end];
    size_t size;
    while (pipe->count < WEFT__SIM_PACKETS && (size = sendable(pipe)) > 0) {
        pipe->sent += size;
        append(pipe, WEFT__SIM_PACKET_DATA, size);
    }
    bool is_all_sent = pipe->sent == pipe->written && pipe->count < WEFT__SIM_PACKETS;
    if (pipe->is_fin_queued && !pipe->is_fin_sent && is_all_sent) {
        pipe->is_fin_sent = true;
        append(pipe, WEFT__SIM_PACKET_FIN, 0);
    }
}

void weft__sim_stream_reset(struct weft__sim_stream *stream, int end) {
    struct weft__sim_pipe *pipe = &stream->pipes[end];
    if (pipe->is_reset)
        return;
    truncate_at(pipe, pipe->sent);
    pipe->is_fin_queued = false;
    pipe->is_reset = true;
    append(pipe, WEFT__SIM_PACKET_RST, 0);
}

// What has arrived stays: the peer may be reading it.
void weft__sim_stream_discard(struct weft__sim_stream *stream, int end) {
    struct weft__sim_pipe *pipe = &stream->pipes[end];
    weft__sim_unset(stream->sim, &pipe->event);
    weft__sim_unset(stream->sim, &pipe->resend);
    truncate_at(pipe, pipe->arrived);
    pipe->sent = pipe->acked = pipe->arrived;
    pipe->count = pipe->unheard = 0;
    pipe->is_fin_queued = false;
    pipe->is_reset = true;
}

// ---- Arrival and the end ----

static void free_stream(struct weft__sim_stream *stream) {
    for (int end = 0; end < 2; end++) {
        weft__sim_stream_discard(stream, end);
        truncate_at(&stream->pipes[end], stream->pipes[end].read);
    }
    weft__free(stream);
}

// Packets that are still on their way would find nobody at either end.
static void free_if_left(struct weft__sim_stream *stream) {
    if (stream->holds == 0 && stream->ends[0] == NULL && stream->ends[1] == NULL)
        free_stream(stream);
}

void weft__sim_stream_leave(struct weft__sim_stream *stream, int end) {
    stream->ends[end] = NULL;
    consume(&stream->pipes[1 - end], weft__sim_stream_unread(stream, end));
    free_if_left(stream);
}

static int losses_max(enum weft__sim_packet_kind kind) {
    return kind == WEFT__SIM_PACKET_SYN_ACK ? SYN_ACK_RETRIES : RETRIES;
}

// The handshake has timers of its own, and nobody answers a reset.
static bool is_acknowledged(enum weft__sim_packet_kind kind) {
    return kind == WEFT__SIM_PACKET_DATA || kind == WEFT__SIM_PACKET_FIN;
}

static void await_next(struct weft__sim_pipe *pipe) {
    if (pipe->count > pipe->unheard)
        weft__sim_set(pipe->stream->sim, &pipe->event, packet_at(pipe, pipe->unheard)->at_ns);
}

// The time for an acknowledgement has passed in vain: again at `event`, or the connection is over.
static void repeat(struct weft__sim_pipe *pipe, struct weft__sim_event *event,
                   enum weft__sim_packet_kind kind) {
    struct weft__sim *sim = pipe->stream->sim;
    if (pipe->losses == losses_max(kind)) {
        weft__sim_tcp_give_up(pipe->stream, pipe->end, ETIMEDOUT);
        return;
    }
    int64_t first_ns = kind == WEFT__SIM_PACKET_SYN_ACK ? SYN_WAIT_NS : RESEND_NS;
    first_ns += 2 * way_of(pipe)->link.latency_ns;
    int64_t wait_ns = first_ns << pipe->losses++;
    weft__sim_set(sim, event,
                  weft__sim_now(sim) + (wait_ns < RESEND_MAX_NS ? wait_ns : RESEND_MAX_NS));
}

static void lose(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet) {
    weft__sim_trace(pipe->stream->sim, WEFT__SIM_TRACE_DROP,
                    pipe->stream->number << 8 | (int)packet->kind, 0);
    weft__sim_see_lost(pipe, packet, weft__sim_is_cut(pipe->stream->sim, way_of(pipe)));
    if (packet->kind != WEFT__SIM_PACKET_SYN && packet->kind != WEFT__SIM_PACKET_RST) {
        repeat(pipe, &pipe->event, packet->kind);
        return;
    }
    if (packet->kind == WEFT__SIM_PACKET_SYN) // there may be others behind it
        pipe->first = (pipe->first + 1) % PLACES;
    pipe->count--;
    await_next(pipe);
}

// All that has arrived, the sender learns at once. What it does about it may end the stream.
static void acknowledge(struct weft__sim_pipe *pipe, size_t count) {
    pipe->losses = 0;
    pipe->unheard = 0;
    weft__sim_unset(pipe->stream->sim, &pipe->resend);
    for (; count > 0 && pipe->count > 0; count--) {
        struct weft__sim_packet packet = *packet_at(pipe, 0);
        pipe->first = (pipe->first + 1) % PLACES;
        pipe->count--;
        weft__sim_tcp_acked(pipe->stream, pipe->end, &packet);
    }
    weft__sim_stream_push(pipe->stream, pipe->end);
    await_next(pipe);
}

static void deliver(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet) {
    struct weft__sim_stream *stream = pipe->stream;
    weft__sim_trace(stream->sim, WEFT__SIM_TRACE_PACKET,
                    stream->number << 8 | pipe->end << 4 | (int)packet->kind, (int64_t)packet->end);
    weft__sim_see_arriving(pipe, packet);
    if (stream->hosts[1 - pipe->end] != NULL)
        weft__sim_tcp_arrive(stream, 1 - pipe->end, packet);
    else
        weft__sim_tcp_give_up(stream, pipe->end, EHOSTUNREACH);
    weft__sim_see_arrived(pipe, packet);
}

// Something on the way ends the connection: for both, or for the sender alone.
static bool has_accident(struct weft__sim_pipe *pipe) {
    struct weft__sim_stream *stream = pipe->stream;
    if (weft__sim_strikes(stream->sim, WEFT__SIM_RESETS)) {
        weft__sim_see_broken(stream);
        weft__sim_tcp_break(stream);
        return true;
    }
    if (!weft__sim_strikes(stream->sim, WEFT__SIM_TIMEOUTS))
        return false;
    weft__sim_tcp_give_up(stream, pipe->end, ETIMEDOUT);
    return true;
}

static void arrive(struct weft__sim_pipe *pipe) {
    struct weft__sim_packet packet = *packet_at(pipe, pipe->unheard);
    weft__sim_see_due(pipe, &packet);
    if (weft__sim_is_lost(pipe->stream->sim, way_of(pipe))) {
        lose(pipe, &packet);
        return;
    }
    if (is_acknowledged(packet.kind) && has_accident(pipe))
        return;
    bool is_heard = can_answer(pipe) || !is_acknowledged(packet.kind);
    size_t count = pipe->unheard + 1;
    pipe->unheard = count;
    deliver(pipe, &packet);
    if (pipe->count == 0) // the stream is over for its sender
        return;
    if (is_heard) {
        acknowledge(pipe, count);
        return;
    }
    await_next(pipe);
    if (!weft__sim_is_set(&pipe->resend))
        repeat(pipe, &pipe->resend, packet.kind);
}

// The stream is held, since the packet may be the last thing that either end hears of the other.
static void fire(struct weft__sim *sim, struct weft__sim_event *event) {
    (void)sim;
    struct weft__sim_pipe *pipe = WEFT__CONTAINER(event, struct weft__sim_pipe, event);
    struct weft__sim_stream *stream = pipe->stream;
    stream->holds++;
    arrive(pipe);
    stream->holds--;
    free_if_left(stream);
}

// What has arrived is sent again, so that its acknowledgement is, too.
static void resend(struct weft__sim *sim, struct weft__sim_event *event) {
    struct weft__sim_pipe *pipe = WEFT__CONTAINER(event, struct weft__sim_pipe, resend);
    struct weft__sim_stream *stream = pipe->stream;
    stream->holds++;
    bool is_heard = can_answer(pipe) && !weft__sim_is_lost(sim, way_of(pipe));
    weft__sim_see_repeated(pipe, packet_at(pipe, 0), is_heard);
    if (!is_heard)
        repeat(pipe, &pipe->resend, packet_at(pipe, 0)->kind);
    else
        acknowledge(pipe, pipe->unheard);
    stream->holds--;
    free_if_left(stream);
}

struct weft__sim_stream *weft__sim_stream_make(struct weft__sim *sim) {
    struct weft__sim_stream *stream = weft__alloc(sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->sim = sim;
    stream->number = ++sim->socket_count;
    for (int end = 0; end < 2; end++) {
        struct weft__sim_pipe *pipe = &stream->pipes[end];
        pipe->stream = stream;
        pipe->end = end;
        pipe->event.fire = fire;
        pipe->resend.fire = resend;
        weft__list_init(&pipe->chunks);
    }
    return stream;
}

// SPDX-License-Identifier: MIT
// The bytes and packets of a simulated connection: two pipes, each a queue of bytes and the packets
// that carry them, in order. Loopback acknowledges what arrives at once, and its window opens at
// once when the receiver reads; only packets take time.
// Not for what a packet means to a socket: that is sim_tcp.c.
//
//        read          arrived           sent            written
//   ......|  readable   |   in flight     |  window closed  |      all of it stands in `chunks`
//
// The writer's buffer holds arrived .. written, the receiver's window read .. sent.
#include "driver/sim_net.h"
#include "driver/socket.h"
#include "os/os.h"

#include <string.h>

enum { PLACES = WEFT__SIM_PACKETS + 1, CHUNK_MIN = 1024, CHUNK_MAX = WEFT__SIM_SEGMENT_SIZE };

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

// Only what has arrived. Reading opens the window, so the other end may have something to send.
int64_t weft__sim_stream_read(struct weft__sim_stream *stream, int end, const struct weft__op *op,
                              bool peek) {
    struct weft__sim_pipe *pipe = &stream->pipes[1 - end];
    size_t size = weft__op_size(op), unread = weft__sim_stream_unread(stream, end), done = 0;
    size = size < unread ? size : unread;
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
    return (size_t)(pipe->written - pipe->arrived);
}

void weft__sim_stream_take(struct weft__sim_stream *stream, int end,
                           const struct weft__sim_packet *packet) {
    stream->pipes[1 - end].arrived = packet->end;
}

// ---- Packets ----

// A packet arrives behind the one before it, however lucky it is.
static void append(struct weft__sim_pipe *pipe, enum weft__sim_packet_kind kind) {
    struct weft__sim *sim = pipe->stream->sim;
    ASSERT(pipe->count < PLACES);
    pipe->last_arrival_ns = weft__sim_arrival(sim, pipe->last_arrival_ns);
    pipe->packets[(pipe->first + pipe->count) % PLACES] =
        (struct weft__sim_packet){kind, pipe->last_arrival_ns, pipe->sent};
    if (pipe->count++ == 0)
        weft__sim_set(sim, &pipe->event, pipe->last_arrival_ns);
}

void weft__sim_stream_send(struct weft__sim_stream *stream, int end,
                           enum weft__sim_packet_kind kind) {
    append(&stream->pipes[end], kind);
}

// What may be sent now: the bytes written and not sent, as far as the window reaches.
static size_t sendable(const struct weft__sim_pipe *pipe) {
    uint64_t limit = pipe->read + pipe->window;
    limit = limit < pipe->written ? limit : pipe->written;
    uint64_t size = limit > pipe->sent ? limit - pipe->sent : 0;
    return size < WEFT__SIM_SEGMENT_SIZE ? (size_t)size : WEFT__SIM_SEGMENT_SIZE;
}

// Packets are few and large rather than one for each write: while they are all on their way, what
// is written meanwhile gathers for the next, as it does behind a full device queue. No packet
// needs memory, so the window can open without anybody there to be told of a shortage.
void weft__sim_stream_push(struct weft__sim_stream *stream, int end) {
    struct weft__sim_pipe *pipe = &stream->pipes[end];
    size_t size;
    while (pipe->count < WEFT__SIM_PACKETS && (size = sendable(pipe)) > 0) {
        pipe->sent += size;
        append(pipe, WEFT__SIM_PACKET_DATA);
    }
    bool is_all_sent = pipe->sent == pipe->written && pipe->count < WEFT__SIM_PACKETS;
    if (pipe->is_fin_queued && !pipe->is_fin_sent && is_all_sent) {
        pipe->is_fin_sent = true;
        append(pipe, WEFT__SIM_PACKET_FIN);
    }
}

void weft__sim_stream_reset(struct weft__sim_stream *stream, int end) {
    struct weft__sim_pipe *pipe = &stream->pipes[end];
    if (pipe->is_reset)
        return;
    truncate_at(pipe, pipe->sent);
    pipe->is_fin_queued = false;
    pipe->is_reset = true;
    append(pipe, WEFT__SIM_PACKET_RST);
}

// What has arrived stays: the peer may be reading it.
void weft__sim_stream_discard(struct weft__sim_stream *stream, int end) {
    struct weft__sim_pipe *pipe = &stream->pipes[end];
    weft__sim_unset(stream->sim, &pipe->event);
    truncate_at(pipe, pipe->arrived);
    pipe->sent = pipe->arrived;
    pipe->count = 0;
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

// The oldest packet of a pipe has arrived. The stream is held, since the packet may be the last
// thing that either end hears of the other.
static void fire(struct weft__sim *sim, struct weft__sim_event *event) {
    struct weft__sim_pipe *pipe = WEFT__CONTAINER(event, struct weft__sim_pipe, event);
    struct weft__sim_stream *stream = pipe->stream;
    struct weft__sim_packet packet = pipe->packets[pipe->first];
    int receiver = 1 - pipe->end;
    pipe->first = (pipe->first + 1) % PLACES;
    pipe->count--;
    stream->holds++;
    weft__sim_trace(sim, WEFT__SIM_TRACE_PACKET,
                    stream->number << 8 | pipe->end << 4 | (int)packet.kind, (int64_t)packet.end);
    weft__sim_tcp_arrive(stream, receiver, &packet);
    weft__sim_stream_push(stream, pipe->end);
    if (pipe->count > 0)
        weft__sim_set(sim, &pipe->event, pipe->packets[pipe->first].at_ns);
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
        weft__list_init(&pipe->chunks);
    }
    return stream;
}

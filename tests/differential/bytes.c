// SPDX-License-Identifier: MIT
// The bytes of a script: what is written, whether it is what is read, reads that wait, streams that
// are full. Not for sockets and names: that is play.c.
#include "play.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

enum { FILL_MAX = 16 << 20, QUIET_ROUNDS_MAX = 300, QUIET_ROUNDS = 10 };

static const int64_t PATIENT_NS = 20000000;

// The bytes of a stream depend on where they stand, those of a datagram on the step that sent it.
static char byte_at(uint64_t offset) {
    return (char)(offset * 31 + offset / 251);
}

static int64_t write_some(struct player *p, struct place *place, size_t size, weft_addr *peer) {
    char buf[BUF_SIZE];
    uint64_t first = place->is_stream ? place->sent : (uint64_t)p->at * 1000;
    for (size_t i = 0; i < size; i++)
        buf[i] = byte_at(first + i);
    struct iovec iov = {buf, size};
    struct weft__op op = {.kind = peer != NULL ? WEFT__OP_SENDMSG : WEFT__OP_WRITE,
                          .iov = &iov,
                          .count = 1,
                          .peer = peer};
    int64_t n = play_attempt(p, place, &op);
    place->sent += n > 0 ? (uint64_t)n : 0;
    return n;
}

static uint64_t hash_of(const char *buf, int64_t size) {
    uint64_t hash = 0;
    for (int64_t i = 0; i < size; i++)
        hash = weft__mix64(hash + (unsigned char)buf[i] + 1);
    return hash & 0xffff;
}

// What a read has brought: the number in `more`, and the stream's offset.
static struct outcome look_at(struct player *p, struct place *place, const struct weft__op *op,
                              int64_t result) {
    const char *buf = op->iov->iov_base;
    struct outcome outcome = {.result = result};
    if (result < 0)
        return outcome;
    if (op->kind == WEFT__OP_RECVMSG)
        outcome.more = play_number_of(p, op->peer) << 20 | (op->flags & WEFT__OP_TRUNCATED) << 16;
    if (!place->is_stream) {
        outcome.more |= hash_of(buf, result);
        return outcome;
    }
    for (int64_t i = 0; i < result; i++)
        if (buf[i] != byte_at(place->received + (uint64_t)i))
            outcome.more = IS_WRONG;
    place->received += op->flags & WEFT__OP_PEEK ? 0 : (uint64_t)result;
    return outcome;
}

static struct outcome read_some(struct player *p, struct place *place, size_t size,
                                enum weft__op_kind kind, uint32_t flags) {
    char buf[BUF_SIZE];
    struct iovec iov = {buf, size};
    weft_addr peer = {0};
    struct weft__op op = {.kind = kind, .flags = flags, .iov = &iov, .count = 1, .peer = &peer};
    int64_t result = play_attempt(p, place, &op);
    return look_at(p, place, &op, result);
}

// ---- Waiting ----

struct pending {
    struct weft__op op;
    struct iovec iov;
    weft_addr peer;
    char buf[BUF_SIZE];
};

static void ignore(struct weft__op *op) {
    (void)op;
}

// Of what has a peer: on anything else the layers above wait for no bytes, and a driver may wait
// first and be refused later.
static struct outcome submit_read(struct player *p, struct place *place, size_t size) {
    if (place->is_stream && play_other_end(p, place) == NULL)
        return (struct outcome){NOT_DONE, 0};
    struct pending *pending = calloc(1, sizeof *pending);
    if (pending == NULL)
        return (struct outcome){-ENOMEM, 0};
    pending->iov = (struct iovec){pending->buf, size};
    pending->op = (struct weft__op){.kind = place->is_stream ? WEFT__OP_READ : WEFT__OP_RECVMSG,
                                    .fd = place->fd,
                                    .serial = ++p->serial,
                                    .flags = WEFT__OP_INSIST,
                                    .iov = &pending->iov,
                                    .count = 1,
                                    .peer = &pending->peer,
                                    .done = ignore};
    place->pending = pending;
    int error = p->d->class->submit(p->d, &pending->op);
    return (struct outcome){error, 0};
}

// Either it has read something by now, or it has had no effect: then what is read next begins where
// this would have.
static struct outcome end_read(struct player *p, struct place *place) {
    struct pending *pending = place->pending;
    if (pending == NULL)
        return (struct outcome){NOT_DONE, 0};
    place->pending = NULL;
    if (pending->op.is_pending)
        p->d->class->cancel(p->d, &pending->op);
    while (pending->op.is_pending)
        play_wait(p, 100000);
    struct outcome outcome = look_at(p, place, &pending->op, pending->op.result);
    free(pending);
    return outcome;
}

// ---- Filling and draining ----

static struct outcome loosen(const struct player *p, const struct place *place,
                             struct outcome outcome) {
    bool is_open_ended = outcome.result > 0 || outcome.result == -EAGAIN;
    if (p->is_loose && place->is_stream && is_open_ended)
        outcome.result = 1;
    return outcome;
}

// On loopback a packet may be acknowledged before the call returns that sends it, so that much more
// is taken than fits into one buffer, or not, and then what the peer's window has room for gets
// through later. In the simulator time stands still in a call: by seed there are several goes.
static struct outcome fill(struct player *p, struct place *place) {
    int64_t n = -EAGAIN;
    if (!place->is_stream || p->has_shut_reading)
        return (struct outcome){NOT_DONE, 0};
    p->is_loose = p->has_filled = true;
    if ((n = write_some(p, place, BUF_SIZE, NULL)) < 0)
        return loosen(p, place, (struct outcome){n, 0});
    int goes = p->play->is_real ? 1 : 1 + (int)weft__rng_below(&p->rng, 4);
    for (size_t total = 0; goes > 0; goes--) {
        play_wait(p, 200000); // whoever has closed answers the first bytes with a reset
        for (; total < FILL_MAX; total += (size_t)n)
            if ((n = write_some(p, place, BUF_SIZE, NULL)) < 0)
                break;
    }
    return loosen(p, place, (struct outcome){n, 0});
}

// A sender that was told of a full window may find out late that there is room again: Linux asks
// after 200 ms. Whom we cannot see, who has closed and may be sending still, we wait for so long
// only where there is time for everything.
static struct outcome drain(struct player *p, struct place *place) {
    if (!place->is_stream)
        return (struct outcome){NOT_DONE, 0};
    const struct place *other = play_other_end(p, place);
    struct outcome outcome = {0};
    bool is_patient = other != NULL || !p->play->is_real || p->play->settle_ns >= PATIENT_NS;
    int quiet_max = is_patient ? QUIET_ROUNDS_MAX : QUIET_ROUNDS;
    for (int quiet = 0; quiet < quiet_max; quiet++) {
        uint64_t before = place->received;
        do
            outcome = read_some(p, place, BUF_SIZE, WEFT__OP_READ, 0);
        while (outcome.result > 0 && outcome.more == 0);
        if (outcome.result != -EAGAIN || (other != NULL && other->sent == place->received))
            break;
        if (place->received != before)
            quiet = 0;
        play_wait(p, 2000000);
    }
    if (other != NULL && outcome.result == -EAGAIN && other->sent != place->received)
        outcome.more = IS_WRONG;
    return outcome;
}

struct outcome play_bytes(struct player *p, struct place *place, const struct step *step) {
    size_t size = (size_t)step->value;
    weft_addr to;
    switch (step->what) {
    case WRITE:
        return loosen(p, place, (struct outcome){write_some(p, place, size, NULL), 0});
    case SEND:
        to = play_address_of(p, place, step->extra);
        return loosen(p, place, (struct outcome){write_some(p, place, size, &to), 0});
    case READ:
        return loosen(p, place, read_some(p, place, size, WEFT__OP_READ, 0));
    case PEEK:
        return loosen(p, place, read_some(p, place, size, WEFT__OP_READ, WEFT__OP_PEEK));
    case RECEIVE:
        return loosen(p, place, read_some(p, place, size, WEFT__OP_RECVMSG, 0));
    case SUBMIT:
        return submit_read(p, place, size);
    case CANCEL:
        return loosen(p, place, end_read(p, place));
    case FILL:
        return fill(p, place);
    default:
        return drain(p, place);
    }
}

// SPDX-License-Identifier: MIT
// The capture of a simulation as Wireshark and tshark read it: a pcapng file
// (draft-ietf-opsawg-pcapng) of one section with one interface, whose packets begin with the header
// of IP (LINKTYPE_RAW) and bear the virtual wall clock in nanoseconds.
// Not here: why a packet is written (sim_watch.c).
#include "driver/sim_capture.h"

#include "base/text.h"
#include "driver/sim_sink.h"
#include "os/os.h"

#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_IF_NAME = 2,
    OPTION_IF_TSRESOL = 9,
    LINKTYPE_RAW = 101,

    PACKET_HEAD_SIZE = 28,
};

struct weft__sim_capture {
    struct weft__sim_sink *sink;
    uint8_t *block; // of the packet that was begun
    size_t ip_size, size;
    enum weft__sim_protocol protocol;
};

// ---- Blocks ----

// A block is of 32-bit words in the machine's own order, and begins and ends with its length.
struct block {
    uint8_t *data;
    size_t size;
};

static void put_word(struct block *block, uint32_t value) {
    memcpy(block->data + block->size, &value, sizeof value);
    block->size += sizeof value;
}

static void pad(struct block *block) {
    while (block->size % 4 != 0)
        block->data[block->size++] = 0;
}

static void put_option(struct block *block, uint16_t code, const void *value, size_t size) {
    uint16_t head[] = {code, (uint16_t)size};
    memcpy(block->data + block->size, head, sizeof head);
    memcpy(block->data + block->size + sizeof head, value, size);
    block->size += sizeof head + size;
    pad(block);
}

static struct block begin_block(void *data, uint32_t type) {
    struct block block = {.data = data};
    put_word(&block, type);
    put_word(&block, 0); // the length
    return block;
}

static void end_block(struct block *block, struct weft__sim_sink *sink) {
    pad(block);
    uint32_t length = (uint32_t)block->size + 4;
    put_word(block, length);
    memcpy(block->data + 4, &length, sizeof length);
    weft__sim_sink_add(sink, block->size);
}

static void put_heads(struct weft__sim *sim, struct weft__sim_sink *sink) {
    char seed[64];
    struct weft__text text;
    weft__text_init(&text, seed, sizeof seed);
    weft__text_put(&text, "weft simulation, seed ");
    weft__text_put_u64(&text, sim->seed);
    struct block section = begin_block(weft__sim_sink_room(sink, 256), BLOCK_SECTION);
    put_word(&section, BYTE_ORDER_MAGIC);
    put_word(&section, 1);          // the version: 1.0
    put_word(&section, 0xffffffff); // the section's length: not told
    put_word(&section, 0xffffffff);
    put_option(&section, OPTION_COMMENT, seed, text.length);
    put_option(&section, OPTION_END, "", 0);
    end_block(&section, sink);
    static const uint8_t nanoseconds = 9;
    struct block interface = begin_block(weft__sim_sink_room(sink, 256), BLOCK_INTERFACE);
    put_word(&interface, LINKTYPE_RAW);
    put_word(&interface, 0); // packets are not cut
    put_option(&interface, OPTION_IF_NAME, "sim", 3);
    put_option(&interface, OPTION_IF_TSRESOL, &nanoseconds, 1);
    put_option(&interface, OPTION_END, "", 0);
    end_block(&interface, sink);
}

// ---- Packets ----

uint8_t *weft__sim_capture_begin(struct weft__sim *sim, const struct weft__sim_name *from,
                                 const struct weft__sim_name *to, enum weft__sim_protocol protocol,
                                 size_t size) {
    struct weft__sim_capture *capture = sim->capture;
    if (capture == NULL)
        return NULL;
    size_t most = PACKET_HEAD_SIZE + WEFT__SIM_IP_SIZE_MAX + size + 8;
    capture->block = weft__sim_sink_room(capture->sink, most);
    if (capture->block == NULL)
        return NULL;
    memset(capture->block, 0, most);
    capture->size = size;
    capture->protocol = protocol;
    uint8_t *ip = capture->block + PACKET_HEAD_SIZE;
    capture->ip_size = weft__sim_ip_put(ip, protocol, from, to, size);
    return ip + capture->ip_size;
}

void weft__sim_capture_end(struct weft__sim *sim, size_t captured) {
    struct weft__sim_capture *capture = sim->capture;
    if (captured == capture->size)
        weft__sim_ip_checksum(capture->block + PACKET_HEAD_SIZE, capture->protocol, captured);
    uint64_t at_ns = (uint64_t)sim->front.driver.class->now(&sim->front.driver, WEFT__WALL);
    struct block block = begin_block(capture->block, BLOCK_PACKET);
    put_word(&block, 0); // the interface
    put_word(&block, (uint32_t)(at_ns >> 32));
    put_word(&block, (uint32_t)at_ns);
    put_word(&block, (uint32_t)(capture->ip_size + captured));
    put_word(&block, (uint32_t)(capture->ip_size + capture->size));
    block.size += capture->ip_size + captured;
    end_block(&block, capture->sink);
}

// ---- Open and close ----

int weft__sim_capture_open(struct weft__driver *d, const char *path) {
    struct weft__sim *sim = weft__sim_of(d);
    ASSERT(sim->capture == NULL);
    struct weft__sim_capture *capture = weft__alloc(sizeof *capture);
    if (capture == NULL)
        return -ENOMEM;
    int error = weft__sim_sink_open(path, &capture->sink);
    if (error != 0) {
        weft__free(capture);
        return error;
    }
    put_heads(sim, capture->sink);
    sim->capture = capture;
    return 0;
}

void weft__sim_watch_flush(struct weft__driver *d) {
    struct weft__sim *sim = weft__sim_of(d);
    if (sim->capture != NULL)
        weft__sim_sink_flush(sim->capture->sink);
    if (sim->log != NULL)
        weft__sim_sink_flush(sim->log);
}

void weft__sim_watch_close(struct weft__sim *sim) {
    if (sim->capture != NULL)
        weft__sim_sink_close(sim->capture->sink);
    weft__free(sim->capture);
    weft__sim_sink_close(sim->log);
    sim->capture = NULL;
    sim->log = NULL;
}

// SPDX-License-Identifier: MIT
// Reads the captures of a simulation back, and holds each packet to what IP, TCP and UDP ask of it:
// lengths that agree, checksums that are right, time that does not run backwards.
// Not for captures of others: it knows the one kind of file that driver/sim_capture.c writes.
#ifndef TESTS_UNIT_PCAPNG_H
#define TESTS_UNIT_PCAPNG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// The whole of a file, with a NUL behind it; the caller frees it.
static inline char *read_file(const char *path, size_t *ret_size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, size, file), size);
    data[size] = '\0';
    fclose(file);
    *ret_size = size;
    return data;
}

struct pcapng {
    uint8_t *file;
    size_t size, at; // `at` the next block
    int64_t last_ns;
};

struct pcapng_packet {
    int64_t at_ns;
    bool is_v4;
    int protocol;
    const uint8_t *ip, *data; // the packet, and what is behind the header of IP
    size_t size, captured;    // of `data`
};

static inline uint32_t host32(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint32_t get16(const uint8_t *from) {
    return (uint32_t)from[0] << 8 | from[1];
}

static inline uint32_t get32(const uint8_t *from) {
    return get16(from) << 16 | get16(from + 2);
}

// The next block, of the type that is expected if it is not 0; NULL at the end.
static inline const uint8_t *next_block(struct pcapng *pcapng, uint32_t type) {
    if (pcapng->at == pcapng->size)
        return NULL;
    const uint8_t *block = pcapng->file + pcapng->at;
    assert_true(pcapng->size - pcapng->at >= 12);
    uint32_t length = host32(block + 4);
    assert_int_equal(length % 4, 0);
    assert_true(length <= pcapng->size - pcapng->at);
    assert_int_equal(host32(block + length - 4), length);
    assert_int_equal(host32(block), type);
    pcapng->at += length;
    return block;
}

static inline void open_pcapng(struct pcapng *pcapng, const char *path) {
    *pcapng = (struct pcapng){.file = NULL};
    pcapng->file = (uint8_t *)read_file(path, &pcapng->size);
    const uint8_t *section = next_block(pcapng, 0x0a0d0d0a);
    assert_non_null(section);
    assert_int_equal(host32(section + 8), 0x1a2b3c4d);
    const uint8_t *interface = next_block(pcapng, 1);
    assert_non_null(interface);
    assert_int_equal(host32(interface + 8), 101); // LINKTYPE_RAW
}

// Of 16-bit words, folded: 0xffff when a checksum among them is right.
static inline uint32_t sum16(const uint8_t *data, size_t size, uint32_t sum) {
    for (size_t i = 0; i < size; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static inline void check_sums(const struct pcapng_packet *packet) {
    if (packet->is_v4)
        assert_int_equal(sum16(packet->ip, 20, 0), 0xffff);
    uint32_t sum = 0;
    if (packet->protocol != 1) {
        sum = sum16(packet->is_v4 ? packet->ip + 12 : packet->ip + 8, packet->is_v4 ? 8 : 32, 0);
        sum += (uint32_t)packet->protocol + (uint32_t)packet->size;
    }
    if (packet->captured == packet->size)
        assert_int_equal(sum16(packet->data, packet->size, sum), 0xffff);
    if (packet->protocol == 17) {
        assert_int_equal(get16(packet->data + 4), packet->size);
        assert_int_not_equal(get16(packet->data + 6), 0);
    }
}

static inline bool next_packet(struct pcapng *pcapng, struct pcapng_packet *ret_packet) {
    const uint8_t *block = next_block(pcapng, 6), *ip = block + 28;
    if (block == NULL)
        return false;
    struct pcapng_packet packet = {.ip = ip, .is_v4 = ip[0] == 0x45};
    packet.at_ns = (int64_t)((uint64_t)host32(block + 12) << 32 | host32(block + 16));
    assert_true(packet.at_ns >= pcapng->last_ns);
    size_t head_size = packet.is_v4 ? 20 : 40;
    packet.data = ip + head_size;
    packet.captured = host32(block + 20) - head_size;
    packet.size = host32(block + 24) - head_size;
    packet.protocol = packet.is_v4 ? ip[9] : ip[6];
    assert_true(packet.captured <= packet.size);
    assert_int_equal(packet.is_v4 ? get16(ip + 2) - 20 : get16(ip + 4), packet.size);
    assert_true(packet.is_v4 || ip[0] == 0x60);
    check_sums(&packet);
    pcapng->last_ns = packet.at_ns;
    *ret_packet = packet;
    return true;
}

static inline void close_pcapng(struct pcapng *pcapng) {
    free(pcapng->file);
}

#endif

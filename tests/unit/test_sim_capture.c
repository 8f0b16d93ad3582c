// SPDX-License-Identifier: MIT
// Unit tests of driver/sim_watch.c, sim_capture.c and sim_ip.c: what a capture shows. With the
// argument --write and a folder the program writes captures there, for the test that reads them
// with tshark (tests/process/capture.py).
#include "pcapng.h"
#include "sim_watched.h"

// ---- What the capture shows ----

static const char *flags_of(const uint8_t *tcp) {
    static char text[8];
    static const struct {
        uint8_t bit;
        char letter;
    } letters[] = {{2, 'S'}, {1, 'F'}, {4, 'R'}, {8, 'P'}, {16, 'A'}};
    size_t length = 0;
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (tcp[13] & letters[i].bit)
            text[length++] = letters[i].letter;
    text[length] = '\0';
    return text;
}

// One line a segment: microseconds since the first, "c" or "s" for who sent it, flags, sequence and
// acknowledgement behind the first ones, payload.
static char *describe(struct pcapng *pcapng) {
    static char text[4096];
    size_t length = 0;
    uint32_t first[2] = {0, 0};
    int64_t start_ns = 0;
    struct pcapng_packet packet;
    while (next_packet(pcapng, &packet)) {
        const uint8_t *tcp = packet.data;
        assert_int_equal(packet.protocol, 6);
        int way = get16(tcp) == 7878 || get16(tcp) == 7879;
        if (tcp[13] & 2)
            first[way] = get32(tcp + 4);
        start_ns = start_ns != 0 ? start_ns : packet.at_ns;
        size_t head_size = (size_t)(tcp[12] >> 4) * 4;
        length += (size_t)snprintf(text + length, sizeof text - length, "%d %c %s %u %u %.*s\n",
                                   (int)((packet.at_ns - start_ns) / 1000), way ? 's' : 'c',
                                   flags_of(tcp), get32(tcp + 4) - first[way],
                                   tcp[13] & 16 ? get32(tcp + 8) - first[1 - way] : 0,
                                   (int)(packet.size - head_size), (const char *)tcp + head_size);
    }
    return text;
}

static char *described(void) {
    weft__sim_watch_flush(d);
    struct pcapng pcapng;
    open_pcapng(&pcapng, capture_path);
    char *text = describe(&pcapng);
    close_pcapng(&pcapng);
    return text;
}

static void a_conversation_has_the_numbers_of_tcp(void **state) {
    (void)state;
    static const int families[] = {WEFT_IPV4, WEFT_IPV6};
    add_hosts();
    watch();
    converse(families[sim_seed % 2]);
    assert_string_equal(described(), "0 c S 0 0 \n"
                                     "100 s SA 0 1 \n"
                                     "200 c A 1 1 \n"
                                     "300 c PA 1 1 question\n"
                                     "400 s A 1 9 \n"
                                     "400 s PA 1 9 answer\n"
                                     "400 c FA 9 1 \n"
                                     "500 c A 10 7 \n"
                                     "500 s A 7 10 \n"
                                     "500 s PA 7 10 more\n"
                                     "600 c A 10 11 \n"
                                     "600 s FA 11 10 \n"
                                     "700 c A 10 12 \n");
}

static void a_refused_connect_is_answered_with_a_reset(void **state) {
    (void)state;
    add_hosts();
    watch();
    be_refused(WEFT_IPV4);
    assert_string_equal(described(), "0 c S 0 0 \n"
                                     "100 s RA 0 1 \n");
}

static void a_reset_stands_behind_what_was_sent(void **state) {
    (void)state;
    add_hosts();
    watch();
    be_reset(WEFT_IPV4);
    assert_string_equal(described(), "0 c S 0 0 \n"
                                     "100 s SA 0 1 \n"
                                     "200 c A 1 1 \n"
                                     "300 c PA 1 1 unread\n"
                                     "400 s A 1 7 \n"
                                     "2300 s RA 1 7 \n");
}

static void what_is_lost_is_sent_again(void **state) {
    (void)state;
    add_hosts();
    watch();
    struct pair pair = connect_hosts(WEFT_IPV4, 40000);
    weft__sim_cut(d, CLIENT, SERVER, true);
    assert_int_equal(write_text(pair.client, "lost"), 4);
    wait_until(now_ns() + 1000000);
    weft__sim_cut(d, CLIENT, SERVER, false);
    assert_reads(pair.server, "lost");
    close_pair(pair);
    settle();
    assert_string_equal(described(), "0 c S 0 0 \n"
                                     "100 s SA 0 1 \n"
                                     "200 c A 1 1 \n"
                                     "300 c PA 1 1 lost\n"
                                     "200600 c PA 1 1 lost\n"
                                     "200600 s A 1 5 \n"
                                     "200600 c FA 5 1 \n"
                                     "200600 s FA 1 5 \n"
                                     "200700 s A 2 6 \n"
                                     "200700 c A 6 2 \n");
}

// The bytes are known no longer: the segment is there, and says how long it was.
static void what_was_read_already_is_sent_again_without_its_bytes(void **state) {
    (void)state;
    add_hosts();
    watch();
    struct pair pair = connect_hosts(WEFT_IPV4, 40000);
    weft__sim_cut(d, SERVER, CLIENT, true);
    assert_int_equal(write_text(pair.client, "heard"), 5);
    assert_reads(pair.server, "heard");
    weft__sim_cut(d, SERVER, CLIENT, false);
    wait_until(now_ns() + 1000000000);
    weft__sim_watch_flush(d);
    struct pcapng pcapng;
    open_pcapng(&pcapng, capture_path);
    struct pcapng_packet packet, last_data = {0};
    size_t acks = 0;
    while (next_packet(&pcapng, &packet)) {
        if (packet.data[13] & 8)
            last_data = packet;
        acks += packet.data[13] == 16 && get16(packet.data) == 7878;
    }
    assert_int_equal(last_data.size, 25);
    assert_int_equal(last_data.captured, 20);
    assert_int_equal(acks, 2); // the one that was lost, too
    close_pcapng(&pcapng);
    close_pair(pair);
}

static void datagrams_and_refusals_are_whole(void **state) {
    (void)state;
    add_hosts();
    watch();
    send_datagrams(WEFT_IPV4);
    send_datagrams(WEFT_IPV6);
    weft__sim_watch_flush(d);
    static const struct {
        int protocol;
        size_t size;
    } expected[] = {
        {17, 8}, {17, 15}, {17, 65515}, {17, 17}, {17, 1008}, {1, 45},  {1, 548},  // IPv4
        {17, 8}, {17, 15}, {17, 65515}, {17, 17}, {17, 1008}, {58, 65}, {58, 568}, // IPv6
    };
    struct pcapng pcapng;
    open_pcapng(&pcapng, capture_path);
    struct pcapng_packet packet;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(next_packet(&pcapng, &packet));
        assert_int_equal(packet.protocol, expected[i].protocol);
        assert_int_equal(packet.size, expected[i].size);
    }
    assert_false(next_packet(&pcapng, &packet));
    close_pcapng(&pcapng);
}

static void every_packet_of_any_run_has_right_checksums(void **state) {
    (void)state;
    watch();
    run_badly(5000);
    weft__sim_watch_flush(d);
    struct pcapng pcapng;
    open_pcapng(&pcapng, capture_path);
    struct pcapng_packet packet;
    size_t count = 0;
    while (next_packet(&pcapng, &packet))
        count++;
    assert_true(count > 50);
    close_pcapng(&pcapng);
}

static const struct CMUnitTest cases[] = {
    WATCHED(a_conversation_has_the_numbers_of_tcp),
    WATCHED(a_refused_connect_is_answered_with_a_reset),
    WATCHED(a_reset_stands_behind_what_was_sent),
    WATCHED(what_is_lost_is_sent_again),
    WATCHED(what_was_read_already_is_sent_again_without_its_bytes),
    WATCHED(datagrams_and_refusals_are_whole),
    WATCHED(every_packet_of_any_run_has_right_checksums),
};

// ---- For tshark ----

static void write_clean(void) {
    add_hosts();
    for (int i = 0; i < 2; i++) {
        int family = i == 0 ? WEFT_IPV4 : WEFT_IPV6;
        converse(family);
        be_refused(family);
        be_reset(family);
        send_datagrams(family);
    }
}

static void write_bulk(void) {
    add_hosts();
    pump(connect_hosts(WEFT_IPV4, 40000), 1000003);
}

static void write_lossy(void) {
    add_hosts();
    struct pair pair = connect_hosts(WEFT_IPV6, 40000);
    lose_one_in(10);
    pump(pair, 1000003);
}

static void write_loopback(void) {
    pump(open_pair(), 1000003);
}

static void write_wild(void) {
    (void)run_script(sim_seed, 5000);
}

static void write_wild_lossy(void) {
    run_badly(5000);
}

static int write_all(const char *folder) {
    static const struct {
        const char *name;
        void (*fn)(void);
    } scenes[] = {{"clean", write_clean}, {"bulk", write_bulk},
                  {"lossy", write_lossy}, {"loopback", write_loopback},
                  {"wild", write_wild},   {"wild_lossy", write_wild_lossy}};
    contract = &sim_contract;
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.pcapng", folder, scenes[i].name);
        if (contract->start(&d) != 0 || weft__sim_capture_open(d, path) != 0)
            return 1;
        scenes[i].fn();
        d->class->stop(d);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_all(argv[2]);
    return sim_main(0, NULL, cases);
}

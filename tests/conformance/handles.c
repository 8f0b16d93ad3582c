// SPDX-License-Identifier: MIT
// Handles: what every call does with one that is negative, stale, no handle at all, or of the wrong
// kind. "A negative handle passed in is returned unchanged"; "a stale handle is -EBADF, never
// somebody else's connection"; "a wrong kind is -ENOTSUP".
#include "calls.h"
#include "case.h"

#include <limits.h>
#include <string.h>

// For all calls, or the message names the one that differs.
#define expect_call(call_, handle_, expected_)                                                     \
    check_result((call_)->make(handle_), (expected_), (call_)->name, __FILE__, __LINE__)

static const int negatives[] = {-1, -EBADF, -ECONNREFUSED, -ETIMEDOUT, -WEFT_EADDRESS, INT_MIN};
enum { NEGATIVES = sizeof negatives / sizeof negatives[0] };

CASE(negative_in_negative_out_for_every_call) {
    for (size_t i = 0; i < call_count; i++)
        for (int n = 0; n < NEGATIVES; n++)
            expect_call(&calls[i], negatives[n], negatives[n]);
}

// "... so calls compose and the first error survives", whatever the other arguments are worth.
CASE(negative_in_negative_out_whatever_the_other_arguments) {
    expect(weft_read(-7, NULL, 0), -7);
    expect(weft_read(-7, NULL, SIZE_MAX), -7);
    expect(weft_write(-7, NULL, 0), -7);
    expect(weft_peek(-7, NULL, 0), -7);
    expect(weft_readv(-7, NULL, -1), -7);
    expect(weft_writev(-7, NULL, 2000), -7);
    expect(weft_ready(-7, 0), -7);
    expect(weft_read_exact(-7, NULL, 0), -7);
    expect(weft_write_all(-7, NULL, 0), -7);
    expect(weft_readv_exact(-7, NULL, -1), -7);
    expect(weft_writev_all(-7, NULL, -1), -7);
    expect(weft_shutdown(-7, 0), -7);
    expect(weft_accept_from(-7, NULL), -7);
    expect(weft_tcp_keepalive(-7, -1, -1, -1), -7);
    expect(weft_recv_from(-7, NULL, 0, NULL), -7);
    expect(weft_send_to(-7, NULL, 0, NULL), -7);
    expect(weft_local_addr(-7, NULL), -7);
    expect(weft_peer_addr(-7, NULL), -7);
}

// "A call that merely passes a negative handle on leaves the record as it is."
CASE(passing_a_negative_handle_on_leaves_the_record) {
    weft_addr addr = unused_address();
    char before[256], after[256];
    expect(weft_tcp_connect_with(&addr, NULL), -ECONNREFUSED);
    expect_that(weft_explain(before, sizeof before) > 0);
    for (size_t i = 0; i < call_count; i++)
        for (int n = 0; n < NEGATIVES; n++) {
            expect_call(&calls[i], negatives[n], negatives[n]);
            weft_explain(after, sizeof after);
            assert_string_equal(after, before);
            expect(weft_timed_out(), 0);
        }
}

// The first error survives in a block whose time is up, too.
CASE(negative_in_negative_out_after_the_deadline) {
    weft_within(0);
    for (size_t i = 0; i < call_count; i++)
        expect_call(&calls[i], -ECONNREFUSED, -ECONNREFUSED);
}

CASE(a_closed_handle_is_ebadf_for_every_call) {
    weft_addr addr;
    struct tcp_pair pair = tcp_pair_open();
    int closed[] = {pair.client, pair.server, listen_anywhere(&addr), udp_anywhere(&addr)};
    for (int n = 0; n < 4; n++)
        expect(weft_close(closed[n]), 0);
    for (size_t i = 0; i < call_count; i++)
        for (int n = 0; n < 4; n++)
            expect_call(&calls[i], closed[n], -EBADF);
}

// "So a plain file descriptor is never mistaken for a handle and 0 is none."
CASE(descriptors_and_zero_are_ebadf_for_every_call) {
    for (size_t i = 0; i < call_count; i++)
        for (int fd = 0; fd < 70; fd++)
            expect_call(&calls[i], fd, -EBADF);
}

// Numbers that never were handles.
CASE(numbers_out_of_the_blue_are_ebadf_for_every_call) {
    static const int numbers[] = {INT_MAX, INT_MAX - 1, 1 << 20, (1 << 20) - 1, 1 << 30, 1048577};
    for (size_t i = 0; i < call_count; i++)
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
            expect_call(&calls[i], numbers[n], -EBADF);
}

CASE(a_wrong_kind_is_enotsup_for_every_call) {
    weft_addr addr;
    struct tcp_pair pair = tcp_pair_open();
    const struct {
        int handle;
        enum kind kind;
    } all[] = {
        {pair.client, STREAM},
        {listen_anywhere(&addr), LISTENER},
        {udp_anywhere(&addr), DATAGRAM},
    };
    for (size_t i = 0; i < call_count; i++)
        for (int n = 0; n < 3; n++)
            if ((calls[i].kinds & all[n].kind) == 0)
                expect_call(&calls[i], all[n].handle, -ENOTSUP);
    expect(weft_close(all[1].handle), 0);
    expect(weft_close(all[2].handle), 0);
    tcp_pair_close(&pair);
}

CASE(a_listener_has_no_peer) {
    weft_addr addr, peer = {{1, 2, 3, 4}}, untouched = peer;
    int listener = listen_anywhere(&addr);
    expect(weft_peer_addr(listener, &peer), -ENOTCONN);
    assert_memory_equal(&peer, &untouched, sizeof peer); // results are untouched on failure
    expect(weft_close(listener), 0);
}

// "A stale handle is -EBADF, never somebody else's connection, for at least the next 8,000,000
// opened handles": 4,096 stale ones are kept and tried while others come and go in their places.
enum { STALE = 4096, SLOTS = 1 << 20 };
static int stale[STALE];
static int stale_at[SLOTS]; // the stale handle of a slot, 0: none

static int open_one(const weft_addr *addr) {
    return opened(weft_udp_bind_with(addr, NULL));
}

static void make_stale(const weft_addr *addr) {
    for (int i = 0; i < STALE; i++) {
        stale[i] = open_one(addr);
        expect(weft_close(stale[i]), 0);
        stale_at[stale[i] % SLOTS] = stale[i]; // "20 bits of slot"
    }
}

static uint64_t handles_to_open(void) {
    return (world_is("sim") ? 8000000u : 1000000u) / test_slowness();
}

static void expect_stale(int handle, uint64_t way) {
    weft_addr ignored;
    char byte;
    expect(weft_local_addr(handle, &ignored), -EBADF);
    if (way % 64 == 0) // the other ways to use one, less often
        expect(weft_read(handle, &byte, 1), -EBADF);
    if (way % 64 == 1)
        expect(weft_close(handle), -EBADF);
}

// The one to fear is the stale one whose slot is open now; the others take their turns beside it.
CASE(stale_handles_stay_ebadf_while_millions_come_and_go, .sim_seeds = 1, .runs_once = true,
     .slow_factor = 4) {
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    uint64_t count = handles_to_open(), met = 0;
    make_stale(&addr);
    for (uint64_t i = 0; i < count; i++) {
        int open = open_one(&addr), same_slot = stale_at[open % SLOTS];
        expect_stale(stale[i % STALE], i);
        if (same_slot != 0) {
            expect_that(same_slot != open);
            expect_stale(same_slot, met++);
        }
        expect(weft_close(open), 0);
    }
    print_message("%llu handles, %llu of them in the slot of a stale one\n",
                  (unsigned long long)count, (unsigned long long)met);
    expect_that(met > count / 4); // else this would show little
    for (int i = 0; i < STALE; i++)
        expect(weft_close(stale[i]), -EBADF);
}

// "Slots are reused oldest first and never before 4,096 are free in the list they come from."
CASE(a_closed_handle_does_not_come_back_soon) {
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    make_stale(&addr);
    for (int i = 0; i < STALE; i++)
        for (int later = i + 1; later < STALE; later += 97)
            expect_that(stale[i] != stale[later]);
    for (int i = 0; i < STALE; i++)
        expect_that(stale[i] >= 1 << 20); // "20 bits of slot, 11 of generation starting at 1"
}

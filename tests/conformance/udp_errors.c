// SPDX-License-Identifier: MIT
// What can go wrong with datagrams. "On datagram sockets and listeners nothing is sticky: an ICMP
// error is reported once, by one call."
#include "case.h"
#include "fault.h"

// An address of 127.0.0.1 where no datagram socket is.
static weft_addr deaf_address(void) {
    weft_addr addr;
    expect(weft_close(udp_anywhere(&addr)), 0);
    return addr;
}

CASE(an_absent_peer_is_reported_once_and_then_all_is_well) {
    weft_addr addr = deaf_address();
    char buf[8];
    int client = udp_connect_to(&addr);
    for (int i = 0; i < 3; i++) {
        expect(weft_write(client, "anybody?", 8), 8);
        expect(weft_ready(client, WEFT_READ), WEFT_READ); // the error is there to be read
        expect(weft_read(client, buf, sizeof buf), -ECONNREFUSED);
        expect_waits(weft_read(client, buf, sizeof buf));
    }
    int server = opened(weft_udp_bind_with(&addr, NULL)); // now there is somebody
    weft_addr peer;
    expect(weft_write(client, "hello", 5), 5);
    expect(weft_recv_from(server, buf, sizeof buf, &peer), 5);
    expect(weft_send_to(server, "here", 4, &peer), 4);
    expect(weft_read(client, buf, sizeof buf), 4);
    expect(weft_close(client), 0);
    expect(weft_close(server), 0);
}

// A write may be the one call that reports it.
CASE(an_absent_peer_may_be_reported_by_a_write) {
    weft_addr addr = deaf_address();
    int client = udp_connect_to(&addr);
    expect(weft_write(client, "1", 1), 1);
    expect(weft_ready(client, WEFT_READ), WEFT_READ);
    expect(weft_write(client, "2", 1), -ECONNREFUSED);
    expect(weft_write(client, "3", 1), 1);
    expect(weft_close(client), 0);
}

struct receiver {
    int sock;
    ssize_t result;
};

static void receive(void *context) {
    struct receiver *receiver = context;
    char buf[8];
    receiver->result = weft_read(receiver->sock, buf, sizeof buf);
}

CASE(a_waiting_receive_reports_the_absent_peer) {
    weft_addr addr = deaf_address();
    struct receiver receiver = {.sock = udp_connect_to(&addr)};
    struct parties parties = {0};
    party_start(&parties, "receiver", receive, &receiver);
    await_waiting(receiver.sock, WEFT_READ, 1);
    expect(weft_write(receiver.sock, "anybody?", 8), 8);
    parties_join(&parties);
    expect(receiver.result, -ECONNREFUSED);
    expect(weft_close(receiver.sock), 0);
}

// udp(7): a socket without a peer is not told.
CASE(a_socket_without_a_peer_hears_of_no_absent_one) {
    weft_addr nobody = deaf_address(), addr, peer;
    char buf[8];
    int sock = udp_anywhere(&addr), other = udp_connect_to(&addr);
    for (int i = 0; i < 3; i++)
        expect(weft_send_to(sock, "anybody?", 8, &nobody), 8);
    expect(weft_write(other, "me", 2), 2);
    expect(weft_recv_from(sock, buf, sizeof buf, &peer), 2);
    expect(weft_send_to(sock, "you", 3, &peer), 3);
    expect(weft_read(other, buf, sizeof buf), 3);
    expect(weft_close(sock), 0);
    expect(weft_close(other), 0);
}

CASE(sending_without_a_peer_is_edestaddrreq) {
    weft_addr addr;
    char buf[8];
    int sock = udp_anywhere(&addr);
    struct iovec part = {"x", 1};
    expect(weft_write(sock, "x", 1), -EDESTADDRREQ);
    expect(weft_writev(sock, &part, 1), -EDESTADDRREQ);
    expect(weft_send_to(sock, "x", 1, NULL), -EDESTADDRREQ);
    expect(weft_send_to(sock, "self", 4, &addr), 4); // nothing is sticky
    expect(weft_read(sock, buf, sizeof buf), 4);
    expect(weft_close(sock), 0);
}

// UDP over IPv4 carries 65,535 - 20 - 8 bytes.
CASE(a_datagram_that_is_too_large_is_emsgsize) {
    static char big[65508];
    weft_addr addr;
    char buf[8];
    int server = udp_anywhere(&addr), client = udp_connect_to(&addr);
    expect(weft_write(client, big, sizeof big), -EMSGSIZE);
    expect(weft_send_to(server, big, sizeof big, &addr), -EMSGSIZE);
    expect(weft_write(client, "small", 5), 5);
    expect(weft_read(server, buf, sizeof buf), 5);
    expect(weft_close(server), 0);
    expect(weft_close(client), 0);
}

// "-EACCES (broadcast without the option)": 127.255.255.255 is the loopback network's own.
CASE(broadcasting_needs_the_option) {
    weft_addr addr, everybody = weft_addr_ipv4(127, 255, 255, 255, 9);
    int sock = udp_anywhere(&addr);
    expect(weft_send_to(sock, "x", 1, &everybody), -EACCES);
    expect(weft_close(sock), 0);
    addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    sock = opened(weft_udp_bind_with(&addr, &(weft_udp_options){.broadcast = 1}));
    expect(weft_send_to(sock, "x", 1, &everybody), 1);
    expect(weft_close(sock), 0);
}

CASE(two_datagram_sockets_cannot_have_one_address) {
    weft_addr addr;
    int first = udp_anywhere(&addr);
    expect(weft_udp_bind_with(&addr, NULL), -EADDRINUSE);
    expect(weft_close(first), 0);
    first = opened(weft_udp_bind_with(&addr, NULL));
    expect(weft_close(first), 0);
}

// "On datagram sockets and listeners nothing is sticky", whatever the error.
CASE(no_error_of_a_datagram_socket_is_sticky) {
    static const int errors[] = {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, EPIPE, ENOMEM};
    weft_addr addr;
    char buf[8];
    int server = udp_anywhere(&addr), client = udp_connect_to(&addr);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        fault_nth("sendmsg", 1, -errors[i]);
        expect(weft_write(client, "x", 1), -errors[i]);
        expect(weft_timed_out(), 0);
        fault_none();
        expect(weft_write(client, "x", 1), 1);
        fault_nth("recvmsg", 1, -errors[i]);
        expect(weft_read(server, buf, sizeof buf), -errors[i]);
        fault_none();
        expect(weft_read(server, buf, sizeof buf), 1);
    }
    expect(weft_close(server), 0);
    expect(weft_close(client), 0);
}

CASE(an_error_of_a_listener_is_not_sticky) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    int client = opened(weft_tcp_connect_with(&addr, NULL));
    fault_nth("accept", 1, -EIO);
    expect(weft_accept(listener), -EIO);
    fault_none();
    expect(weft_close(opened(weft_accept(listener))), 0);
    expect(weft_close(client), 0);
    expect(weft_close(listener), 0);
}

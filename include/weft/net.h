// SPDX-License-Identifier: MIT
//
// TCP and UDP: making connections and sockets, and what is theirs alone. Conventions, and the
// errors every waiting call has: weft.h.
//
// `where` is "HOST:PORT": "127.0.0.1:7878", "[::1]:80", "[fe80::1%eth0]:80", "localhost:80",
// "example.com:443"; port 0 lets the system choose. Borrowed. A name is resolved off the task,
// under the ambient deadline (getaddrinfo(3), so nsswitch.conf and /etc/hosts count). All calls
// that take one answer
//   WEFT_EADDRESS   (negative) it cannot be parsed; weft_explain() says what is wrong with it
//   WEFT_ENAME      (negative) there is no such name
//   WEFT_ENAMEFAIL  (negative) the resolver failed; trying again may help
//   -EINVAL         an option that cannot be, or (the _with forms) no address
//   -EMFILE         out of descriptors, or of handles (about 1,044,000); weft_explain() says which
//   -ENFILE, -ENOBUFS, -ENOMEM  the system is out of what they name
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weft/addr.h>

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

// ---- TCP ------------------------------------------------------------------------------------

/// Zero is the default everywhere; the struct may grow at its end.
typedef struct weft_tcp_options {
    int backlog;          ///< connections not yet accepted; 0: 4096, capped by net.core.somaxconn
    int reuse_port;       ///< 1: SO_REUSEPORT
    int v6_only;          ///< 1: an IPv6 listener takes no IPv4; 0: the system's default
    int nodelay;          ///< 1: TCP_NODELAY
    int keepalive_idle_s; ///< seconds until the first probe; > 0 turns keep-alive on
    int keepalive_interval_s; ///< seconds between probes; 0: the system's
    int keepalive_count;      ///< probes before the connection is given up; 0: the system's
    int send_buffer_size;     ///< bytes; 0: the system's (it doubles what is asked, socket(7))
    int receive_buffer_size;  ///< bytes; likewise
    const weft_addr *local;   ///< connect: from this address; borrowed
    int per_worker_listen;    ///< listen: 1: a listener for each worker, see below
} weft_tcp_options;

/// Listens. SO_REUSEADDR is set. A name is tried address by address.
/// Returns a handle (*gives*), or
///   -EADDRINUSE     somebody listens there already; or, on io_uring, did until some milliseconds
///                   ago and was killed
///   -EADDRNOTAVAIL  no such address on this machine
///   -EACCES         a port below 1024 without the right to it
/// Suspends only for a name. listen(2).
int weft_tcp_listen(const char *where);
/// The same for an address, with options (NULL: none). Does not suspend.
///
/// One listener serves all workers: weft_go places each connection where the fewest tasks live.
/// With `per_worker_listen` each worker may have a listener of its own at the same address instead
/// (SO_REUSEPORT): a task for each, pinned by weft_task_options.worker, opens it, accepts, and
/// keeps what it accepts by WEFT_WORKER_HERE. All set the option; with port 0 the first one's
/// weft_local_addr() is the address of the others. The kernel deals connections out by a hash, not
/// by who is idle: for very many short connections alone. What has not been accepted when one of
/// the listeners is closed is reset. socket(7).
#define weft_tcp_listen_with(addr, ...)                                                            \
    weft_priv_tcp_listen((addr), (__VA_ARGS__), sizeof(weft_tcp_options))
int weft_priv_tcp_listen(const weft_addr *addr, const weft_tcp_options *options, size_t size);

/// Connects. Addresses of a name are raced, the families in turn, 250 ms apart (RFC 8305, "happy
/// eyeballs").
/// Returns a handle (*gives*), or
///   -ECONNREFUSED   nobody listens there
///   -ETIMEDOUT      the network gave no answer (tcp(7): about 2 minutes), or the deadline
///   -ENETUNREACH, -EHOSTUNREACH  no way to that address
///   -EADDRNOTAVAIL  no free local port
///   -ECONNRESET     the peer broke the connection at once
/// With several addresses: what the last one to fail answered. Suspends. connect(2).
int weft_tcp_connect(const char *where);
/// The same for an address, with options (NULL: none).
#define weft_tcp_connect_with(addr, ...)                                                           \
    weft_priv_tcp_connect((addr), (__VA_ARGS__), sizeof(weft_tcp_options))
int weft_priv_tcp_connect(const weft_addr *addr, const weft_tcp_options *options, size_t size);

/// Waits for a connection and accepts it. When descriptors or memory run short (EMFILE, ENFILE,
/// ENOBUFS, ENOMEM) it does not return: it logs one line an episode and tries again when a handle
/// is closed or after 100 ms. Errors of the connection itself (accept(2)) are passed over.
/// Returns a handle (*gives*); -EBADF also when the listener is closed meanwhile. Suspends.
int weft_accept(int listener);
/// The same; also tells the peer's address. ret_peer: set on success, may be NULL.
int weft_accept_from(int listener, weft_addr *ret_peer);

/// Whether small writes are sent at once (TCP_NODELAY).   on  0 or 1. Returns 0. Does not suspend.
int weft_tcp_nodelay(int conn, int on);

/// Keep-alive probes: off with idle_s 0.   idle_s, interval_s  seconds; count  probes; 0: the
/// system's. Returns 0, or -EINVAL for a value the kernel refuses. Does not suspend. tcp(7).
int weft_tcp_keepalive(int conn, int idle_s, int interval_s, int count);

// ---- UDP ------------------------------------------------------------------------------------

typedef struct weft_udp_options {
    int reuse_addr;          ///< 1: SO_REUSEADDR
    int reuse_port;          ///< 1: SO_REUSEPORT
    int v6_only;             ///< 1: no IPv4 on an IPv6 socket
    int broadcast;           ///< 1: may send to broadcast addresses
    int send_buffer_size;    ///< bytes; 0: the system's
    int receive_buffer_size; ///< bytes; 0: the system's
    const weft_addr *peer;   ///< connect to this peer; borrowed
} weft_udp_options;

/// A socket bound to an address; port 0: an ephemeral one. Errors as weft_tcp_listen.
/// Returns a handle (*gives*). Suspends only for a name. udp(7).
int weft_udp_bind(const char *where);
#define weft_udp_bind_with(addr, ...)                                                              \
    weft_priv_udp_bind((addr), (__VA_ARGS__), sizeof(weft_udp_options))
int weft_priv_udp_bind(const weft_addr *addr, const weft_udp_options *options, size_t size);

/// A socket from an ephemeral port to one peer: weft_read and weft_write work, datagrams of others
/// are not received. Nothing is sent. Of a name the first address that works is taken.
/// Returns a handle (*gives*), or -ENETUNREACH. Suspends only for a name.
int weft_udp_connect(const char *where);

/// Receives one datagram.
///   ret_peer  set to the sender, may be NULL.      size  bytes, 0 .. SSIZE_MAX.
/// Returns its bytes (0: an empty one), or
///   -EMSGSIZE      it was longer than `size`: buf is full, ret_peer is set, the rest is lost
///   -ECONNREFUSED  a connected peer is not there (an ICMP error, reported once)
///   -ENOTSUP       not a datagram socket
/// Suspends. recvfrom(2).
ssize_t weft_recv_from(int sock, void *buf, size_t size, weft_addr *ret_peer);

typedef struct weft_recv_options {
    int peek;            ///< 1: leaves the datagram where it is
    weft_addr *ret_peer; ///< the sender; may be NULL
    int *ret_truncated;  ///< 1 if the datagram was longer than buf, else 0; may be NULL
} weft_recv_options;

/// As weft_recv_from, but a datagram that is too long is no error: the bytes stored are returned
/// and ret_truncated tells.
#define weft_recv_with(sock, buf, size, ...)                                                       \
    weft_priv_recv((sock), (buf), (size), (__VA_ARGS__), sizeof(weft_recv_options))
ssize_t weft_priv_recv(int sock, void *buf, size_t size, const weft_recv_options *options,
                       size_t options_size);

/// Sends one datagram.   peer  borrowed; NULL: the connected one.
/// Returns size, or -EMSGSIZE, -EDESTADDRREQ (no peer), -ECONNREFUSED (as above), -ENETUNREACH,
/// -EACCES (broadcast without the option), -ENOTSUP. Suspends when the buffer is full. sendto(2).
ssize_t weft_send_to(int sock, const void *buf, size_t size, const weft_addr *peer);

// ---- Both -----------------------------------------------------------------------------------

/// The address of our end, of the peer's end. Returns 0, or -ENOTCONN. Does not suspend.
int weft_local_addr(int h, weft_addr *ret_addr);
int weft_peer_addr(int h, weft_addr *ret_addr);

/// Looks a name up.
///   where     "HOST:PORT".
///   ret_list  filled from the front, in the order of RFC 6724, each with the port.
///   capacity  1 or more.
/// Returns how many addresses were stored, >= 1, or the errors at the top. Suspends.
int weft_resolve(const char *where, weft_addr *ret_list, int capacity);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif

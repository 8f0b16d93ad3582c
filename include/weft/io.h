// SPDX-License-Identifier: MIT
//
// Reading, writing and closing: the calls that work on any connection or socket, and what can be
// asked about the last failure. Conventions, and the errors every waiting call has: weft.h.
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

// ---- Single operations ----------------------------------------------------------------------

/// Reads what has arrived, at most `size` bytes; waits until there is something.
///   h     a connection, or a datagram socket (then as weft_recv_from without the peer). Borrowed.
///   buf   borrowed, filled from the front.
///   size  bytes, 1 .. SSIZE_MAX.
/// Returns the bytes read; on a stream 0 at its end, on a datagram socket 0 is an empty one; or
///   -EINVAL      a stream and size 0 (0 would mean end of stream), or size above SSIZE_MAX
///   -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH, -ENETDOWN and the like: the connection broke; what had
///                arrived was delivered first; every later read and write says so again
///   -EMSGSIZE    the datagram was longer: buf is full, the rest is lost
///   -ECONNREFUSED  a connected datagram socket's peer is not there (reported once)
///   -EBADF       also: the handle was closed while waiting, and nothing was read
/// After weft_shutdown of reading: 0. Suspends. recv(2), RFC 9293.
ssize_t weft_read(int h, void *buf, size_t size);

/// Writes some of the bytes; waits until at least one is taken. On a datagram socket: one datagram.
///   buf   borrowed.
///   size  bytes, 0 .. SSIZE_MAX. 0 on a stream: the result is 0 and nothing is touched; on a
///         connected datagram socket: an empty datagram is sent.
/// Returns the bytes taken by the kernel, 1 .. size, or
///   -EPIPE         the peer is gone, or weft_shutdown of writing; every later write says so. The
///                  peer's answer stays readable. SIGPIPE never arises
///   -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH, -ENETDOWN  as weft_read
///   -EMSGSIZE      a datagram larger than the protocol carries
///   -EDESTADDRREQ  a datagram socket without a peer
///   -ECONNREFUSED  as weft_read
/// Suspends. send(2).
ssize_t weft_write(int h, const void *buf, size_t size);

/// weft_read and weft_write over several buffers (readv(2), writev(2)).
///   iov    borrowed.      count  0 .. 1024, else -EINVAL; at most 64 are used by one call, which
///          is an ordinary short read or write on a stream, and -EMSGSIZE on a datagram socket.
ssize_t weft_readv(int h, const struct iovec *iov, int count);
ssize_t weft_writev(int h, const struct iovec *iov, int count);

/// As weft_read, but leaves the bytes or the datagram where they are (MSG_PEEK, recv(2)). Suspends.
ssize_t weft_peek(int h, void *buf, size_t size);

enum {
    WEFT_READ = 1,  ///< the direction towards us
    WEFT_WRITE = 2, ///< the direction away from us
};

/// Waits until one of the directions can make progress: data, its end or an error to read, room to
/// write, a connection to accept.   events  WEFT_READ | WEFT_WRITE.
/// Returns the directions that can, or -EINVAL. Suspends. Takes no turn: several may wait. poll(2).
int weft_ready(int h, int events);

// ---- Composite calls: streams only, else -ENOTSUP -------------------------------------------

/// Reads exactly `size` bytes.
/// Returns size; 0 at a clean end of stream (before the first byte); or
///   -ENODATA  the stream ended inside; or what weft_read answers.
/// After an error weft_moved() is how many bytes stand in buf. size 0: 0, nothing is touched.
/// Suspends.
ssize_t weft_read_exact(int h, void *buf, size_t size);

/// Writes all `size` bytes. Returns size, or what weft_write answers; then weft_moved() is how many
/// bytes went out. Writes of two tasks may interleave. size 0: 0, nothing is touched. Suspends.
ssize_t weft_write_all(int h, const void *buf, size_t size);

/// The same over several buffers. count  0 .. 1024, else -EINVAL.
ssize_t weft_readv_exact(int h, const struct iovec *iov, int count);
ssize_t weft_writev_all(int h, const struct iovec *iov, int count);

/// Formats as printf(3) and writes it all. Returns the bytes written, or what weft_write_all
/// answers, -EINVAL for a bad format, -ENOMEM (text beyond 1 KiB is formatted in allocated memory).
/// As any composite call it may interleave with what others write to the same handle: in parts
/// where the kernel takes it in parts, which a short line rarely is. Who needs lines whole gives
/// the writing to one task. Suspends.
int weft_printf(int h, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- Closing --------------------------------------------------------------------------------

/// Ends directions of a connection.   how  WEFT_READ, WEFT_WRITE or both.
/// WRITE: the peer reads what was written, then end of stream. READ: from now on every read
/// returns 0.
/// Returns 0, or -ENOTCONN, -EINVAL, -ENOTSUP (a listener or a datagram socket).
/// Does not suspend. Never refused by a cancellation or a deadline. shutdown(2).
int weft_shutdown(int h, int how);

/// Closes a handle: *takes* it. From now on every use of it is -EBADF; operations in flight
/// elsewhere return -EBADF unless they had moved bytes, and weft_close waits for them to do so.
/// One task closes a handle, the one that owns it. To end another task's connection use
/// weft_shutdown(h, WEFT_READ | WEFT_WRITE): that task reads the end of the stream, writes -EPIPE,
/// and closes the handle itself, whereas a close from outside makes its own weft_close -EBADF.
/// Never waits for the peer: what was written is still sent. Data that was not read makes the
/// kernel send a reset (RFC 9293, 3.6.1).
/// Returns 0, or -EBADF; a negative handle is returned unchanged. Leaves the record of the last
/// failure as it is. Never refused or cut short by a cancellation or a deadline.
int weft_close(int h);

/// Closes a connection with a reset: unsent data is dropped, the peer sees ECONNRESET (SO_LINGER 0,
/// socket(7)). Otherwise as weft_close; on other kinds it is weft_close.
int weft_abort(int h);

/// `weft_autoclose int c = ...;` closes at the end of the block. Not run by longjmp and exit.
#define weft_autoclose __attribute__((cleanup(weft_priv_autoclose)))
void weft_priv_autoclose(int *h);

// ---- The last failure -----------------------------------------------------------------------
//
// Each task and each plain thread has one record. A call that fails writes it; a call that merely
// passes a negative handle on, and any weft_close, leaves it as it is. None of these suspends.

/// 1 if the last failure was a weft_within's deadline, 0 if it was anything else, such as the
/// network's own ETIMEDOUT.
int weft_timed_out(void);

/// How many bytes a composite call had moved before the last failure.
size_t weft_moved(void);

/// Writes the sentence for the last failure: what, on which address, why, and the cure:
/// "connect 127.0.0.1:7878: connection refused (is the server running?)".
///   buf  borrowed, always NUL-terminated if size > 0; cut if too small.
/// Returns the sentence's whole length; 0 and "" when nothing has failed.
int weft_explain(char *buf, size_t size);

/// For quick programs: evaluates the call, returns its result; a negative one prints FILE:LINE,
/// cause and cure to stderr and exits with status 1. The result has the call's own type: int of a
/// call that returns int, else ssize_t.
ssize_t weft_priv_must(ssize_t result, const char *call, const char *file, int line);
int weft_priv_must_int(int result, const char *call, const char *file, int line);

#ifndef __cplusplus
#define weft_must(call)                                                                            \
    _Generic((call), int                                                                           \
             : weft_priv_must_int, default                                                         \
             : weft_priv_must)((call), #call, __FILE__, __LINE__)
#else
#define weft_must(call) weft_priv_must_as((call), #call, __FILE__, __LINE__)
} // extern "C"

static inline ssize_t weft_priv_must_as(ssize_t result, const char *call, const char *file,
                                        int line) {
    return weft_priv_must(result, call, file, line);
}
static inline int weft_priv_must_as(int result, const char *call, const char *file, int line) {
    return weft_priv_must_int(result, call, file, line);
}
#endif

#pragma GCC visibility pop

#endif

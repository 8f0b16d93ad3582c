// SPDX-License-Identifier: MIT
//
// Calls made of several single operations: exact reads, whole writes, formatted writes. On streams
// only. Each single operation takes its own turn, so composites of two tasks may interleave.
#include "io/stream.h"

#include "os/os.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <weft/io.h>

enum { COUNT_MAX = 1024, WINDOW = 16, TEXT_SIZE = 1024 };

// What is left of the caller's buffers: from `offset` bytes into iov[0].
struct rest {
    const struct iovec *iov;
    int count;
    size_t offset;
};

static void advance(struct rest *rest, size_t size) {
    rest->offset += size;
    while (rest->count > 0 && rest->offset >= rest->iov->iov_len) {
        rest->offset -= rest->iov->iov_len;
        rest->iov++;
        rest->count--;
    }
}

// A copy of the next few, because the caller's own are borrowed and stay as they are.
static int window(const struct rest *rest, struct iovec *iov) {
    int count = rest->count < WINDOW ? rest->count : WINDOW;
    for (int i = 0; i < count; i++)
        iov[i] = rest->iov[i];
    iov[0].iov_base = (char *)iov[0].iov_base + rest->offset;
    iov[0].iov_len -= rest->offset;
    return count;
}

typedef ssize_t step(const char *name, int h, const struct iovec *iov, int count);

static ssize_t read_step(const char *name, int h, const struct iovec *iov, int count) {
    return weft__read(name, h, WEFT__KIND_STREAM, iov, count, 0);
}

static ssize_t write_step(const char *name, int h, const struct iovec *iov, int count) {
    return weft__write(name, h, WEFT__KIND_STREAM, iov, count);
}

// Nothing to move: only what is wrong with the handle is told.
static ssize_t nothing(const char *name, int h, int64_t result) {
    struct weft__call call;
    int error = weft__call_enter(&call, name, h, WEFT__KIND_STREAM);
    return error < 0 ? error : weft__call_end(&call, result);
}

static ssize_t stopped(const char *name, int h, ssize_t result, size_t moved) {
    struct weft__waiter *self = weft__self();
    if (!self)
        return result;
    if (result == 0 && moved > 0)
        result = weft__failed(self, name, h, -ENODATA);
    if (result < 0)
        self->failure->moved = moved;
    return result;
}

static ssize_t all(step *next, const char *name, int h, const struct iovec *given,
                   int given_count) {
    struct rest rest = {given, given_count, 0};
    struct iovec iov[WINDOW];
    size_t moved = 0;
    if (h < 0)
        return h;
    if (given_count < 0 || given_count > COUNT_MAX || (given_count > 0 && !given))
        return nothing(name, h, -EINVAL);
    advance(&rest, 0); // past empty buffers
    if (rest.count == 0)
        return nothing(name, h, 0);
    while (rest.count > 0) {
        int count = window(&rest, iov);
        ssize_t n = next(name, h, iov, count);
        if (n <= 0)
            return stopped(name, h, n, moved);
        moved += (size_t)n;
        advance(&rest, (size_t)n);
    }
    return (ssize_t)moved;
}

ssize_t weft_read_exact(int h, void *buf, size_t size) {
    struct iovec iov = {buf, size};
    return all(read_step, "read_exact", h, &iov, 1);
}

ssize_t weft_write_all(int h, const void *buf, size_t size) {
    struct iovec iov = {(void *)buf, size};
    return all(write_step, "write_all", h, &iov, 1);
}

ssize_t weft_readv_exact(int h, const struct iovec *iov, int count) {
    return all(read_step, "readv_exact", h, iov, count);
}

ssize_t weft_writev_all(int h, const struct iovec *iov, int count) {
    return all(write_step, "writev_all", h, iov, count);
}

static ssize_t write_text(int h, const char *text, int length) {
    struct iovec iov = {(void *)text, (size_t)length};
    return all(write_step, "printf", h, &iov, 1);
}

static ssize_t write_long(int h, int length, const char *format, va_list args) {
    char *text = weft__alloc((size_t)length + 1);
    if (!text)
        return nothing("printf", h, -ENOMEM);
    (void)vsnprintf(text, (size_t)length + 1, format, args);
    ssize_t result = write_text(h, text, length);
    weft__free(text);
    return result;
}

int weft_printf(int h, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list args, again;
    if (h < 0)
        return h;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(text, sizeof text, format, args);
    ssize_t result;
    if (length < 0)
        result = nothing("printf", h, -EINVAL);
    else if ((size_t)length < sizeof text)
        result = write_text(h, text, length);
    else
        result = write_long(h, length, format, again);
    va_end(again);
    va_end(args);
    return (int)result;
}

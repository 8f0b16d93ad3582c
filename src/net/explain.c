// SPDX-License-Identifier: MIT
//
// The sentence for the last failure, made on demand from the record: what, on which address, why,
// and the cure where there is one. Also weft_must, which prints it.
#include "base/text.h"
#include "io/call.h"
#include "os/os.h"
#include "task/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/error.h>
#include <weft/io.h>
#include <weft/task.h>

// The longest there can be: a subject all of escapes, four bytes for each, and the longest cure.
enum { SENTENCE_SIZE = 4 * WEFT__SUBJECT_SIZE + 256 };

// ---- Why, and the cure ----------------------------------------------------------------------

static const struct {
    const char *call; // NULL: any
    int code;
    const char *cure;
} cures[] = {
    {"connect", -ECONNREFUSED, "is the server running?"},
    {NULL, -ECONNREFUSED, "nobody receives at that port"},
    {"connect", -ETIMEDOUT, "is the address right, and does a firewall drop the packets?"},
    {NULL, -EADDRINUSE,
     "another program has that port, see ss -lntup; or one just ended still lets go: try again"},
    {"connect", -EADDRNOTAVAIL,
     "no local port is free, or the local address is not of this machine"},
    {NULL, -EADDRNOTAVAIL, "this machine has no such address: see ip addr, or use 0.0.0.0 or [::]"},
    {"listen", -EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose one above"},
    {"bind", -EACCES, "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose one above"},
    {"send_to", -EACCES, "for broadcast set weft_udp_options.broadcast"},
    {NULL, -ENETUNREACH, "no route leads there: see ip route"},
    {NULL, -EHOSTUNREACH, "no route leads there: see ip route"},
    {"send_to", -EAFNOSUPPORT, "the socket is of the other kind, IPv4 or IPv6"},
    {NULL, -EAFNOSUPPORT, "this machine does not have that kind of address"},
    {NULL, -EMFILE, "raise the limit of descriptors with ulimit -n, or close some"},
    {NULL, -ENFILE, "the whole system is out of descriptors: raise sysctl fs.file-max"},
    {NULL, -ENOMEM, "memory is short: see ulimit -v, the cgroup's limit, and vm.max_map_count"},
    {NULL, -EBADF, "it was closed, or it was never a handle: a file descriptor is none"},
    {NULL, -ENOTSUP, "this call is not for that kind of handle"},
    {NULL, -EPIPE, "the peer no longer reads, or we have shut down writing"},
    {NULL, -ECONNRESET, "the peer broke the connection"},
    {NULL, -EMSGSIZE, "the datagram does not fit"},
    {NULL, -EDESTADDRREQ, "give a peer, or connect the socket"},
    {NULL, -ENODATA, "the stream ended before all bytes had come"},
    {NULL, -EFAULT, "is a buffer larger than the task's stack? then raise stack_size"},
    {"join", -EFAULT,
     "a task answered that; is a buffer larger than its stack? then raise stack_size"},
    {NULL, -ECHILD, "after fork, call weft_start in the child first"},
    {"go", -EINVAL, "the scope or the function is NULL, or an option is out of range"},
    {"go", -EBUSY, "the scope is being joined, and the caller is none of its tasks"},
    {"lock", -EDEADLK, "the caller holds the mutex already"},
    {"join", -EPERM, "only who used the scope first joins it"},
    {"stop", -EPERM,
     "only task zero, the thread that started the runtime, stops it; with own_threads, any plain "
     "one"},
    {"stop", -EBUSY, "another thread stops it already"},
    {"start", -EAGAIN, "no thread for a worker: raise ulimit -u, or ask for fewer workers"},
    {NULL, -EALREADY, "call weft_stop first"},
    {"start", -EPERM, "the sysctl kernel.io_uring_disabled or a seccomp profile forbids it"},
    {"start", -EACCES, "a security module or a seccomp profile forbids it"},
    {"start", -ENOSYS, "this kernel has none: use WEFT_DRIVER=auto or epoll"},
    {NULL, -WEFT_ENAME, "check the spelling"},
    {NULL, -WEFT_ENAMEFAIL, "try again; does the resolver in /etc/resolv.conf answer?"},
};

static const char *cure_of(const struct weft__failure *failure) {
    if (failure->detail)
        return failure->detail;
    if (failure->is_deadline)
        return NULL;
    bool is_join = strcmp(failure->call, "join") == 0;
    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++)
        if (cures[i].code == failure->code &&
            (cures[i].call ? strcmp(cures[i].call, failure->call) == 0 : !is_join))
            return cures[i].cure;
    return is_join && failure->code != -EINVAL ? "a task of the scope answered that" : NULL;
}

static const char *why(const struct weft__failure *failure) {
    if (failure->code == -ETIMEDOUT && failure->is_deadline)
        return "the deadline passed";
    if (failure->code == -ECANCELED)
        return "canceled";
    if (failure->code == -ENOENT && strcmp(failure->call, "stop") == 0)
        return "no runtime runs";
    return weft_strerror(failure->code);
}

// ---- On what --------------------------------------------------------------------------------

static void put_addr(struct weft__text *text, const weft_addr *addr) {
    char buf[WEFT_ADDR_TEXT_SIZE];
    weft__text_put(text, " ");
    weft__text_put(text, weft_addr_text(addr, buf));
}

// The text of a failed weft_start is the note of driver/choose.c: the cause is in it, and what came
// from outside is escaped already.
static bool has_told_why(const struct weft__failure *failure) {
    return strcmp(failure->call, "start") == 0 && failure->text[0] != '\0';
}

static void put_subject(struct weft__text *text, const struct weft__failure *failure) {
    weft_addr addr = {{0}};
    if (failure->has_addr) {
        put_addr(text, &failure->addr);
    } else if (has_told_why(failure)) {
        weft__text_putf(text, ": %s", failure->text);
    } else if (failure->text[0] != '\0') {
        weft__text_put(text, " ");
        weft__text_put_escaped(text, failure->text, strlen(failure->text));
    } else if (failure->handle > 0 && weft__handle_addr(failure->handle, &addr)) {
        put_addr(text, &addr);
    } else if (failure->handle > 0) {
        weft__text_putf(text, " handle %d", failure->handle);
    }
}

static void put_task(struct weft__text *text, const struct weft__failure *failure) {
    if (!failure->is_joined)
        return;
    weft__text_put(text, "join: ");
    if (failure->task[0] == '\0')
        return;
    weft__text_put(text, "task ");
    weft__text_put_escaped(text, failure->task, strlen(failure->task));
    weft__text_put(text, ": ");
}

// ---- Public ---------------------------------------------------------------------------------

int weft_explain(char *buf, size_t size) {
    char sentence[SENTENCE_SIZE];
    struct weft__text text;
    struct weft__waiter *self = weft__self();
    weft__text_init(&text, sentence, sizeof sentence);
    if (self && self->failure->call) {
        const char *cure = cure_of(self->failure);
        put_task(&text, self->failure);
        weft__text_put(&text, self->failure->call);
        put_subject(&text, self->failure);
        if (!has_told_why(self->failure))
            weft__text_putf(&text, ": %s", why(self->failure));
        if (cure)
            weft__text_putf(&text, " (%s)", cure);
    }
    if (size > 0) {
        size_t length = text.length < size - 1 ? text.length : size - 1;
        memcpy(buf, sentence, length);
        buf[length] = '\0';
    }
    return (int)text.length;
}

ssize_t weft_priv_must(ssize_t result, const char *call, const char *file, int line) {
    if (result >= 0)
        return result;
    struct weft__waiter *self = weft__self();
    char sentence[SENTENCE_SIZE];
    if (self && self->failure->call && self->failure->code == result)
        (void)weft_explain(sentence, sizeof sentence);
    else
        (void)snprintf(sentence, sizeof sentence, "%s: %s", call, weft_strerror(result));
    fprintf(stderr, "weft: %s:%d: %s\n", file, line, sentence);
    exit(EXIT_FAILURE);
}

int weft_priv_must_int(int result, const char *call, const char *file, int line) {
    return (int)weft_priv_must(result, call, file, line);
}

const char *weft_driver_name(void) {
    struct weft__waiter *self = weft__self();
    return self ? self->driver->class->name : "thread";
}

const char *weft_version(void) {
    return "0.1.0";
}

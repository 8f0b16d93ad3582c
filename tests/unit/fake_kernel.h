// SPDX-License-Identifier: MIT
// An older, smaller or unwilling kernel, played by functions of liburing's names that stand before
// liburing's own. Included once by a test program. A kernel that refuses system calls for real is
// in test_refused.c.
#ifndef TESTS_UNIT_FAKE_KERNEL_H
#define TESTS_UNIT_FAKE_KERNEL_H

#include <dlfcn.h>

#include "uring_tools.h"

// What this kernel will not do; zeroed it is the real one.
static struct {
    unsigned refused_setup_flags;   // -EINVAL, as unknown flags are
    unsigned refused_enter_flags;   // likewise
    unsigned missing_features;      //
    int missing_opcode;             // 0: none (NOP is never missing)
    int setup_error, enter_error;   // of every call
    int plain_error;                // of a setup without flags
    int probe_error, ring_fd_error; //
    int small_setups;               // so many setups answer -ENOMEM
    uint64_t failing_enter;         // the n-th one answers enter_error
    int full_error;                 // of a call that only submits
    bool is_asleep;                 // entering answers 0 and does nothing
    bool is_garbling;               // what is sent arrives as something else
    uint64_t setups, enters;        // calls so far
} kernel;

static inline void *real(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    assert_non_null(function);
    return function;
}

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                               struct io_uring_params *params) {
    int (*call)(unsigned, struct io_uring *, struct io_uring_params *);
    *(void **)&call = real(__func__);
    kernel.setups++;
    if (kernel.setup_error != 0)
        return kernel.setup_error;
    if ((params->flags & kernel.refused_setup_flags) != 0)
        return -EINVAL;
    if (kernel.small_setups > 0 && kernel.small_setups-- > 0)
        return -ENOMEM;
    int result = call(entries, ring, params);
    ring->features &= ~kernel.missing_features;
    return result;
}

int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags) {
    int (*call)(unsigned, struct io_uring *, unsigned);
    *(void **)&call = real(__func__);
    return kernel.plain_error != 0 ? kernel.plain_error : call(entries, ring, flags);
}

int io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe, unsigned count) {
    int (*call)(struct io_uring *, struct io_uring_probe *, unsigned);
    *(void **)&call = real(__func__);
    int result = kernel.probe_error != 0 ? kernel.probe_error : call(ring, probe, count);
    if (result >= 0 && kernel.missing_opcode != 0)
        probe->ops[kernel.missing_opcode].flags = 0;
    return result;
}

int io_uring_register_ring_fd(struct io_uring *ring) {
    int (*call)(struct io_uring *);
    *(void **)&call = real(__func__);
    return kernel.ring_fd_error != 0 ? kernel.ring_fd_error : call(ring);
}

int io_uring_enter2(unsigned fd, unsigned count, unsigned wait, unsigned flags, sigset_t *arg,
                    size_t size) {
    int (*call)(unsigned, unsigned, unsigned, unsigned, sigset_t *, size_t);
    *(void **)&call = real(__func__);
    kernel.enters++;
    if (kernel.is_asleep)
        return 0;
    if (kernel.failing_enter == 0 || kernel.failing_enter == kernel.enters) {
        if (kernel.enter_error != 0)
            return kernel.enter_error;
    }
    if ((flags & kernel.refused_enter_flags) != 0)
        return -EINVAL;
    if ((flags & IORING_ENTER_GETEVENTS) == 0 && kernel.full_error != 0)
        return kernel.full_error;
    return call(fd, count, wait, flags, arg, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    static const char garbage[64];
    bool is_garbled = kernel.is_garbling && size <= sizeof garbage;
    return sendto(fd, is_garbled ? garbage : data, size, flags, NULL, 0);
}

static inline int start_real_case(void **state) {
    memset(&kernel, 0, sizeof kernel);
    return start_case(state);
}

#define KERNEL_CASE(fn) cmocka_unit_test_setup_teardown(fn, start_real_case, stop_case)

static inline void assert_works(void) {
    struct pair pair = open_pair();
    char byte = 0;
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, &byte, 1);
    submit(&call);
    d->class->wait(d, 0);
    assert_int_equal(write_text(pair.client, "w"), 1);
    for (int64_t until = now_ns() + PATIENCE_NS; call.op.is_pending;) {
        assert_true(now_ns() < until);
        d->class->wait(d, 0); // looking is enough
    }
    assert_int_equal(byte, 'w');
    close_pair(pair);
}

#endif

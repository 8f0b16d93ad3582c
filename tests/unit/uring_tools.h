// SPDX-License-Identifier: MIT
// What the tests of the io_uring driver's files share: a driver to look into, and the counts of its
// requests. Where io_uring does not start they are skipped.
#ifndef TESTS_UNIT_URING_TOOLS_H
#define TESTS_UNIT_URING_TOOLS_H

#include <stdio.h>

#include "driver/uring.h"
#include "driver_tools.h"

static inline int start_uring(struct weft__driver **ret_driver) {
    return weft__uring_start(ret_driver, NULL);
}

static const struct contract uring_contract = {
    .name = "uring", .start = start_uring, .is_real = true};

static inline struct weft__uring *uring(void) {
    return WEFT__CONTAINER(d, struct weft__uring, driver);
}

static inline uint64_t requests(uint8_t opcode) {
    return d->stats.sqe[opcode];
}

static inline uint64_t requests_of_all_kinds(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i < 256; i++)
        sum += d->stats.sqe[i];
    return sum;
}

static inline int64_t try_read(struct sock s, void *buf, size_t size) {
    struct call call;
    prepare_io(&call, WEFT__OP_READ, s, buf, size);
    return d->class->try(d, &call.op);
}

// Leaves `left` of the bytes "0123456789" in the connection, the last read having been a request.
static inline void read_all_but(struct pair pair, size_t left) {
    char buf[10];
    assert_int_equal(write_text(pair.client, "0123456789"), 10);
    struct call call;
    prepare_io(&call, WEFT__OP_READ, pair.server, buf, 10 - left);
    submit(&call);
    await_done(&call);
    assert_int_equal(call.op.result, 10 - left);
}

static inline int skip_without_uring(void) {
    contract = &uring_contract;
    int error = start_uring(&d);
    if (error == 0) {
        d->class->stop(d);
        return 0;
    }
    printf("SKIPPED: io_uring does not start here: error %d\n", -error);
    return 77;
}

#endif

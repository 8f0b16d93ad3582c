// SPDX-License-Identifier: MIT
// The ladder of io_uring: set up a ring, drop the flags that are refused and can be spared, ask for
// the opcodes, then see that requests really complete, wait and can be cancelled. No version is
// looked at and no errno is special but ENOMEM: whatever fails, the answer is a refusal that names
// the step, and nothing is left behind.
// Not here: what to use instead (choose.c).
#include "driver/uring.h"

#include "base/assert.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// Small, because its pages count against RLIMIT_MEMLOCK. A full queue costs a system call, not an
// error, and completions that do not fit are kept by the kernel (IORING_FEAT_NODROP).
enum { SQ_COUNT = 256, CQ_COUNT = 4096 };

// Without these a ring costs more than epoll does, so there is no going on without them.
static const unsigned needed_flags =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;

static const unsigned optional_flags[] = {
    IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_SUBMIT_ALL,
    0,
};

static const unsigned needed_features =
    IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL | IORING_FEAT_CQE_SKIP;

static const struct {
    uint8_t opcode;
    const char *why;
} needed_opcodes[] = {
    {IORING_OP_NOP, "no IORING_OP_NOP"},
    {IORING_OP_POLL_ADD, "no IORING_OP_POLL_ADD"},
    {IORING_OP_RECV, "no IORING_OP_RECV"},
    {IORING_OP_SEND, "no IORING_OP_SEND"},
    {IORING_OP_RECVMSG, "no IORING_OP_RECVMSG"},
    {IORING_OP_SENDMSG, "no IORING_OP_SENDMSG"},
    {IORING_OP_ACCEPT, "no IORING_OP_ACCEPT"},
    {IORING_OP_CONNECT, "no IORING_OP_CONNECT"},
    {IORING_OP_ASYNC_CANCEL, "no IORING_OP_ASYNC_CANCEL"},
};

// --- Setting up ---

static int set_up(struct weft__uring *u, unsigned flags, unsigned divisor) {
    struct io_uring_params params = {.flags = flags, .cq_entries = CQ_COUNT / divisor};
    memset(&u->ring, 0, sizeof u->ring);
    return io_uring_queue_init_params(SQ_COUNT / divisor, &u->ring, &params);
}

// Tells a kernel that is too old from one that refuses io_uring as such.
static bool works_without_deferral(void) {
    struct io_uring ring;
    if (io_uring_queue_init(1, &ring, 0) < 0)
        return false;
    io_uring_queue_exit(&ring);
    return true;
}

// The result of the last rung is the refusal: when io_uring as such is refused, all say the same.
static int set_up_ladder(struct weft__uring *u, const char **ret_why) {
    unsigned divisor = 1;
    int result = -EINVAL;
    *ret_why = "io_uring_setup";
    for (size_t i = 0; i < sizeof optional_flags / sizeof *optional_flags; i++) {
        result = set_up(u, needed_flags | optional_flags[i], divisor);
        if (result == -ENOMEM && divisor == 1)
            result = set_up(u, needed_flags | optional_flags[i], divisor = 2);
        u->has_task_flag = (optional_flags[i] & IORING_SETUP_TASKRUN_FLAG) != 0;
        if (result >= 0)
            return 0;
    }
    if (!works_without_deferral())
        return result;
    *ret_why = "no IORING_SETUP_DEFER_TASKRUN";
    return -EOPNOTSUPP;
}

// --- Asking ---

static int ask_features(struct weft__uring *u, const char **ret_why) {
    *ret_why = "no NODROP, EXT_ARG, FAST_POLL or CQE_SKIP";
    return (u->ring.features & needed_features) == needed_features ? 0 : -EOPNOTSUPP;
}

// On the stack, because liburing's twin of this allocates behind our back.
static int ask_opcodes(struct weft__uring *u, const char **ret_why) {
    enum { OPCODES = 256 };
    union {
        struct io_uring_probe probe;
        char room[sizeof(struct io_uring_probe) + OPCODES * sizeof(struct io_uring_probe_op)];
    } list;
    memset(&list, 0, sizeof list);
    *ret_why = "io_uring_register (list of opcodes)";
    int result = io_uring_register_probe(&u->ring, &list.probe, OPCODES);
    if (result < 0)
        return result;
    for (size_t i = 0; i < sizeof needed_opcodes / sizeof *needed_opcodes; i++) {
        *ret_why = needed_opcodes[i].why;
        if (!io_uring_opcode_supported(&list.probe, needed_opcodes[i].opcode))
            return -EOPNOTSUPP;
    }
    return 0;
}

// --- Seeing that it works ---

// Static, because after a failure the kernel may still hold the request and write here late.
static char probe_bytes[8];
static const char probe_text[] = "weft";

static struct io_uring_sqe *probe_sqe(struct weft__uring *u) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    ASSERT(sqe != NULL); // a new ring has room
    return sqe;
}

static void queue_recv(struct weft__uring *u, int fd) {
    struct io_uring_sqe *sqe = probe_sqe(u);
    io_uring_prep_recv(sqe, fd, probe_bytes, sizeof probe_bytes, 0);
    io_uring_sqe_set_data64(sqe, WEFT__URING_NAME_PROBE);
}

// Waits for the completion of `name`, which has to have the result `expected`. A second is far more
// than a request that can complete needs.
static int expect(struct weft__uring *u, uint64_t name, int expected) {
    int64_t until_ns = weft__clock_monotonic_ns() + 1000000000;
    for (;;) {
        struct io_uring_cqe cqe;
        while (weft__uring_next(u, &cqe)) {
            if (cqe.user_data == name)
                return cqe.res == expected ? 0 : cqe.res < 0 ? cqe.res : -EIO;
        }
        int entered = weft__uring_enter(u, until_ns);
        if (entered < 0 && entered != -EINTR)
            return entered;
        if (weft__clock_monotonic_ns() >= until_ns)
            return -ETIME; // entering answers, and does nothing
    }
}

// A request that completes at its submission.
static int test_nop(struct weft__uring *u) {
    struct io_uring_sqe *sqe = probe_sqe(u);
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, WEFT__URING_NAME_PROBE);
    return expect(u, WEFT__URING_NAME_PROBE, 0);
}

// The data comes after the request, so that it has to wait on a descriptor that does not block.
static int test_recv(struct weft__uring *u, const int pair[2]) {
    queue_recv(u, pair[0]);
    int entered = weft__uring_enter(u, 0);
    if (entered < 0)
        return entered;
    if (send(pair[1], probe_text, sizeof probe_text, MSG_NOSIGNAL) != sizeof probe_text)
        return -errno;
    int result = expect(u, WEFT__URING_NAME_PROBE, sizeof probe_text);
    if (result < 0)
        return result;
    return memcmp(probe_bytes, probe_text, sizeof probe_text) == 0 ? 0 : -EIO;
}

// With the flag that spares the cancellation's own completion, as the driver uses it.
static int test_cancel(struct weft__uring *u, const int pair[2]) {
    queue_recv(u, pair[0]);
    int entered = weft__uring_enter(u, 0);
    if (entered < 0)
        return entered;
    struct io_uring_sqe *sqe = probe_sqe(u);
    io_uring_prep_cancel64(sqe, WEFT__URING_NAME_PROBE, 0);
    io_uring_sqe_set_data64(sqe, WEFT__URING_NAME_CANCEL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    return expect(u, WEFT__URING_NAME_PROBE, -ECANCELED);
}

static int test_pair(struct weft__uring *u, const int pair[2], const char **ret_why) {
    *ret_why = "test of RECV";
    int result = test_recv(u, pair);
    if (result < 0)
        return result;
    *ret_why = "test of ASYNC_CANCEL";
    return test_cancel(u, pair);
}

static int test_all(struct weft__uring *u, const char **ret_why) {
    *ret_why = "io_uring_enter (test of NOP)";
    int result = test_nop(u);
    if (result < 0)
        return result;
    int pair[2];
    *ret_why = "socketpair (for the test of RECV)";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    result = test_pair(u, pair, ret_why);
    close(pair[0]);
    close(pair[1]);
    return result;
}

// --- What is better with, and works without ---

// Where the kernel takes a moment, a wait with a deadline reads no clock. It proves that with one
// that is long past; an older one refuses the flag.
static void improve_timer(struct weft__uring *u) {
    u->timer_flags = IORING_ENTER_ABS_TIMER;
    if (weft__uring_enter(u, 1) != -ETIME)
        u->timer_flags = 0;
}

// Enter without a look-up in the table of descriptors; without the mark of waiting for a disk; and
// without a copy of the ring in the children of fork(2), which may not use it. Its waits have no
// slack of their own: they get the thread's, which epoll's have.
static void improve(struct weft__uring *u) {
    if (io_uring_register_ring_fd(&u->ring) == 1)
        u->enter_flags |= IORING_ENTER_REGISTERED_RING;
    if ((u->ring.features & IORING_FEAT_NO_IOWAIT) != 0)
        u->enter_flags |= IORING_ENTER_NO_IOWAIT;
    (void)io_uring_ring_dontfork(&u->ring);
    int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    u->slack_ns = slack > 0 ? slack : 0;
}

static int check_ring(struct weft__uring *u, const char **ret_why) {
    int result = ask_features(u, ret_why);
    if (result >= 0)
        result = ask_opcodes(u, ret_why);
    if (result >= 0)
        improve(u); // before the test, which is to test what will be used
    if (result >= 0)
        result = test_all(u, ret_why);
    if (result >= 0)
        improve_timer(u);
    return result;
}

int weft__uring_open(struct weft__uring *u, const char **ret_why) {
    int result = set_up_ladder(u, ret_why);
    if (result < 0)
        return result;
    result = check_ring(u, ret_why);
    if (result < 0)
        io_uring_queue_exit(&u->ring);
    return result;
}

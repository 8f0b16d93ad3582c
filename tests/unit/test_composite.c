// SPDX-License-Identifier: MIT
// Unit tests of io/composite.c: exact reads, whole writes and formatted ones, over a driver that
// moves as much as the test says, from or to bytes that can be recognised.
#include "fake_driver.h"

#include <sys/uio.h>
#include <wchar.h>

// A driver at whose other end are endless recognisable bytes, of which each attempt moves at most
// so many as the next entry of the plan says; 0: an end of stream; negative: an error.
enum { PLAN_MAX = 2000 };
static int64_t plan[PLAN_MAX];
static size_t plan_count, plan_at, moved_total, most_pieces;
static int conn;

static size_t move(const struct weft__op *op, size_t limit) {
    size_t moved = 0;
    for (size_t i = 0; i < op->count && moved < limit; i++) {
        size_t size = op->iov[i].iov_len < limit - moved ? op->iov[i].iov_len : limit - moved;
        if (op->kind == WEFT__OP_READ)
            bytes_fill(op->iov[i].iov_base, size, moved_total + moved);
        else
            assert_true(bytes_are_right(op->iov[i].iov_base, size, moved_total + moved));
        moved += size;
    }
    moved_total += moved;
    return moved;
}

static int64_t follow_plan(struct fake *f, struct weft__op *op) {
    (void)f;
    most_pieces = op->count > most_pieces ? op->count : most_pieces;
    if (plan_at == plan_count)
        return (int64_t)move(op, SIZE_MAX);
    int64_t next = plan[plan_at++];
    return next > 0 ? (int64_t)move(op, (size_t)next) : next;
}

static void set_plan(const int64_t *list, size_t count) {
    memcpy(plan, list, count * sizeof *list);
    plan_count = count;
    plan_at = moved_total = 0;
}

#define plan_is(...)                                                                               \
    set_plan((const int64_t[]){__VA_ARGS__}, sizeof(const int64_t[]){__VA_ARGS__} / sizeof(int64_t))

static int plan_begin(void **state) {
    fake_begin(state);
    fake.on_try = follow_plan;
    plan_count = plan_at = moved_total = most_pieces = 0;
    conn = fake_handle(WEFT__KIND_STREAM);
    return 0;
}

static int plan_end(void **state) {
    (void)weft_close(conn);
    return fake_end(state);
}

#define CASE_OF_PLAN(fn) cmocka_unit_test_setup_teardown(fn, plan_begin, plan_end)

static unsigned char buf[4096];

// ---- Exactly, or an error with what moved ---------------------------------------------------

static void all_is_moved_however_small_the_pieces(void **state) {
    (void)state;
    plan_is(1, 2, 3, 50);
    expect(weft_read_exact(conn, buf, 100), 100);
    assert_true(bytes_are_right(buf, 100, 0));
    plan_is(1, 2, 3, 50);
    expect(weft_write_all(conn, buf, 100), 100);
    assert_int_equal(moved_total, 100);
}

static void a_clean_end_is_zero_and_an_end_inside_is_enodata(void **state) {
    (void)state;
    plan_is(0);
    expect(weft_read_exact(conn, buf, 10), 0);
    plan_is(4, 0);
    expect(weft_read_exact(conn, buf, 10), -ENODATA);
    expect(weft_moved(), 4);
    expect_explained("read_exact");
    plan_is(9, 0);
    expect(weft_readv_exact(conn, &(struct iovec){buf, 10}, 1), -ENODATA);
    expect(weft_moved(), 9);
    expect_explained("readv_exact");
}

static void after_an_error_moved_says_how_much_was(void **state) {
    (void)state;
    plan_is(3, 4, -ENOMEM);
    expect(weft_read_exact(conn, buf, 10), -ENOMEM);
    expect(weft_moved(), 7);
    plan_is(-ENOMEM);
    expect(weft_read_exact(conn, buf, 10), -ENOMEM);
    expect(weft_moved(), 0);
    plan_is(6, -EPIPE);
    expect(weft_write_all(conn, buf, 0), 0);
    bytes_fill(buf, 10, 0);
    expect(weft_write_all(conn, buf, 10), -EPIPE);
    expect(weft_moved(), 6);
    expect_explained("write_all");
    expect(weft_read(conn, buf, 0), -EINVAL); // a single call moves nothing and fails
    expect(weft_moved(), 0);
}

static void a_deadline_in_the_middle_reports_what_had_moved(void **state) {
    (void)state;
    plan_is(3, -EAGAIN);
    weft_within(WEFT_SECOND);
    expect(weft_read_exact(conn, buf, 10), -ETIMEDOUT);
    expect(weft_timed_out(), 1);
    expect(weft_moved(), 3);
    expect(weft_read_exact(conn, buf, 10), -ETIMEDOUT);
    expect(weft_moved(), 0);
}

static int close_conn(void *arg) {
    (void)arg;
    return weft_close(conn);
}

static void a_close_in_the_middle_reports_what_had_moved(void **state) {
    (void)state;
    weft_scope scope = {0};
    plan_is(3, -EAGAIN);
    expect(weft_go(&scope, close_conn, NULL), 0);
    expect(weft_read_exact(conn, buf, 10), -EBADF);
    expect(weft_moved(), 3);
    expect(weft_join(&scope), 0);
}

static void nothing_to_move_only_tells_what_is_wrong_with_the_handle(void **state) {
    (void)state;
    struct iovec empty[3] = {{buf, 0}, {buf, 0}, {NULL, 0}};
    expect(weft_read_exact(conn, NULL, 0), 0);
    expect(weft_write_all(conn, NULL, 0), 0);
    expect(weft_readv_exact(conn, NULL, 0), 0);
    expect(weft_writev_all(conn, empty, 3), 0);
    expect(weft_printf(conn, "%s", ""), 0);
    expect(weft_readv_exact(conn, empty, -1), -EINVAL);
    expect(weft_writev_all(conn, empty, 1025), -EINVAL);
    expect(weft_writev_all(conn, NULL, 1), -EINVAL);
    expect_explained("writev_all");
    expect(weft_read_exact(conn, buf, SIZE_MAX), -EINVAL);
    assert_int_equal(fake.driver.stats.tries, 0);
    int h = conn;
    expect(weft_close(conn), 0);
    expect(weft_read_exact(h, NULL, 0), -EBADF);
    expect(weft_writev_all(h, empty, 3), -EBADF);
    expect(weft_writev_all(h, empty, -1), -EBADF);
}

// ---- Over many buffers ----------------------------------------------------------------------

// Random vectors, with empty pieces anywhere, moved by random steps.
static void random_vectors_are_moved_whole(void **state) {
    (void)state;
    static struct iovec iov[1024], given[1024];
    static unsigned char space[1024 * 8];
    struct dice dice = {3};
    for (size_t n = 0; n < times(600); n++) {
        int count = 1 + (int)dice_roll(&dice, n % 10 == 0 ? 1024 : 70);
        size_t size = 0;
        for (int i = 0; i < count; i++) {
            size_t length = dice_roll(&dice, 3) ? dice_roll(&dice, 8) : 0;
            given[i] = iov[i] = (struct iovec){space + size, length};
            size += length;
        }
        plan_count = dice_roll(&dice, PLAN_MAX);
        plan_at = moved_total = 0;
        for (size_t i = 0; i < plan_count; i++)
            plan[i] = 1 + (int64_t)dice_roll(&dice, 40);
        memset(space, 0, sizeof space);
        expect(weft_readv_exact(conn, iov, count), size);
        assert_true(bytes_are_right(space, size, 0));
        plan_at = moved_total = 0;
        expect(weft_writev_all(conn, iov, count), size);
        assert_int_equal(moved_total, size);
        assert_memory_equal(iov, given, (size_t)count * sizeof *iov); // borrowed, not used up
    }
    assert_true(most_pieces <= WEFT__IOV_MAX);
}

// The vectors' end and the steps' end fall together in every way.
static void every_split_of_a_small_vector_is_moved_whole(void **state) {
    (void)state;
    for (size_t first = 0; first <= 6; first++) {
        for (int64_t step = 1; step <= 7; step++) {
            struct iovec iov[] = {{buf, 0}, {buf, first}, {buf, 0}, {buf + first, 6 - first}};
            int64_t steps[] = {step, step, step, step, step, step};
            set_plan(steps, 6);
            memset(buf, 0, 8);
            expect(weft_readv_exact(conn, iov, 4), 6);
            assert_true(bytes_are_right(buf, 6, 0));
        }
    }
}

// ---- Formatted ------------------------------------------------------------------------------

static char written[8192];
static size_t written_size;

static int64_t keep_text(struct fake *f, struct weft__op *op) {
    (void)f;
    size_t size = 0;
    for (size_t i = 0; i < op->count; i++) {
        assert_true(written_size + op->iov[i].iov_len < sizeof written);
        memcpy(written + written_size, op->iov[i].iov_base, op->iov[i].iov_len);
        written_size += op->iov[i].iov_len;
        size += op->iov[i].iov_len;
    }
    written[written_size] = '\0';
    return (int64_t)size;
}

static void text_of_any_length_is_written(void **state) {
    (void)state;
    fake.on_try = keep_text;
    static char text[4000];
    size_t living = weft__alloc_living();
    for (size_t length = 1; length < sizeof text;
         length += length < 1000 || length > 1040 ? 37 : 1) {
        memset(text, 'a' + (int)(length % 26), length);
        text[length] = '\0';
        written_size = 0;
        expect(weft_printf(conn, "%s", text), length);
        assert_string_equal(written, text);
    }
    written_size = 0;
    expect(weft_printf(conn, "%d-%5.2f-%c", -7, 3.14159, 'x'), 10);
    assert_string_equal(written, "-7- 3.14-x");
    assert_int_equal(weft__alloc_living(), living);
}

static void long_text_needs_memory_and_short_text_none(void **state) {
    (void)state;
    fake.on_try = keep_text;
    size_t living = weft__alloc_living();
    written_size = 0;
    fault_every("alloc", 1, -ENOMEM);
    expect(weft_printf(conn, "%01023d", 0), 1023);
    assert_int_equal(written_size, 1023);
    expect(weft_printf(conn, "%01024d", 0), -ENOMEM);
    expect(weft_moved(), 0);
    expect_explained("printf");
    assert_int_equal(written_size, 1023);
    fault_none();
    expect(weft_printf(conn, "%01024d", 0), 1024);
    assert_int_equal(weft__alloc_living(), living);
}

static void a_format_that_fails_is_einval(void **state) {
    (void)state;
    expect(weft_printf(conn, "%ls", (wchar_t[]){0x110000, 0}), -EINVAL); // no character
    expect_explained("printf");
}

static void a_write_that_fails_is_the_printfs_failure(void **state) {
    (void)state;
    static char text[2000];
    bytes_fill(text, sizeof text, 0);
    for (size_t i = 0; i < sizeof text; i++)
        if (text[i] == '\0' || text[i] == '%')
            text[i] = 'x';
    text[sizeof text - 1] = '\0';
    size_t living = weft__alloc_living();
    fault_nth("write", 1, -EPIPE);
    expect(weft_printf(conn, "%s", text), -EPIPE);
    expect_explained("printf");
    assert_int_equal(weft__alloc_living(), living);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE_OF_PLAN(all_is_moved_however_small_the_pieces),
        CASE_OF_PLAN(a_clean_end_is_zero_and_an_end_inside_is_enodata),
        CASE_OF_PLAN(after_an_error_moved_says_how_much_was),
        CASE_OF_PLAN(a_deadline_in_the_middle_reports_what_had_moved),
        CASE_OF_PLAN(a_close_in_the_middle_reports_what_had_moved),
        CASE_OF_PLAN(nothing_to_move_only_tells_what_is_wrong_with_the_handle),
        CASE_OF_PLAN(random_vectors_are_moved_whole),
        CASE_OF_PLAN(every_split_of_a_small_vector_is_moved_whole),
        CASE_OF_PLAN(text_of_any_length_is_written),
        CASE_OF_PLAN(long_text_needs_memory_and_short_text_none),
        CASE_OF_PLAN(a_format_that_fails_is_einval),
        CASE_OF_PLAN(a_write_that_fails_is_the_printfs_failure),
    };
    return RUN(cases);
}

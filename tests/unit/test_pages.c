// SPDX-License-Identifier: MIT
// Pages: reserving, giving back, and guards, which are judged by what they do to an access.
#include "os/pages.h"

#include "in_child.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include <cmocka.h>

static int tear_down(void **state) {
    (void)state;
    weft__fail_disarm();
    return 0;
}

static char *reserve(size_t size) {
    void *base = NULL;
    assert_int_equal(weft__pages_reserve(size, &base), 0);
    assert_non_null(base);
    return base;
}

// What write(2) says to one byte at `page`: 1 or -errno.
static int send_byte(const void *page) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    ssize_t size = write(fds[1], page, 1);
    int result = size < 0 ? -errno : (int)size;
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
    return result;
}

static void touch(void *page) {
    *(volatile char *)page = 1;
}

static void page_size_is_a_power_of_two(void **state) {
    (void)state;
    size_t size = weft__pages_size();
    assert_true(size >= 4096);
    assert_int_equal(size & (size - 1), 0);
}

static void reserved_pages_are_zero_and_writable(void **state) {
    (void)state;
    size_t size = 64 * weft__pages_size();
    char *base = reserve(size);
    assert_int_equal((uintptr_t)base % weft__pages_size(), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(base[i], 0);
    for (size_t i = 0; i < size; i += 512)
        base[i] = (char)(i / 512);
    for (size_t i = 0; i < size; i += 512)
        assert_int_equal(base[i], (char)(i / 512));
    weft__pages_release(base, size);
}

static void reservation_is_address_space_and_not_memory(void **state) {
    (void)state;
    size_t page = weft__pages_size(), size = 256 * page;
    char *base = reserve(size);
    unsigned char is_resident[256];
    touch(base + 7 * page);
    assert_int_equal(mincore(base, size, is_resident), 0);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(is_resident[i] & 1, i == 7);
    weft__pages_release(base, size);
}

static void discarded_pages_read_as_zero_and_hold_no_memory(void **state) {
    (void)state;
    size_t page = weft__pages_size();
    char *base = reserve(4 * page);
    for (int i = 0; i < 4; i++)
        touch(base + (size_t)i * page);
    weft__pages_discard(base + page, 2 * page);
    unsigned char is_resident[4];
    assert_int_equal(mincore(base, 4 * page, is_resident), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(is_resident[i] & 1, i == 0 || i == 3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(base[(size_t)i * page], i == 0 || i == 3);
    weft__pages_release(base, 4 * page);
}

static void more_than_the_address_space_is_refused(void **state) {
    (void)state;
    void *base = (void *)state;
    size_t size = SIZE_MAX / 2 / weft__pages_size() * weft__pages_size();
    assert_true(weft__pages_reserve(size, &base) < 0); // which error is the kernel's to say
    assert_ptr_equal(base, state);
}

static void injected_failure_is_returned_and_reserves_nothing(void **state) {
    (void)state;
    void *base = (void *)state;
    weft__fail_arm(WEFT__FAIL_PAGES, 1, 0, -ENOMEM);
    assert_int_equal(weft__pages_reserve(weft__pages_size(), &base), -ENOMEM);
    assert_ptr_equal(base, state);
    weft__pages_release(reserve(weft__pages_size()), weft__pages_size());
}

// A guard of one page in the middle of three: it faults, the neighbours do not, a discard leaves
// it.
static void expect_guard(enum weft__guard method) {
    size_t page = weft__pages_size();
    char *base = reserve(3 * page);
    assert_int_equal(weft__pages_guard(base + page, page, method), 0);
    touch(base + page - 1);
    touch(base + 2 * page);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(send_byte(base + page - 1), 1);
        assert_int_equal(send_byte(base + page), -EFAULT);
        assert_int_equal(send_byte(base + 2 * page - 1), -EFAULT);
        assert_int_equal(send_byte(base + 2 * page), 1);
        assert_int_equal(signal_that_ends_child(touch, base + page), SIGSEGV);
        weft__pages_discard(base, 3 * page);
    }
    weft__pages_release(base, 3 * page);
    weft__pages_guards_gone(1, method);
}

static void guard_by_mprotect_faults(void **state) {
    (void)state;
    expect_guard(WEFT__GUARD_MPROTECT);
}

// Asked without the code under test: by effect, too, since a kernel's version says little.
static bool has_guard_install(void) {
    char *page = reserve(weft__pages_size());
    int advice = 102; // MADV_GUARD_INSTALL
    bool works = madvise(page, weft__pages_size(), advice) == 0 && send_byte(page) == -EFAULT;
    weft__pages_release(page, weft__pages_size());
    return works;
}

static void guard_by_madvise_faults_and_is_preferred_where_it_works(void **state) {
    (void)state;
    if (!has_guard_install()) {
        assert_int_not_equal(weft__pages_guard_probe(), WEFT__GUARD_INSTALL);
        print_message("MADV_GUARD_INSTALL has no effect here (Linux 6.13 has it)\n");
        skip();
    }
    assert_int_equal(weft__pages_guard_probe(), WEFT__GUARD_INSTALL);
    expect_guard(WEFT__GUARD_INSTALL);
}

static void method_none_guards_nothing(void **state) {
    (void)state;
    size_t page = weft__pages_size();
    char *base = reserve(page);
    assert_int_equal(weft__pages_guard(base, page, WEFT__GUARD_NONE), 0);
    assert_int_equal(send_byte(base), 1);
    weft__pages_release(base, page);
}

static void probe_finds_a_method_that_has_an_effect(void **state) {
    (void)state;
    enum weft__guard method = weft__pages_guard_probe();
    assert_int_not_equal(method, WEFT__GUARD_NONE);
    size_t page = weft__pages_size();
    char *base = reserve(page);
    assert_int_equal(weft__pages_guard(base, page, method), 0);
    assert_int_equal(send_byte(base), -EFAULT);
    weft__pages_release(base, page);
    weft__pages_guards_gone(1, method);
}

// Each method takes a reservation and a guard: the n-th of these calls fails.
static void probe_falls_to_the_next_method_when_one_fails(void **state) {
    (void)state;
    enum weft__guard best = weft__pages_guard_probe();
    for (uint64_t n = 1; n <= 2; n++) {
        weft__fail_arm(WEFT__FAIL_PAGES, n, 0, -ENOMEM);
        enum weft__guard second = weft__pages_guard_probe();
        weft__fail_disarm();
        assert_true(second > WEFT__GUARD_INSTALL || best > WEFT__GUARD_INSTALL);
        assert_true(second >= best);
    }
    weft__fail_arm(WEFT__FAIL_PAGES, 1, 1, -ENOMEM);
    assert_int_equal(weft__pages_guard_probe(), WEFT__GUARD_NONE);
}

static int open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void probe_leaves_no_descriptor_and_no_mapping(void **state) {
    (void)state;
    int before = open_descriptors();
    char *free_page = reserve(weft__pages_size());
    weft__pages_release(free_page, weft__pages_size());
    for (int i = 0; i < 10; i++)
        (void)weft__pages_guard_probe();
    assert_int_equal(open_descriptors(), before);
    unsigned char is_resident;
    assert_int_equal(mincore(free_page, weft__pages_size(), &is_resident), -1);
}

static void the_probe_needs_no_descriptor(void **state) {
    (void)state;
    struct rlimit limit;
    enum weft__guard usual = weft__pages_guard_probe();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum weft__guard method = weft__pages_guard_probe();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(method, usual);
}

// Puts guards by mprotect on every other of `count` pages until one is refused, then removes them.
static size_t guards_until_refused(size_t count) {
    size_t page = weft__pages_size(), made = 0;
    char *base = reserve(2 * count * page);
    int error = 0;
    for (size_t i = 0; i < count; i++) {
        error = weft__pages_guard(base + 2 * i * page, page, WEFT__GUARD_MPROTECT);
        made += error == 0;
    }
    weft__pages_release(base, 2 * count * page);
    weft__pages_guards_gone(made, WEFT__GUARD_MPROTECT);
    assert_int_equal(error, -ENOSPC);
    return made;
}

static void guards_by_mprotect_leave_half_of_the_mappings_to_others(void **state) {
    (void)state;
    if (RUNNING_ON_VALGRIND) {
        print_message("Valgrind itself ends at 30,000 mappings\n");
        skip();
    }
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned long limit = 0;
    if (!file || fscanf(file, "%lu", &limit) != 1 || limit > 100000) {
        print_message("vm.max_map_count cannot be read or is too large to reach: %lu\n", limit);
        if (file)
            (void)fclose(file);
        skip();
    }
    assert_int_equal(fclose(file), 0);
    size_t most = limit / 4;
    for (int pass = 0; pass < 3; pass++)
        assert_int_equal(guards_until_refused(most + 100), most);
    expect_guard(WEFT__GUARD_MPROTECT);
}

static void methods_have_names(void **state) {
    (void)state;
    assert_string_equal(weft__pages_guard_name(WEFT__GUARD_INSTALL), "madvise");
    assert_string_equal(weft__pages_guard_name(WEFT__GUARD_MPROTECT), "mprotect");
    assert_string_equal(weft__pages_guard_name(WEFT__GUARD_NONE), "none");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_size_is_a_power_of_two),
        cmocka_unit_test(reserved_pages_are_zero_and_writable),
        cmocka_unit_test(reservation_is_address_space_and_not_memory),
        cmocka_unit_test(discarded_pages_read_as_zero_and_hold_no_memory),
        cmocka_unit_test(more_than_the_address_space_is_refused),
        cmocka_unit_test_teardown(injected_failure_is_returned_and_reserves_nothing, tear_down),
        cmocka_unit_test(guard_by_mprotect_faults),
        cmocka_unit_test(guard_by_madvise_faults_and_is_preferred_where_it_works),
        cmocka_unit_test(method_none_guards_nothing),
        cmocka_unit_test(probe_finds_a_method_that_has_an_effect),
        cmocka_unit_test_teardown(probe_falls_to_the_next_method_when_one_fails, tear_down),
        cmocka_unit_test(probe_leaves_no_descriptor_and_no_mapping),
        cmocka_unit_test(the_probe_needs_no_descriptor),
        cmocka_unit_test(guards_by_mprotect_leave_half_of_the_mappings_to_others),
        cmocka_unit_test(methods_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

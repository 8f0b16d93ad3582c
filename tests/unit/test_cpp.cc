// SPDX-License-Identifier: MIT
//
// The public headers used from C++17: the overloads of weft_go, weft_within and weft_shield as
// guards, the cleanup macros, and exceptions that are thrown and caught inside tasks.
#include <cerrno>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <weft.h>

extern "C" {
#include <cmocka.h>
}

namespace {

int sum_into(void *arg) {
    *static_cast<int *>(arg) += 1;
    return 0;
}

int close_it(int handle) {
    return weft_close(handle);
}

void go_takes_both_kinds_of_function(void **) {
    weft_scope scope = {};
    int count = 0;
    int listener = weft_tcp_listen("127.0.0.1:0");
    assert_true(listener > 0);
    assert_int_equal(weft_go(&scope, sum_into, &count), 0);
    assert_int_equal(weft_go(&scope, close_it, listener), 0);
    weft_task_options options = {};
    options.name = "named";
    assert_int_equal(weft_go_with(&scope, sum_into, &count, &options), 0);
    assert_int_equal(weft_go(&scope, close_it, -EPIPE), -EPIPE);
    assert_int_equal(weft_join(&scope), 0);
    assert_int_equal(count, 2);
    assert_int_equal(weft_close(listener), -EBADF);
}

int leave_by_exception(int way) {
    try {
        weft_within(0);
        if (way == 0)
            throw std::runtime_error("left");
        if (way == 1)
            return weft_check();
    } catch (const std::runtime_error &) {
        return weft_check() == 0 ? 1 : 2;
    }
    return 3;
}

void within_ends_however_its_block_is_left(void **) {
    assert_int_equal(leave_by_exception(0), 1);
    assert_int_equal(leave_by_exception(1), -ETIMEDOUT);
    assert_int_equal(weft_check(), 0);
    for (int i = 0; i < 3; i++) {
        weft_within(0);
        weft_shield(WEFT_SECOND);
        if (i == 1)
            continue;
        assert_int_equal(weft_check(), 0);
    }
    assert_int_equal(weft_check(), 0);
}

// Each task waits in the middle of handling its exception, so that the handlers of all overlap.
int throw_and_catch(void *arg) {
    auto *seen = static_cast<std::string *>(arg);
    try {
        throw std::runtime_error(*seen);
    } catch (const std::runtime_error &outer) {
        for (int i = 0; i < 10; i++) {
            weft_yield();
            try {
                throw i;
            } catch (int inner) {
                weft_yield();
                if (inner != i)
                    return -EINVAL;
            }
        }
        *seen = std::string(outer.what()) + "!";
    }
    return 0;
}

void exceptions_are_each_tasks_own(void **) {
    weft_scope scope = {};
    std::string names[50];
    for (int i = 0; i < 50; i++) {
        names[i] = "task " + std::to_string(i);
        assert_int_equal(weft_go(&scope, throw_and_catch, &names[i]), 0);
    }
    assert_int_equal(weft_join(&scope), 0);
    for (int i = 0; i < 50; i++)
        assert_string_equal(names[i].c_str(), ("task " + std::to_string(i) + "!").c_str());
}

void cleanup_macros_work(void **) {
    int copy = 0;
    {
        weft_autojoin weft_scope scope = {};
        weft_autoclose int listener = weft_tcp_listen("127.0.0.1:0");
        copy = listener;
        int count = 0;
        assert_int_equal(weft_go(&scope, sum_into, &count), 0);
    }
    assert_int_equal(weft_close(copy), -EBADF);
}

int stop_runtime(void **) {
    return weft_stop(WEFT_SECOND) == 0 ? 0 : -1;
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(go_takes_both_kinds_of_function),
        cmocka_unit_test(within_ends_however_its_block_is_left),
        cmocka_unit_test(exceptions_are_each_tasks_own),
        cmocka_unit_test(cleanup_macros_work),
    };
    return cmocka_run_group_tests_name("cpp", tests, nullptr, stop_runtime);
}

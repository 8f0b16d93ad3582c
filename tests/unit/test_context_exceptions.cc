// SPDX-License-Identifier: MIT
// C++ exceptions in contexts: what the C++ runtime keeps for a thread must belong to the context,
// or one context would handle, rethrow or free another one's exception. Plain switching is in
// test_context.c.
#include "task/context.h"

#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include <cmocka.h>
}

namespace {

constexpr std::size_t stack_size = 256 * 1024;

struct error {
    int number;
};

weft__context home;

// A context with its stack. Nothing is asserted while it runs, because a failed assertion jumps.
struct party {
    explicit party(int number, void (*entry)(void *)) : id(number), memory(stack_size + 16) {
        auto low = reinterpret_cast<std::uintptr_t>(memory.data());
        low = (low + 15) / 16 * 16;
        weft__context_make(&context, reinterpret_cast<void *>(low), stack_size,
                           reinterpret_cast<void *>(low + stack_size), entry, this);
    }
    party(const party &) = delete;
    party &operator=(const party &) = delete;
    ~party() { weft__context_drop(&context); }

    void run() { weft__context_switch(&home, &context); }
    void go_home() { weft__context_switch(&context, &home); }
    [[noreturn]] void finish() {
        weft__context_switch_last(&context, &home);
        std::abort();
    }

    int id;
    int wrong = 0;
    int caught = 0;
    bool has_finished = false;
    weft__context context;
    std::vector<char> memory;
};

int set_up(void **) {
    weft__context_adopt(&home);
    return 0;
}

int tear_down(void **) {
    weft__context_drop(&home);
    return 0;
}

int number_in_flight() {
    try {
        throw;
    } catch (const error &e) {
        return e.number;
    }
}

void handle_and_switch(void *arg) {
    auto &p = *static_cast<party *>(arg);
    for (int i = 0; i < 1000; i++) {
        int number = 10000 * p.id + i;
        try {
            throw error{number};
        } catch (const error &e) {
            p.go_home();
            p.wrong += e.number != number;
            p.wrong += number_in_flight() != number;
            p.caught++;
        }
        p.wrong += std::current_exception() != nullptr;
    }
    p.has_finished = true;
    p.finish();
}

void each_context_handles_its_own_exception(void **) {
    party a(1, handle_and_switch), b(2, handle_and_switch);
    for (int i = 0; i <= 1000; i++) {
        a.run();
        assert_true(std::current_exception() == nullptr);
        b.run();
    }
    for (party *p : {&a, &b}) {
        assert_true(p->has_finished);
        assert_int_equal(p->wrong, 0);
        assert_int_equal(p->caught, 1000);
    }
}

// Not in the order of a stack: the one that caught first also ends its handler first.
void handlers_may_end_in_any_order(void **) {
    party a(1, handle_and_switch), b(2, handle_and_switch), c(3, handle_and_switch);
    party *order[] = {&a, &b, &c, &b, &a, &c, &c, &a, &b};
    for (int i = 0; i <= 1000; i++)
        for (int k = 0; k < 3; k++)
            order[3 * (i % 3) + k]->run();
    for (party *p : {&a, &b, &c}) {
        assert_true(p->has_finished);
        assert_int_equal(p->wrong, 0);
    }
}

void handle_nested(void *arg) {
    auto &p = *static_cast<party *>(arg);
    try {
        throw error{p.id};
    } catch (...) {
        p.go_home();
        try {
            throw error{p.id + 100};
        } catch (...) {
            p.go_home();
            p.wrong += number_in_flight() != p.id + 100;
        }
        p.go_home();
        p.wrong += number_in_flight() != p.id;
    }
    p.has_finished = true;
    p.finish();
}

void nested_handlers_are_kept(void **) {
    party a(1, handle_nested), b(2, handle_nested);
    for (int i = 0; i < 4; i++) {
        a.run();
        b.run();
    }
    for (party *p : {&a, &b}) {
        assert_true(p->has_finished);
        assert_int_equal(p->wrong, 0);
    }
}

// Switches while an exception is on its way from the throw to the handler.
struct switches_when_destroyed {
    party &p;
    ~switches_when_destroyed() {
        p.wrong += std::uncaught_exceptions() != 1;
        p.go_home();
        p.wrong += std::uncaught_exceptions() != 1;
    }
};

void throw_past_a_destructor(void *arg) {
    auto &p = *static_cast<party *>(arg);
    p.wrong += std::uncaught_exceptions() != 0;
    try {
        switches_when_destroyed guard{p};
        throw error{p.id};
    } catch (const error &e) {
        p.wrong += e.number != p.id;
    }
    p.has_finished = true;
    p.finish();
}

void uncaught_exceptions_are_counted_for_each_context(void **) {
    party a(1, throw_past_a_destructor), b(2, throw_past_a_destructor);
    a.run();
    assert_int_equal(std::uncaught_exceptions(), 0);
    b.run();
    assert_int_equal(std::uncaught_exceptions(), 0);
    a.run();
    b.run();
    for (party *p : {&a, &b}) {
        assert_true(p->has_finished);
        assert_int_equal(p->wrong, 0);
    }
}

void count_from_zero(void *arg) {
    auto &p = *static_cast<party *>(arg);
    p.wrong += std::uncaught_exceptions() != 0 || std::current_exception() != nullptr;
    p.has_finished = true;
    p.finish();
}

void new_context_starts_without_its_makers_exceptions(void **) {
    party a(1, count_from_zero);
    int number = 0;
    try {
        throw error{7};
    } catch (const error &) {
        a.run();
        number = number_in_flight();
    }
    assert_int_equal(number, 7);
    assert_true(a.has_finished);
    assert_int_equal(a.wrong, 0);
}

void let_it_escape(void *arg) {
    throw error{static_cast<party *>(arg)->id};
}

// The unwinder finds no handler and no caller, and says so: std::terminate.
void exception_that_leaves_the_entry_ends_the_process(void **) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)close(STDERR_FILENO);
        (void)std::signal(SIGABRT, SIG_DFL);
        (void)alarm(30);
        party p(1, let_it_escape);
        p.run();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(each_context_handles_its_own_exception),
        cmocka_unit_test(handlers_may_end_in_any_order),
        cmocka_unit_test(nested_handlers_are_kept),
        cmocka_unit_test(uncaught_exceptions_are_counted_for_each_context),
        cmocka_unit_test(new_context_starts_without_its_makers_exceptions),
        cmocka_unit_test(exception_that_leaves_the_entry_ends_the_process),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

// SPDX-License-Identifier: MIT
//
// C++ exceptions in tasks, through the public face alone: on both drivers, with several workers,
// and with waits wherever an exception is under way. One context after the other is in
// test_context_exceptions.cc.
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>
#include <weft.h>

extern "C" {
#include <cmocka.h>
}

namespace {

constexpr int rounds = 20;

struct party {
    int number = 0;
    int wrong = 0; // asserted by who joins: a failed assertion would jump out of the task
    std::exception_ptr thrown;

    void expect(bool is_right) { wrong += is_right ? 0 : 1; }
    std::string text() const { return "party " + std::to_string(number); }
};

// Waits in one way or another, so that others run and the task is woken by timers and by itself.
void wait_a_little(const party &p, int round) {
    if ((p.number + round) % 2 == 0)
        weft_yield();
    else
        weft_sleep((p.number + round) % 7 * WEFT_MICROSECOND);
}

// ---- In a handler ---------------------------------------------------------------------------

void throw_nested(party &p, int round) {
    try {
        try {
            throw std::runtime_error(p.text());
        } catch (const std::runtime_error &outer) {
            wait_a_little(p, round);
            try {
                throw round;
            } catch (int inner) {
                wait_a_little(p, round);
                p.expect(inner == round);
            }
            p.expect(outer.what() == p.text());
            wait_a_little(p, round);
            throw; // the outer one
        }
    } catch (const std::exception &again) {
        wait_a_little(p, round);
        p.expect(again.what() == p.text());
    }
    p.expect(std::uncaught_exceptions() == 0 && !std::current_exception());
}

int wait_in_handlers(void *arg) {
    auto &p = *static_cast<party *>(arg);
    for (int round = 0; round < rounds; round++)
        throw_nested(p, round);
    return p.wrong;
}

// ---- While the stack is unwound -------------------------------------------------------------

struct slow_end { // its destructor waits while an exception is on its way
    party &p;
    int round;
    ~slow_end() {
        p.expect(std::uncaught_exceptions() == 1);
        wait_a_little(p, round);
        throw_nested_here();
        p.expect(std::uncaught_exceptions() == 1);
    }
    void throw_nested_here() {
        try {
            throw p.number;
        } catch (int number) {
            wait_a_little(p, round);
            p.expect(number == p.number);
        }
    }
};

int wait_while_unwinding(void *arg) {
    auto &p = *static_cast<party *>(arg);
    for (int round = 0; round < rounds; round++) {
        try {
            slow_end end{p, round};
            throw std::logic_error(p.text());
        } catch (const std::logic_error &error) {
            p.expect(error.what() == p.text());
        }
        p.expect(std::uncaught_exceptions() == 0);
    }
    return p.wrong;
}

// ---- From one task to another ---------------------------------------------------------------

int keep_what_is_thrown(void *arg) {
    auto &p = *static_cast<party *>(arg);
    try {
        throw std::out_of_range(p.text());
    } catch (...) {
        wait_a_little(p, 0);
        p.thrown = std::current_exception();
    }
    return 0;
}

// ---- Many of them ---------------------------------------------------------------------------

using function = int (*)(void *);

// As many on each worker.
void run_on_all(int workers, function fn, std::vector<party> &parties) {
    weft_scope scope = {};
    for (std::size_t i = 0; i < parties.size(); i++) {
        weft_task_options options = {};
        options.worker = 1 + static_cast<int>(i) % workers;
        parties[i].number = static_cast<int>(i);
        assert_int_equal(weft_go_with(&scope, fn, &parties[i], &options), 0);
    }
    try { // task zero's handler is one of them, and it waits in there
        throw std::string("task zero");
    } catch (const std::string &mine) {
        assert_int_equal(weft_join(&scope), 0);
        assert_string_equal(mine.c_str(), "task zero");
    }
    assert_int_equal(std::uncaught_exceptions(), 0);
    for (const party &p : parties)
        assert_int_equal(p.wrong, 0);
}

void run_each(const char *driver, int workers) {
    weft_options options = {};
    options.driver = driver;
    options.workers = workers;
    assert_int_equal(weft_start(&options), 0);
    std::vector<party> parties(40);
    run_on_all(workers, wait_in_handlers, parties);
    run_on_all(workers, wait_while_unwinding, parties);
    run_on_all(workers, keep_what_is_thrown, parties);
    for (party &p : parties) {
        try {
            std::rethrow_exception(p.thrown);
        } catch (const std::out_of_range &error) {
            assert_string_equal(error.what(), p.text().c_str());
        }
        p.thrown = nullptr;
    }
    assert_int_equal(weft_stop(WEFT_MINUTE), 0);
}

void exceptions_are_each_tasks_own_on_every_worker(void **) {
    for (int workers : {1, 2, 8})
        run_each("epoll", workers);
}

void so_they_are_on_io_uring(void **) {
    weft_options options = {};
    options.driver = "uring";
    if (std::getenv("WEFT_TEST_SLOW") || weft_start(&options) < 0) // Valgrind does not follow it
        skip();
    assert_int_equal(weft_stop(0), 0);
    for (int workers : {1, 2, 8})
        run_each("uring", workers);
}

// ---- Out of the task ------------------------------------------------------------------------

int let_it_out(void *) {
    throw std::runtime_error("out");
}

void run_one_that_lets_it_out() {
    weft_scope scope = {};
    struct rlimit none = {};
    setrlimit(RLIMIT_CORE, &none);
    std::signal(SIGABRT, SIG_DFL);
    close(STDERR_FILENO);
    alarm(30);
    weft_go(&scope, let_it_out, nullptr);
    weft_join(&scope);
    _exit(0);
}

// As one that leaves the function of a thread does: nobody is there to catch it.
void one_that_nobody_catches_ends_the_process(void **) {
    pid_t child = fork();
    if (child == 0)
        run_one_that_lets_it_out();
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

} // namespace

int main() {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_nobody_catches_ends_the_process),
        cmocka_unit_test(exceptions_are_each_tasks_own_on_every_worker),
        cmocka_unit_test(so_they_are_on_io_uring),
    };
    return cmocka_run_group_tests_name("cpp_exceptions", tests, nullptr, nullptr);
}

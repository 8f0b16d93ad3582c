// SPDX-License-Identifier: MIT
//
// The rows with Boost.Fiber: `fiber ROW VARIANT`, the variant being some of these words:
//   pooled              stacks from a pool; not safe between threads. Otherwise fixedsize_stack
//   post                a new fiber goes to the queue. Otherwise it is dispatched: it runs at once
//   shared              in the rows _2w, on two threads: shared_work. Otherwise work_stealing
// On one thread the scheduler is round_robin. Stacks have 64 KiB, as weft's tasks do. Debian's
// library is built for use from any thread, without BOOST_FIBERS_NO_ATOMICS, as weft is.
#include "measure.h"

#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fibers = boost::fibers;
using clock_type = std::chrono::steady_clock;

static const int STACK_SIZE = 65536, BATCH = 1000, CHILDREN = 10;
static const long OTHERS = 100000, SPREAD_NS = 500000000;

static std::string row_called; // with _2w, if it was so called
static std::unique_ptr<fibers::pooled_fixedsize_stack> pool;
static fibers::fixedsize_stack fixed_stacks(STACK_SIZE);
static fibers::launch launch = fibers::launch::dispatch;

template <typename Fn> static fibers::fiber spawn(Fn fn, fibers::launch how = launch) {
    if (pool)
        return fibers::fiber(how, std::allocator_arg, *pool, std::move(fn));
    return fibers::fiber(how, std::allocator_arg, fixed_stacks, std::move(fn));
}

static void print(double count, bench_span span, const bench_fact *facts = nullptr) {
    bench_print(row_called.c_str(), "fiber", count, span, facts);
}

// ---- Switching ------------------------------------------------------------------------------

namespace context = boost::context;

static __attribute__((noinline)) context::fiber bounce(context::fiber other, long count) {
    for (; count > 0; count--)
        other = std::move(other).resume();
    return other;
}

static long run_same(long count) {
    context::fiber there([](context::fiber &&here) {
        return bounce(std::move(here), std::numeric_limits<long>::max());
    });
    there = bounce(std::move(there), count / 2);
    return count / 2 * 2;
}

static long run_apart(long count) {
    context::fiber there([](context::fiber &&here) {
        for (;;)
            here = std::move(here).resume();
        return std::move(here);
    });
    there = bounce(std::move(there), count / 2);
    return count / 2 * 2;
}

// As bench/micro/switch.c does it.
static void bare_switch() {
    double count;
    bench_span span = bench_repeat(run_apart, &count);
    const bench_fact facts[] = {{"apart_cpu_ns", span.cpu_ns / count}, {nullptr, 0}};
    span = bench_repeat(run_same, &count);
    print(count, span, facts);
}

static long yield_among(int tasks, long count) {
    long each = count / tasks + 1;
    std::vector<fibers::fiber> all;
    for (int i = 0; i < tasks; i++)
        all.push_back(spawn([each] {
            for (long left = each; left > 0; left--)
                boost::this_fiber::yield();
        }));
    for (auto &one : all)
        one.join();
    return each * tasks;
}

static long run_yield_2(long count) {
    return yield_among(2, count);
}

static long run_yield_1000(long count) {
    return yield_among(1000, count);
}

// ---- A mutex --------------------------------------------------------------------------------

static long run_mutex(long count) {
    fibers::mutex mutex;
    spawn([&mutex, count] {
        for (long left = count; left > 0; left--) {
            mutex.lock();
            mutex.unlock();
        }
    }).join();
    return count;
}

// Held across a yield, so that the other one waits for it.
static long run_mutex_handed(long count) {
    fibers::mutex mutex;
    std::vector<fibers::fiber> all;
    long each = count / 2 + 1;
    for (int i = 0; i < 2; i++)
        all.push_back(spawn([&mutex, each] {
            for (long left = each; left > 0; left--) {
                mutex.lock();
                boost::this_fiber::yield();
                mutex.unlock();
            }
        }));
    for (auto &one : all)
        one.join();
    return each * 2;
}

// ---- Starting -------------------------------------------------------------------------------

static long run_spawn_join(long count) {
    for (long i = 0; i < count; i++)
        spawn([] {}).join();
    return count;
}

static long run_spawn_1000(long count) {
    std::vector<fibers::fiber> all;
    long done = 0;
    for (; done < count; done += BATCH) {
        for (int i = 0; i < BATCH; i++)
            all.push_back(spawn([] {}));
        for (auto &one : all)
            one.join();
        all.clear();
    }
    return done;
}

// Each fiber tells its parent how many it was with those below it.
static void grow(int levels, long *ret_count) {
    *ret_count = 1;
    if (levels == 0)
        return;
    long counts[CHILDREN];
    fibers::fiber all[CHILDREN];
    for (int i = 0; i < CHILDREN; i++)
        all[i] = spawn([levels, ret = &counts[i]] { grow(levels - 1, ret); });
    for (int i = 0; i < CHILDREN; i++) {
        all[i].join();
        *ret_count += counts[i];
    }
}

static void tree() {
    long count;
    spawn([&count] { grow(2, &count); }).join();
    int levels = bench_count(100) < 100 ? 3 : 6;
    bench_span begin = bench_begin();
    spawn([&count, levels] { grow(levels, &count); }).join();
    print((double)count, bench_since(begin));
}

// ---- Many at once ---------------------------------------------------------------------------

// Fibers that wait, with a timer or without, until they are sent home.
class crowd {
  public:
    // Dispatched, so that all of them have come to wait.
    void gather(long count, bool with_timer) {
        auto wait = [this, with_timer] {
            std::unique_lock<fibers::mutex> lock(mutex_);
            auto is_over = [this] { return is_over_; };
            if (with_timer)
                (void)bell_.wait_for(lock, std::chrono::hours(1), is_over);
            else
                bell_.wait(lock, is_over);
        };
        for (long i = 0; i < count; i++)
            all_.push_back(spawn(wait, fibers::launch::dispatch));
    }

    void dismiss() {
        mutex_.lock();
        is_over_ = true;
        mutex_.unlock();
        bell_.notify_all();
        for (auto &one : all_)
            one.join();
        all_.clear();
        is_over_ = false;
    }

  private:
    fibers::mutex mutex_;
    fibers::condition_variable bell_;
    bool is_over_ = false;
    std::vector<fibers::fiber> all_;
};

// Boost.Fiber has no timers but those of its waits. So as with weft: a wait that another fiber ends
// is done with and without a time limit, and the difference is the figure.
static long wait_often(long count, bool with_limit) {
    fibers::mutex mutex;
    fibers::condition_variable bell;
    bool is_over = false;
    fibers::fiber ringer = spawn([&] {
        while (!is_over) {
            bell.notify_one();
            boost::this_fiber::yield();
        }
    });
    std::unique_lock<fibers::mutex> lock(mutex);
    for (long i = 0; i < count; i++)
        if (with_limit)
            (void)bell.wait_for(lock, std::chrono::seconds(10));
        else
            bell.wait(lock);
    is_over = true;
    ringer.join();
    return count;
}

static void timer_cancel() {
    const int parts = 10;
    crowd others;
    others.gather(bench_count(OTHERS), true);
    double count;
    (void)bench_repeat([](long n) { return wait_often(n, true); }, &count);
    bench_span spans[2] = {};
    long part = (long)count / parts;
    for (int i = 0; i < 2 * parts; i++) {
        bench_span begin = bench_begin();
        (void)wait_often(part, i % 2 == 1);
        bench_span span = bench_since(begin);
        spans[i % 2].wall_ns += span.wall_ns;
        spans[i % 2].cpu_ns += span.cpu_ns;
    }
    count = (double)(part * parts);
    const bench_fact facts[] = {{"with_cpu_ns", spans[1].cpu_ns / count},
                                {"without_cpu_ns", spans[0].cpu_ns / count},
                                {nullptr, 0}};
    print(count, {spans[1].wall_ns - spans[0].wall_ns, spans[1].cpu_ns - spans[0].cpu_ns}, facts);
    others.dismiss();
}

static long run_sleep_cancel(long count) {
    crowd one;
    for (long i = 0; i < count; i++) {
        one.gather(1, true);
        one.dismiss();
    }
    return count;
}

static void sleep_cancel() {
    crowd others;
    others.gather(bench_count(OTHERS), true);
    double count;
    bench_span span = bench_repeat(run_sleep_cancel, &count);
    print(count, span);
    others.dismiss();
}

static bench_span sleep_all(long count, double *ret_started_ns) {
    std::vector<fibers::fiber> all;
    bench_span begin = bench_begin();
    for (long i = 0; i < count; i++) {
        std::chrono::nanoseconds duration(SPREAD_NS + i * 7919 % count * (SPREAD_NS / count));
        all.push_back(spawn([duration] { boost::this_fiber::sleep_for(duration); }));
    }
    *ret_started_ns = bench_since(begin).wall_ns;
    for (auto &one : all)
        one.join();
    return bench_since(begin);
}

static void sleep_fired() {
    double started_ns;
    long count = bench_count(OTHERS);
    bench_span first = sleep_all(count, &started_ns);
    bench_span span = sleep_all(count, &started_ns);
    const bench_fact facts[] = {{"first_cpu_ns", first.cpu_ns / (double)count},
                                {"all_at_once", started_ns < (double)SPREAD_NS ? 1.0 : 0.0},
                                {nullptr, 0}};
    print((double)count, span, facts);
}

static void alive_many(long count) {
    crowd many;
    many.gather(10, false);
    many.dismiss();
    double before = bench_memory("VmRSS");
    bench_span begin = bench_begin();
    many.gather(count, false);
    bench_span span = bench_since(begin);
    double resident = bench_memory("VmRSS"), reserved = bench_memory("VmSize");
    many.dismiss();
    if (pool)
        pool.reset(new fibers::pooled_fixedsize_stack(STACK_SIZE));
    std::this_thread::sleep_for(std::chrono::seconds(2));
    double grown = resident - before, kept = bench_memory("VmRSS") - before;
    const bench_fact facts[] = {{"bytes_per_task", grown / (double)count},
                                {"given_back_percent", 100 * (1 - kept / grown)},
                                {"resident_mb", resident / 1e6},
                                {"virtual_mb", reserved / 1e6},
                                {nullptr, 0}};
    print((double)count, span, facts);
}

// ---- Choosing -------------------------------------------------------------------------------

static bool run_row(const std::string &row) {
    static const struct {
        const char *name;
        long (*run)(long);
    } repeated[] = {{"yield_2", run_yield_2},       {"yield_1000", run_yield_1000},
                    {"mutex", run_mutex},           {"mutex_handed", run_mutex_handed},
                    {"spawn_join", run_spawn_join}, {"spawn_1000", run_spawn_1000}};
    for (auto &one : repeated)
        if (row == one.name) {
            double count;
            bench_span span = bench_repeat(one.run, &count);
            print(count, span);
            return true;
        }
    if (row == "switch")
        bare_switch();
    else if (row == "tree")
        tree();
    else if (row == "timer_cancel")
        timer_cancel();
    else if (row == "sleep_cancel")
        sleep_cancel();
    else if (row == "sleep_fired")
        sleep_fired();
    else if (row == "parked")
        alive_many(bench_count(100000));
    else if (row == "alive")
        alive_many(bench_count(1000000));
    else
        return false;
    return true;
}

static void use_scheduler(bool is_work_shared) {
    if (is_work_shared)
        fibers::use_scheduling_algorithm<fibers::algo::shared_work>();
    else // returns when both threads have come here
        fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2);
}

// Runs the row on this thread and another one, which helps until the row is done.
static bool run_on_two(const std::string &row, bool is_work_shared) {
    std::mutex mutex;
    fibers::condition_variable_any bell;
    bool is_done = false;
    std::thread helper([&] {
        use_scheduler(is_work_shared);
        std::unique_lock<std::mutex> lock(mutex);
        bell.wait(lock, [&] { return is_done; });
    });
    use_scheduler(is_work_shared);
    bool is_known = run_row(row);
    mutex.lock();
    is_done = true;
    mutex.unlock();
    bell.notify_all();
    helper.join();
    return is_known;
}

int main(int argc, char **argv) {
    row_called = bench_row(argc, argv);
    std::string row = row_called, variant = argc > 2 ? argv[2] : "";
    auto has = [&variant](const char *word) { return variant.find(word) != std::string::npos; };
    bool is_on_two = row.size() > 3 && row.compare(row.size() - 3, 3, "_2w") == 0;
    if (is_on_two)
        row.resize(row.size() - 3);
    if (has("pooled"))
        pool.reset(new fibers::pooled_fixedsize_stack(STACK_SIZE));
    if (has("post"))
        launch = fibers::launch::post;
    try {
        if (!(is_on_two ? run_on_two(row, has("shared")) : run_row(row)))
            bench_fail(row_called.c_str(), "fiber", "no such row", row.c_str());
    } catch (const std::exception &e) {
        bench_fail(row_called.c_str(), "fiber", "exception", e.what());
    }
    return EXIT_SUCCESS;
}

// SPDX-License-Identifier: MIT
// What a simulation refuses, and what it says of a run that has failed.
#include "in_child.h"
#include "task_tools.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <weft/sim.h>

static weft_sim plain = {.seed = 7};

// ---- What is refused ----

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

static int call_host(void *sim) {
    return weft_sim_host(sim, "other", "10.0.0.9", nothing, NULL);
}

static int refusals_world(weft_sim *sim, void *unused) {
    (void)unused;
    weft_sim other = plain;
    expect(weft_sim_run(&other, refusals_world, NULL), -EALREADY);
    expect(weft_sim_host(sim, "", "10.0.0.1", nothing, NULL), -EINVAL);
    static const char *const names[] = {"local host", "a:1", "1.2.3.4", "::1", "localhost"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect(weft_sim_host(sim, names[i], "10.0.0.1", nothing, NULL), -EINVAL);
    expect(weft_sim_host(sim, "a name of more than thirty-one by", "10.0.0.1", nothing, NULL),
           -EINVAL);
    static const char *const bad[] = {"",
                                      "10.0.0",
                                      "127.0.0.1",
                                      "0.0.0.0",
                                      "224.0.0.1",
                                      "10.0.0.1,",
                                      "::",
                                      "::1",
                                      "ff02::1",
                                      "10.0.0.1:80",
                                      "server",
                                      "10.0.0.1,10.0.0.2",
                                      "10.0.0.1,fd00::1,fd00::2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(weft_sim_host(sim, "a", bad[i], nothing, NULL), -EINVAL);
    expect(weft_sim_host(&other, "a", "10.0.0.1", nothing, NULL), -ENOENT);
    expect(weft_sim_host(sim, "a", "10.0.0.1", nothing, NULL), 0);
    expect(weft_sim_host(sim, "a", "10.0.0.2", nothing, NULL), -EEXIST);
    expect(weft_sim_host(sim, "b", "10.0.0.1", nothing, NULL), -EEXIST);
    expect(weft_sim_host(sim, "b", "10.0.0.2", call_host, sim), 0);
    expect(weft_sim_wait(sim, "b"), -EPERM);
    expect(weft_sim_wait(sim, "c"), -ENOENT);
    expect(weft_sim_partition(sim, "a", "c"), -ENOENT);
    expect(weft_sim_link(sim, "a", "c", NULL), -ENOENT);
    expect(weft_sim_link(sim, "a", "a", NULL), -EINVAL);
    expect(weft_sim_link(sim, "a", "b", &(weft_sim_link_options){.loss = 1.5}), -EINVAL);
    expect(weft_sim_link(sim, "a", "b", &(weft_sim_link_options){.loss = NAN}), -EINVAL);
    expect(weft_sim_link(sim, "a", "b", &(weft_sim_link_options){.mtu_bytes = 100}), -EINVAL);
    expect(weft_sim_link(sim, "a", "b", NULL), 0);
    return 5;
}

static void misuse_is_refused(void **state) {
    (void)state;
    expect(weft_sim_run(&plain, refusals_world, NULL), 5);
    expect(weft_sim_run(&(weft_sim){.loss = -2}, refusals_world, NULL), -EINVAL);
    expect(weft_sim_run(&(weft_sim){.loss = NAN}, refusals_world, NULL), -EINVAL);
    expect(weft_sim_run(&(weft_sim){.stalls = NAN}, refusals_world, NULL), -EINVAL);
    expect(weft_sim_run(&(weft_sim){.latency_ns = -5}, refusals_world, NULL), -EINVAL);
    expect(weft_sim_host(&plain, "a", "10.0.0.1", nothing, NULL), -ENOENT);
    expect_that(weft_sim_step(&plain) == 0 && weft_sim_hash(&plain) == 0);
    expect(weft_start(NULL), 0);
    expect(weft_sim_run(&plain, refusals_world, NULL), -EALREADY);
    expect(weft_stop(INT64_MAX), 0);
}

// Each refusal names the option.
static void expect_refused(weft_sim sim, const char *option) {
    char sentence[400];
    expect(weft_sim_run(&sim, refusals_world, NULL), -EINVAL);
    (void)weft_explain(sentence, sizeof sentence);
    if (!strstr(sentence, option))
        fail_msg("%s is not named: %s", option, sentence);
}

static void a_refusal_names_its_cause(void **state) {
    (void)state;
    expect_refused((weft_sim){.resets = 2}, "resets: invalid argument (a rate is from 0 to 1");
    expect_refused((weft_sim){.workers = 5000}, "workers: invalid argument (from 1 to 1024");
    expect_refused((weft_sim){.mtu_bytes = 10}, "link: invalid argument (latency and jitter");
    expect_refused((weft_sim){.fail = "foo", .fail_nth = 1},
                   "fail: invalid argument (no such kind");
    expect_refused((weft_sim){.fail = "read"}, "fail_nth");
    expect_refused((weft_sim){.fail = "read", .fail_nth = 1, .fail_error = 5}, "fail_error");
    static const char *const seeds[] = {"abc", "-1", "0x10", "99999999999999999999", ""};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        setenv("WEFT_SIM_SEED", seeds[i], 1);
        if (*seeds[i])
            expect_refused(plain, "WEFT_SIM_SEED: invalid argument (a number is wanted)");
    }
    unsetenv("WEFT_SIM_SEED");
    setenv("WEFT_SIM_FAULTS", "lost", 1);
    expect_refused(plain, "WEFT_SIM_FAULTS: invalid argument (names of faults");
    unsetenv("WEFT_SIM_FAULTS");
}

static void *call_from_thread(void *unused) {
    (void)unused;
    char byte;
    weft_scope scope = {0};
    expect(weft_tcp_listen("127.0.0.1:0"), -ENOTSUP);
    expect(weft_tcp_connect("127.0.0.1:1"), -ENOTSUP);
    expect(weft_udp_bind("127.0.0.1:0"), -ENOTSUP);
    expect(weft_sleep(1), -ENOTSUP);
    expect(weft_go(&scope, nothing, NULL), -ENOTSUP);
    expect(weft_read(12345, &byte, 1), -ENOTSUP);
    return NULL;
}

static int threads_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    thread_join(thread_start(call_from_thread, NULL));
    return 0;
}

static void other_threads_are_refused(void **state) {
    (void)state;
    expect(weft_sim_run(&plain, threads_world, NULL), 0);
    weft_autoclose int listener = weft_tcp_listen("127.0.0.1:0"); // again
    expect_that(listener > 0);
}

static int fail_host(void *code) {
    return (int)(intptr_t)code;
}

static int wait_for_ever(void *unused) {
    (void)unused;
    return weft_sleep(INT64_MAX);
}

static int failing_world(weft_sim *sim, void *unused) {
    (void)unused;
    expect(weft_sim_host(sim, "well", "10.0.0.1", wait_for_ever, NULL), 0);
    expect(weft_sim_host(sim, "ill", "10.0.0.2", fail_host, (void *)(intptr_t)-EPROTO), 0);
    return 0;
}

// The other one's -ECANCELED is how it was ended.
static void a_programs_error_is_the_runs(void **state) {
    (void)state;
    expect(weft_sim_run(&plain, failing_world, NULL), -EPROTO);
}

// ---- Failures ----

struct death {
    int status;
    char said[16384];
};

static int (*dying_world)(weft_sim *, void *);

static void run_dying_world(void) {
    signal(SIGABRT, SIG_DFL); // cmocka's
    (void)weft_sim_run(&plain, dying_world, NULL);
}

// What a run in a child process says on stderr and how it ends.
static void die_of(int (*world)(weft_sim *, void *), struct death *ret_death) {
    dying_world = world;
    ret_death->status = status_of_child(run_dying_world, ret_death->said, sizeof ret_death->said);
}

static void expect_death(int (*world)(weft_sim *, void *), int number, const char *pattern) {
    static struct death death;
    die_of(world, &death);
    char *line = strstr(death.said, "weft sim: ");
    if (!WIFSIGNALED(death.status) || WTERMSIG(death.status) != number || !line ||
        !strstr(line, pattern) || !strstr(line, "; replay: WEFT_SIM_SEED=7 ") ||
        strstr(line + 1, "weft sim: "))
        fail_msg("status %d, \"%s\" not in: %s", death.status, pattern, death.said);
}

static int check_fails(void *unused) {
    (void)unused;
    weft_sleep(1250003 * WEFT_MICROSECOND);
    weft_sim_check(1 + 1 == 3);
    return 0;
}

static int check_world(weft_sim *sim, void *unused) {
    (void)unused;
    weft_sim_host(sim, "calculator", "10.0.0.1", check_fails, NULL);
    return weft_sim_wait(sim, "calculator");
}

static int knock(void *unused) {
    (void)unused;
    return weft_tcp_connect("10.0.0.1:7878");
}

static int knock_world(weft_sim *sim, void *unused) {
    (void)unused;
    weft_sim_host(sim, "knocker", "10.0.0.1", knock, NULL);
    weft_sim_check(weft_sim_wait(sim, "knocker") >= 0);
    return 0;
}

static int abort_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    abort();
}

#if !WEFT__UNDER_ASAN && !WEFT__UNDER_TSAN
static int fault_world(weft_sim *sim, void *unused) {
    (void)sim;
    *(volatile int *)unused = 1;
    return 0;
}
#endif

static int deadlock_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    weft_autoclose int listener = weft_tcp_listen("127.0.0.1:0");
    return weft_accept(listener);
}

static int leak_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    return weft_tcp_listen("127.0.0.1:0") < 0;
}

// As a library would that forgets one.
static int forget_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    struct weft__driver *driver = weft__self()->driver;
    struct weft__ctl make = {.kind = WEFT__CTL_SOCKET, .family = WEFT_IPV4, .type = WEFT__DATAGRAM};
    return driver->class->ctl(driver, &make) < 0;
}

static void a_failed_run_says_how_to_replay_it(void **state) {
    (void)state;
    expect_death(check_world, SIGABRT, "check failed: 1 + 1 == 3 (");
    expect_death(check_world, SIGABRT, ") on host calculator at 1.250");
    expect_death(abort_world, SIGABRT, "SIGABRT at 0.000");
    expect_death(deadlock_world, SIGABRT, "(deadlock)");
    expect_death(leak_world, SIGABRT, "1 handle is still open after all programs have ended at ");
    expect_death(forget_world, SIGABRT, "1 descriptor is still open after all programs have ");
#if !WEFT__UNDER_ASAN && !WEFT__UNDER_TSAN
    expect_death(fault_world, SIGSEGV, "SIGSEGV at ");
#endif
}

// What is on its way, too: the last thing that a failed run has done is what one wants to see.
static void a_failed_run_leaves_its_traffic(void **state) {
    (void)state;
    static struct death death;
    char path[] = "/tmp/weft-log-XXXXXX", text[4096] = "";
    int fd = mkstemp(path);
    expect_that(fd >= 0);
    setenv("WEFT_SIM_LOG", path, 1);
    die_of(knock_world, &death);
    unsetenv("WEFT_SIM_LOG");
    expect_that(read(fd, text, sizeof text - 1) > 0);
    expect_that(strstr(text, "knocker      10.0.0.1:") &&
                strstr(text, " > 10.0.0.1:7878 TCP SYN\n"));
    close(fd);
    unlink(path);
    setenv("WEFT_SIM_TRACE", "/nowhere/at/all", 1);
    expect(weft_sim_run(&plain, knock_world, NULL), -ENOENT);
    unsetenv("WEFT_SIM_TRACE");
}

static int exit_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    exit(3);
}

static void an_exit_is_a_failure_too(void **state) {
    (void)state;
    static struct death death;
    die_of(exit_world, &death);
    if (!WIFEXITED(death.status) || WEXITSTATUS(death.status) != 3 ||
        !strstr(death.said, "weft sim: the program called exit() at 0.000"))
        fail_msg("status %d: %s", death.status, death.said);
}

static int terminated_world(weft_sim *sim, void *unused) {
    (void)sim, (void)unused;
    expect(weft_sleep(3 * WEFT_SECOND), 0);
    return raise(SIGTERM);
}

static void a_run_that_is_terminated_says_where_it_was(void **state) {
    (void)state;
    static struct death death;
    die_of(terminated_world, &death);
    if (!WIFSIGNALED(death.status) || WTERMSIG(death.status) != SIGTERM ||
        !strstr(death.said, "weft sim: SIGTERM at 3.000000 s, step "))
        fail_msg("status %d: %s", death.status, death.said);
}

static void a_deadlock_shows_every_task(void **state) {
    (void)state;
    static struct death death;
    die_of(deadlock_world, &death);
    bool has_frames = !strstr(death.said, "no backtrace: not on this machine"); // ucontext
    if (!strstr(death.said, "task zero waits on worker 1 for 0.000 s: accept on handle ") ||
        (has_frames && !strstr(death.said, "deadlock_world")))
        fail_msg("no task in: %s", death.said);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(misuse_is_refused),
        CASE(a_refusal_names_its_cause),
        CASE(other_threads_are_refused),
        CASE(a_programs_error_is_the_runs),
        CASE(a_failed_run_says_how_to_replay_it),
        CASE(a_failed_run_leaves_its_traffic),
        CASE(an_exit_is_a_failure_too),
        CASE(a_run_that_is_terminated_says_where_it_was),
        CASE(a_deadlock_shows_every_task),
    };
    return RUN(tests);
}

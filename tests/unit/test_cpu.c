// SPDX-License-Identifier: MIT
// Unit tests of os/cpu.c: what a tree of control groups allows, on files that look like
// /proc/self/cgroup and /sys/fs/cgroup; and the affinity mask of the thread that asks.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"

enum { PATH_MAX_HERE = 4096 };
static char root[64]; // holds the file `groups` and the folder `fs`

static int make_root(void **state) {
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/weft-cpu-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where) {
    (void)about;
    (void)type;
    (void)where;
    return remove(path);
}

static int remove_root(void **state) {
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make_root, remove_root)

static void make_folders_above(const char *path) {
    char folder[PATH_MAX_HERE];
    (void)snprintf(folder, sizeof folder, "%s", path);
    for (char *at = folder + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(folder, 0700);
        *at = '/';
    }
}

static void write_file(const char *name, const char *text) {
    char path[PATH_MAX_HERE];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    make_folders_above(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// The quota of a process whose /proc/self/cgroup says `groups`.
static uint32_t quota(const char *groups) {
    char file[128], fs[128];
    write_file("groups", groups);
    (void)snprintf(file, sizeof file, "%s/groups", root);
    (void)snprintf(fs, sizeof fs, "%s/fs", root);
    return weft__os_cpu_quota(file, fs);
}

// ---- Version 2 ------------------------------------------------------------------------------

static void without_groups_there_is_no_quota(void **state) {
    (void)state;
    assert_int_equal(weft__os_cpu_quota("/nowhere/cgroup", root), 0);
    assert_int_equal(quota(""), 0);
    assert_int_equal(quota("0::/\n"), 0);
    assert_int_equal(quota("0::/app\n"), 0);
}

static void a_quota_is_in_processors_rounded_up(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t count;
    } rows[] = {
        {"100000 100000\n", 1},   {"200000 100000\n", 2}, {"100001 100000\n", 2},
        {"199999 100000\n", 2},   {"1000 100000\n", 1},   {"1 1000000\n", 1},
        {"12800000 100000", 128}, {"50000 50000\n", 1},   {"300 100\n", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_file("fs/app/cpu.max", rows[i].text);
        assert_int_equal(quota("0::/app\n"), rows[i].count);
    }
}

static void what_is_no_quota_is_none(void **state) {
    (void)state;
    static const char *const texts[] = {
        "max 100000\n",
        "",
        "\n",
        "nonsense\n",
        "200000\n",
        "200000 max\n",
        "0 100000",
        "-1 100000",
        "200000 0\n",
        "200000 -100000\n",
        "9223372036854775807 1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_file("fs/app/cpu.max", texts[i]);
        if (quota("0::/app\n") != 0)
            fail_msg("a quota in: %s", texts[i]);
    }
}

static void the_least_quota_of_all_levels_counts(void **state) {
    (void)state;
    write_file("fs/a/cpu.max", "400000 100000\n");
    write_file("fs/a/b/cpu.max", "200000 100000\n");
    write_file("fs/a/b/c/cpu.max", "max 100000\n");
    write_file("fs/a/b/c/d/cpu.max", "800000 100000\n");
    write_file("fs/other/cpu.max", "100000 100000\n");
    assert_int_equal(quota("0::/a/b/c/d\n"), 2);
    assert_int_equal(quota("0::/a/b/c\n"), 2);
    assert_int_equal(quota("0::/a/b/c/\n"), 2);
    assert_int_equal(quota("0::/a\n"), 4);
    write_file("fs/cpu.max", "100000 100000\n"); // of the root that a container sees
    assert_int_equal(quota("0::/a/b/c/d\n"), 1);
}

// With a namespace of its own the process is at the root; without one its path is the host's, which
// does not exist inside.
static void in_a_container_the_root_has_the_quota(void **state) {
    (void)state;
    write_file("fs/cpu.max", "300000 100000\n");
    assert_int_equal(quota("0::/\n"), 3);
    assert_int_equal(quota("0::/system.slice/docker-0123456789abcdef.scope\n"), 3);
    assert_int_equal(quota("0::/../elsewhere\n"), 3);
}

static void names_of_groups_may_be_odd(void **state) {
    (void)state;
    write_file("fs/kube/cri:12:34/cpu.max", "200000 100000\n");
    write_file("fs/two words/cpu.max", "300000 100000\n");
    assert_int_equal(quota("0::/kube/cri:12:34\n"), 2);
    assert_int_equal(quota("0::/two words\n"), 3);
    assert_int_equal(quota("0::/two words"), 3);
}

static void lines_that_are_none_are_passed_over(void **state) {
    (void)state;
    write_file("fs/app/cpu.max", "200000 100000\n");
    assert_int_equal(quota("garbage\n\n::\n0\n0:\n:\n0::/app\n"), 2);
}

static void lengthen(char *group, size_t length) {
    static const char level[] = "/a-level-with-a-name-of-some-length";
    for (size_t at = strlen(group); at < length; at += sizeof level - 1)
        memcpy(group + at, level, sizeof level);
}

// A group that is too deep to be named still has its ancestors' quotas.
static void a_path_may_be_long(void **state) {
    (void)state;
    char group[PATH_MAX_HERE / 2] = "/top", line[PATH_MAX_HERE];
    write_file("fs/top/cpu.max", "300000 100000\n");
    lengthen(group, 600);
    (void)snprintf(line, sizeof line, "fs%s/cpu.max", group);
    write_file(line, "200000 100000\n");
    (void)snprintf(line, sizeof line, "0::%s\n", group);
    assert_int_equal(quota(line), 2);
    lengthen(group, 1900);
    (void)snprintf(line, sizeof line, "0::%s\n", group);
    assert_in_range(quota(line), 2, 3);
}

// ---- Version 1 ------------------------------------------------------------------------------

static void write_v1(const char *group, const char *quota_us, const char *period_us) {
    char name[256];
    (void)snprintf(name, sizeof name, "fs/cpu%s/cpu.cfs_quota_us", group);
    write_file(name, quota_us);
    (void)snprintf(name, sizeof name, "fs/cpu%s/cpu.cfs_period_us", group);
    write_file(name, period_us);
}

static void version_1_has_two_files(void **state) {
    (void)state;
    write_v1("/app", "250000\n", "100000\n");
    assert_int_equal(quota("4:cpu,cpuacct:/app\n"), 3);
    assert_int_equal(quota("4:cpuacct,cpu:/app\n"), 3);
    assert_int_equal(quota("1:cpu:/app\n"), 3);
    assert_int_equal(quota("12:pids:/\n4:cpu,cpuacct:/app\n1:name=systemd:/\n"), 3);
    write_v1("/app", "-1\n", "100000\n");
    assert_int_equal(quota("1:cpu:/app\n"), 0);
    write_v1("/app", "250000\n", "0\n");
    assert_int_equal(quota("1:cpu:/app\n"), 0);
    write_v1("/app", "250000\n", "");
    assert_int_equal(quota("1:cpu:/app\n"), 0);
    write_v1("/app", "", "100000\n");
    assert_int_equal(quota("1:cpu:/app\n"), 0);
}

static void other_controllers_of_version_1_do_not_count(void **state) {
    (void)state;
    write_v1("/app", "100000\n", "100000\n");
    assert_int_equal(quota("3:cpuset:/app\n2:cpuacct:/app\n1:name=cpu:/app\n"), 0);
}

static void version_1_has_levels_and_containers_too(void **state) {
    (void)state;
    write_v1("/a", "200000\n", "100000\n");
    write_v1("/a/b", "400000\n", "100000\n");
    assert_int_equal(quota("1:cpu:/a/b\n"), 2);
    assert_int_equal(quota("1:cpu:/docker/0123456789\n"), 0);
    write_v1("", "150000\n", "100000\n");
    assert_int_equal(quota("1:cpu:/docker/0123456789\n"), 2);
    assert_int_equal(quota("1:cpu:/\n"), 2);
}

// A system may have both, the controller being in one of them.
static void with_both_versions_the_least_counts(void **state) {
    (void)state;
    static const char groups[] = "2:cpu,cpuacct:/app\n1:name=systemd:/app\n0::/app\n";
    write_v1("/app", "300000\n", "100000\n");
    assert_int_equal(quota(groups), 3);
    write_file("fs/app/cpu.max", "200000 100000\n");
    assert_int_equal(quota(groups), 2);
    write_v1("/app", "-1\n", "100000\n");
    assert_int_equal(quota(groups), 2);
}

// ---- Affinity -------------------------------------------------------------------------------

static void what_is_counted_are_the_processors_of_the_mask(void **state) {
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    uint32_t all = weft__os_cpu_count();
    assert_in_range(all, 1, CPU_COUNT(&before)); // a quota may leave fewer
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(weft__os_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(weft__os_cpu_count(), all);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(without_groups_there_is_no_quota),
        CASE(a_quota_is_in_processors_rounded_up),
        CASE(what_is_no_quota_is_none),
        CASE(the_least_quota_of_all_levels_counts),
        CASE(in_a_container_the_root_has_the_quota),
        CASE(names_of_groups_may_be_odd),
        CASE(lines_that_are_none_are_passed_over),
        CASE(a_path_may_be_long),
        CASE(version_1_has_two_files),
        CASE(other_controllers_of_version_1_do_not_count),
        CASE(version_1_has_levels_and_containers_too),
        CASE(with_both_versions_the_least_counts),
        CASE(what_is_counted_are_the_processors_of_the_mask),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}

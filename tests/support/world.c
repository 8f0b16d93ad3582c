// SPDX-License-Identifier: MIT
// The world of a test: driver, seed and slowness; and what is left at its end. Not the waiting for
// states (await.c) and not the faults (fault.c).
#include "world.h"

#include "check.h"
#include "weft_testing.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

enum { SIM_WORKERS = 3 };

static const char *the_driver = "thread";
static uint64_t the_seed = 1;

void world_set(const char *driver, uint64_t seed) {
    the_driver = driver;
    the_seed = seed;
}

const char *world_driver(void) {
    return the_driver;
}

uint64_t world_seed(void) {
    return the_seed;
}

bool world_is(const char *driver) {
    return strcmp(the_driver, driver) == 0;
}

bool world_has_tasks(void) {
    return !world_is("thread");
}

int world_start_workers(unsigned workers) {
    return weft__testing_start_workers(the_seed, workers);
}

int world_start(void) {
    if (world_is("sim"))
        return world_start_workers(the_seed % 2 == 0 ? SIM_WORKERS : 1);
    return weft__testing_start(the_driver, the_seed);
}

uint64_t world_trace_hash(void) {
    return world_is("sim") ? weft__testing_trace_hash() : 0;
}

uint64_t world_requests(uint8_t opcode) {
    return weft__testing_requests(opcode);
}

static size_t number_in_environment(const char *name, size_t otherwise) {
    const char *text = getenv(name);
    if (text == NULL)
        return otherwise;
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    return end != text && *end == '\0' && number > 0 ? (size_t)number : otherwise;
}

size_t test_scale(void) {
    return number_in_environment("WEFT_TEST_SCALE", 1);
}

bool test_under_valgrind(void) {
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

// Emulators hide themselves well, so whoever runs the tests under one sets WEFT_TEST_SLOW.
size_t test_slowness(void) {
    bool is_slow = IS_SANITIZED || test_under_valgrind() || getenv("WEFT_TEST_SLOW") != NULL;
    return is_slow ? 10 : 1;
}

int64_t test_limit_ns(void) {
    size_t seconds =
        number_in_environment("WEFT_TEST_TIMEOUT", 30) * test_slowness() * test_scale();
    return (int64_t)seconds * INT64_C(1000000000);
}

// The descriptor that reads the directory is not counted.
static size_t count_descriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            count++;
    closedir(dir);
    return count - 1;
}

void leftovers_count(struct leftovers *ret_left) {
    struct weft__testing_left left;
    weft__testing_left(&left);
    *ret_left = (struct leftovers){left.tasks, left.handles, left.operations, left.stacks,
                                   count_descriptors()};
}

static void list_descriptors(void) {
    for (int fd = 0; fd < 1024; fd++) {
        char path[32], target[128];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(path, target, sizeof target - 1);
        if (size >= 0) {
            target[size] = '\0';
            print_message("    descriptor %d: %s\n", fd, target);
        }
    }
}

static bool is_more_than(const struct leftovers *now, const struct leftovers *before) {
    return now->tasks > before->tasks || now->handles > before->handles ||
           now->operations > before->operations || now->stacks > before->stacks ||
           now->descriptors > before->descriptors;
}

// A lookup that was abandoned goes on in its helper thread until getaddrinfo(3) returns, and has
// files of the C library's open meanwhile; so descriptors are given time to go.
void leftovers_expect_none(const struct leftovers *before) {
    struct leftovers now;
    leftovers_count(&now);
    for (int tries = 0; tries < 1000 && now.descriptors > before->descriptors; tries++) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        leftovers_count(&now);
    }
    if (!is_more_than(&now, before))
        return;
    list_descriptors();
    fail_msg("left behind (now, before): tasks %zu, %zu; handles %zu, %zu; operations %zu, %zu; "
             "stacks %zu, %zu; descriptors %zu, %zu",
             now.tasks, before->tasks, now.handles, before->handles, now.operations,
             before->operations, now.stacks, before->stacks, now.descriptors, before->descriptors);
}

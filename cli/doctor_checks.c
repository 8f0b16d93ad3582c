// SPDX-License-Identifier: MIT
// What `weft doctor` looks at: the drivers, by starting them; limits and settings, by asking the
// kernel; IPv6 and names, by using them on the loopback. Nothing leaves this machine.
#include "doctor.h"
#include "units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <weft.h>

enum {
    DESCRIPTORS_MIN_COUNT = 10240, // a client takes one each
    BACKLOG_MIN_COUNT = 1024,
    MAPPINGS_MIN_COUNT = 65530, // the kernel's own default
    LOCKED_MIN_SIZE = 1 << 20,  // a ring takes about 100 KiB
};

#define SAY(field, ...) snprintf((field), sizeof(field), __VA_ARGS__)

// Reads a number from /proc/sys. Returns it, or -1.
static long long setting(const char *path) {
    char line[64];
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    bool has_line = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    return has_line ? strtoll(line, NULL, 10) : -1;
}

// The drivers are tried in silence: what they say about themselves becomes a finding.
static void drop_line(int level, const char *text, void *context) {
    (void)level;
    (void)text;
    (void)context;
}

// Starts a driver and stops it again. Returns 0 and names it, or the error.
static int try_driver(const char *driver, const char **ret_name) {
    int result = weft_start(&(weft_options){.driver = driver, .log = drop_line});
    if (result < 0)
        return result;
    *ret_name = weft_driver_name();
    return weft_stop(WEFT_SECOND);
}

// What a program here would get, with its environment as it is.
static void check_driver(struct cli_finding *f) {
    const char *asked = getenv("WEFT_DRIVER"), *name = "";
    f->name = "driver";
    int result = try_driver(NULL, &name);
    if (result == 0) {
        SAY(f->value, "%s", name);
        if (asked && *asked)
            SAY(f->detail, "WEFT_DRIVER=%s is set", asked);
        return;
    }
    f->verdict = CLI_BAD;
    SAY(f->value, "none starts");
    (void)weft_explain(f->detail, sizeof f->detail);
    SAY(f->cure, "%s", asked && *asked ? "unset WEFT_DRIVER" : "see the drivers below");
}

// Tries one driver by name. A name does not fall back: the failure says what is in its way.
static int check_one_driver(struct cli_finding *f, const char *driver, enum cli_verdict missing) {
    const char *name;
    f->name = driver;
    int result = try_driver(driver, &name);
    SAY(f->value, "%s", result == 0 ? "works" : "not available");
    if (result < 0) {
        f->verdict = missing;
        (void)weft_explain(f->detail, sizeof f->detail);
    }
    return result;
}

// What helps against a refusal of io_uring; the sentence of the library says what was refused.
static const char *uring_cure(int code) {
    if (setting("/proc/sys/kernel/io_uring_disabled") > 0)
        return "sysctl -w kernel.io_uring_disabled=0";
    switch (code) {
    case -EPERM:
    case -EACCES:
        return "let the seccomp profile of the container or service allow io_uring_setup";
    case -ENOMEM:
        return "raise memlock in /etc/security/limits.conf, or LimitMEMLOCK= in the unit, to 8M";
    case -EMFILE:
        return "ulimit -n 1024";
    default:
        return "use Linux 6.1 or newer, and a weft that was built with liburing";
    }
}

static void check_uring(struct cli_finding *f) {
    int result = check_one_driver(f, "uring", CLI_NOTE); // epoll serves, too, a little dearer
    if (result < 0)
        SAY(f->cure, "%s", uring_cure(result));
}

static void check_epoll(struct cli_finding *f) {
    (void)check_one_driver(f, "epoll", CLI_BAD); // nothing is known to cure it
}

// No judgement: a version does not tell what works, the drivers above do.
static void check_kernel(struct cli_finding *f) {
    struct utsname system;
    f->name = "kernel";
    if (uname(&system) == 0)
        SAY(f->value, "%.60s %.60s %.30s", system.sysname, system.release, system.machine);
}

// The text of a limit that may be infinite; bytes as KiB and MiB.
static const char *limit_text(rlim_t limit, bool is_size, char buf[static CLI_UNIT_TEXT_SIZE]) {
    if (limit == RLIM_INFINITY)
        return "unlimited";
    if (is_size)
        return cli_size_text(limit, buf);
    snprintf(buf, CLI_UNIT_TEXT_SIZE, "%llu", (unsigned long long)limit);
    return buf;
}

// A soft limit that is low only because nobody raised it can be raised by the user alone.
static void check_descriptors(struct cli_finding *f) {
    char soft[CLI_UNIT_TEXT_SIZE], hard[CLI_UNIT_TEXT_SIZE];
    struct rlimit limit = {0};
    f->name = "nofile";
    (void)getrlimit(RLIMIT_NOFILE, &limit); // it fails only for a wrong argument
    SAY(f->value, "%s", limit_text(limit.rlim_cur, false, soft));
    SAY(f->detail, "descriptors this shell's programs may open; hard limit %s",
        limit_text(limit.rlim_max, false, hard));
    if (limit.rlim_cur >= DESCRIPTORS_MIN_COUNT)
        return;
    f->verdict = CLI_NOTE;
    if (limit.rlim_max >= DESCRIPTORS_MIN_COUNT)
        SAY(f->cure, "ulimit -n %s", limit.rlim_max == RLIM_INFINITY ? "65536" : hard);
    else
        SAY(f->cure, "raise nofile in /etc/security/limits.conf, or LimitNOFILE= in the unit");
}

// Counted for io_uring's rings unless the user has CAP_IPC_LOCK.
static void check_locked_memory(struct cli_finding *f) {
    char soft[CLI_UNIT_TEXT_SIZE], hard[CLI_UNIT_TEXT_SIZE];
    struct rlimit limit = {0};
    f->name = "memlock";
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    SAY(f->value, "%s", limit_text(limit.rlim_cur, true, soft));
    SAY(f->detail, "memory that io_uring may lock; hard limit %s",
        limit_text(limit.rlim_max, true, hard));
    if (limit.rlim_cur >= LOCKED_MIN_SIZE)
        return;
    f->verdict = CLI_NOTE;
    SAY(f->cure, "raise memlock in /etc/security/limits.conf, or LimitMEMLOCK= in the unit, to 8M");
}

// One sysctl that should be at least `least`.
static void check_setting(struct cli_finding *f, const char *sysctl, const char *path,
                          long long least, const char *meaning) {
    long long value = setting(path);
    SAY(f->detail, "%s: %s", sysctl, meaning);
    if (value < 0) {
        f->verdict = CLI_NOTE;
        SAY(f->value, "unknown");
        SAY(f->cure, "mount /proc; nothing else depends on it");
        return;
    }
    SAY(f->value, "%lld", value);
    if (value >= least)
        return;
    f->verdict = CLI_NOTE;
    SAY(f->cure, "sysctl -w %s=%lld", sysctl, least);
}

static void check_backlog(struct cli_finding *f) {
    f->name = "somaxconn";
    check_setting(f, "net.core.somaxconn", "/proc/sys/net/core/somaxconn", BACKLOG_MIN_COUNT,
                  "connections that may wait to be accepted");
}

static void check_mappings(struct cli_finding *f) {
    f->name = "max_map_count";
    check_setting(f, "vm.max_map_count", "/proc/sys/vm/max_map_count", MAPPINGS_MIN_COUNT,
                  "mappings; before Linux 6.13 the guard pages of stacks take two each");
}

// Connecting tells more than listening: the route to ::1 may be missing while the address exists.
static void check_ipv6(struct cli_finding *f) {
    f->name = "ipv6";
    int listener = weft_tcp_listen("[::1]:0");
    int conn = -1;
    if (listener > 0) {
        char where[WEFT_ADDR_TEXT_SIZE];
        weft_addr addr;
        if (weft_local_addr(listener, &addr) == 0)
            conn = weft_tcp_connect(weft_addr_text(&addr, where));
    }
    SAY(f->value, "%s", conn > 0 ? "works" : "not available");
    if (conn <= 0) {
        f->verdict = CLI_NOTE;
        (void)weft_explain(f->detail, sizeof f->detail);
        SAY(f->cure, "sysctl -w net.ipv6.conf.lo.disable_ipv6=0");
    } else {
        SAY(f->detail, "on the loopback, ::1");
    }
    weft_close(conn);
    weft_close(listener);
}

// localhost is answered on this machine: a check-up should not depend on anybody's name server.
static void check_resolver(struct cli_finding *f) {
    char text[WEFT_ADDR_TEXT_SIZE];
    weft_addr found[4];
    f->name = "resolver";
    weft_within(2 * WEFT_SECOND);
    int count = weft_resolve("localhost:0", found, 4);
    if (count < 0) {
        f->verdict = CLI_NOTE;
        SAY(f->value, "does not know localhost");
        (void)weft_explain(f->detail, sizeof f->detail);
        SAY(f->cure, "put '127.0.0.1 localhost' into /etc/hosts; see nsswitch.conf(5)");
        return;
    }
    SAY(f->value, "works");
    size_t size = (size_t)SAY(f->detail, "localhost is");
    for (int i = 0; i < count && size < sizeof f->detail; i++)
        size += (size_t)snprintf(f->detail + size, sizeof f->detail - size, " %s",
                                 weft_addr_ip_text(&found[i], text));
}

cli_check *const cli_checks[] = {
    check_driver,        check_uring,   check_epoll,    check_kernel, check_descriptors,
    check_locked_memory, check_backlog, check_mappings, check_ipv6,   check_resolver,
};
const int cli_checks_count = sizeof cli_checks / sizeof *cli_checks;

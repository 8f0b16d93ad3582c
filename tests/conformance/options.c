// SPDX-License-Identifier: MIT
// Options structs and the environment: zero is the default, structs may grow at their end, and what
// is read from the environment is read once.
#include "case.h"
#include "fault.h"

#include <stdlib.h>
#include <string.h>

static int do_nothing(void *unused) {
    (void)unused;
    return 0;
}

// "The `_with` macros pass `sizeof` so that structs can grow at their end": a program compiled with
// an older, shorter struct works, and so does one with a newer, longer one that leaves the rest
// zero.
CASE(option_structs_may_be_shorter_and_longer) {
    struct {
        weft_tcp_options known;
        char later[64];
    } tcp = {.known = {.backlog = 5}};
    struct {
        weft_udp_options known;
        char later[64];
    } udp = {.known = {.reuse_addr = 1}};
    weft_addr addr = weft_addr_ipv4(127, 0, 0, 1, 0);
    int handles[] = {
        opened(weft_priv_tcp_listen(&addr, &tcp.known, sizeof tcp)),
        opened(weft_priv_tcp_listen(&addr, &tcp.known, sizeof(int))),
        opened(weft_priv_tcp_listen(&addr, &tcp.known, 0)),
        opened(weft_priv_udp_bind(&addr, &udp.known, sizeof udp)),
        opened(weft_priv_udp_bind(&addr, &udp.known, sizeof(int))),
    };
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        expect(weft_close(handles[i]), 0);
}

// What lies beyond the size that was passed is not looked at.
CASE(options_beyond_their_size_are_not_looked_at) {
    weft_addr addr;
    char buf[4];
    int truncated = 7;
    weft_recv_options options = {.peek = 0, .ret_truncated = &truncated};
    int sock = udp_anywhere(&addr);
    expect(weft_send_to(sock, "0123456789", 10, &addr), 10);
    expect(weft_priv_recv(sock, buf, 4, &options, sizeof options.peek), 4);
    expect(truncated, 7);
    expect(weft_close(sock), 0);
}

CASE(task_options_may_be_shorter_and_longer) {
    struct {
        weft_task_options known;
        char later[64];
    } task = {.known = {.name = "grown"}};
    weft_scope scope = {0};
    expect(weft_priv_go(&scope, do_nothing, NULL, &task.known, sizeof task), 0);
    expect(weft_priv_go(&scope, do_nothing, NULL, &task.known, sizeof(char *)), 0);
    expect(weft_priv_go(&scope, do_nothing, NULL, &task.known, 0), 0);
    expect(weft_go_with(&scope, do_nothing, NULL, NULL), 0);
    expect(weft_join(&scope), 0);
}
CASE_NEEDS_TASKS(task_options_may_be_shorter_and_longer)

// One line of the kind that warns: a shortage at accept.
static void cause_a_warning(void) {
    weft_addr addr;
    int listener = listen_anywhere(&addr);
    fault_every("accept", 1, -EMFILE);
    expect_waits(weft_accept(listener));
    fault_none();
    expect(weft_close(listener), 0);
}

static size_t lines_with_level(const char *level) {
    if (level != NULL)
        setenv("WEFT_LOG", level, 1);
    else
        unsetenv("WEFT_LOG");
    stderr_catch_begin();
    if (world_has_tasks())
        expect(world_start(), 0);
    cause_a_warning();
    if (world_has_tasks())
        expect(weft_stop(WEFT_SECOND), 0);
    size_t count = stderr_catch_count("weft: accept");
    stderr_catch_end();
    return count;
}

// "Else to stderr at warning (WEFT_LOG=off|warn|info)". Each case is a process, which reads it
// once.
CASE(log_lines_go_to_stderr_by_default, .is_bare = true) {
    expect(lines_with_level(NULL), 1);
}
CASE(log_level_info_includes_warnings, .is_bare = true) {
    expect(lines_with_level("info"), 1);
}
CASE(log_level_off_is_silent, .is_bare = true) {
    expect(lines_with_level("off"), 0);
}

// "weft_strerror knows all."
CASE(the_codes_that_errno_lacks_have_names_and_texts) {
    static const int codes[] = {WEFT_ENAME, WEFT_ENAMEFAIL, WEFT_EADDRESS};
    static const char *const names[] = {"WEFT_ENAME", "WEFT_ENAMEFAIL", "WEFT_EADDRESS"};
    for (int i = 0; i < 3; i++) {
        expect_that(codes[i] > 4095);
        assert_string_equal(weft_strerrorname(-codes[i]), names[i]);
        expect_that(strcmp(weft_strerror(-codes[i]), "unknown error") != 0);
    }
}

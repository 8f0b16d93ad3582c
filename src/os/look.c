// SPDX-License-Identifier: MIT
//
// 1. A thread that waits in the kernel is read, not disturbed: a signal would end its nanosleep(2)
//    or its poll(2) early. Without its registers nobody can unwind its stack, so the stack is
//    searched for return addresses: words that point into code, behind a call instruction.
// 2. A thread that runs is asked by a signal, because nothing else knows where it is. It is SIGBUS,
//    sent by tgkill(2), whose handler is ours while task stacks are guarded: no other disposition
//    has to change. The handler unwinds its own thread and answers.
// 3. One question at a time. It stays asked until its thread has answered, however late, because a
//    signal that nobody claims would end the process; who asked waits for ANSWER_NS and then goes
//    without. So does who comes while somebody else asks.
#include "os/look.h"

#include "base/compiler.h"
#include "os/fault.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAS_BACKTRACE 1
#endif

#include "os/symbol.h"

enum {
    FILE_SIZE = 2048,        // of /proc/.../status, all that is read
    SEARCHED_SIZE = 8192,    // bytes of a stack
    LONGEST_CALL = 8,        // bytes of an instruction, and one
    CALLS_MAX = 48,          // of an answer, the handler's own included
    HANDLER_STACK = 16 << 10 // bytes that unwinding may need
};
static const int64_t ANSWER_NS = 50000000;

// ---- What the kernel says -------------------------------------------------------------------

static bool read_file(uint32_t thread_id, const char *name, char *buf, size_t size) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%u/%s", thread_id, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, buf, size - 1);
    if (fd >= 0)
        close(fd);
    buf[length > 0 ? length : 0] = '\0';
    return length > 0;
}

// "running", "NUMBER ARGUMENTS... SP PC", or "-1 SP PC" outside a system call.
static void read_wait(const char *text, struct weft__look *look) {
    const char *pc = strrchr(text, ' '), *sp = pc;
    if (!pc || strncmp(text, "running", 7) == 0)
        return;
    while (sp > text && sp[-1] != ' ')
        sp--;
    look->is_waiting = true;
    look->pc = strtoull(pc, NULL, 16);
    look->sp = strtoull(sp, NULL, 16);
}

void weft__look(uint32_t thread_id, struct weft__look *ret_look) {
    char text[FILE_SIZE], *end;
    *ret_look = (struct weft__look){.ran_ns = -1};
    ret_look->is_known = read_file(thread_id, "syscall", text, sizeof text);
    if (ret_look->is_known)
        read_wait(text, ret_look);
    if (!read_file(thread_id, "schedstat", text, sizeof text))
        return;
    ret_look->ran_ns = (int64_t)strtoull(text, &end, 10);
    ret_look->queued_ns = (int64_t)strtoull(end, NULL, 10);
}

// A number of /proc/.../status, or `otherwise`.
static uint64_t status_number(const char *status, const char *field, int base, uint64_t otherwise) {
    const char *line = strstr(status, field);
    return line ? strtoull(line + strlen(field), NULL, base) : otherwise;
}

// ThreadSanitizer takes SIGBUS for a fault and runs the handler at once, in the middle of its own
// locks.
static bool may_be_asked(uint32_t thread_id) {
    char status[FILE_SIZE];
    if (WEFT__UNDER_TSAN || !weft__fault_is_watched(SIGBUS) ||
        !read_file(thread_id, "status", status, sizeof status))
        return false;
    uint64_t blocked = status_number(status, "\nSigBlk:", 16, UINT64_MAX);
    return status_number(status, "\nTracerPid:", 10, 1) == 0 && (blocked >> (SIGBUS - 1) & 1) == 0;
}

// ---- Who asks -------------------------------------------------------------------------------

static WEFT__ATOMIC(int) asking; // the process in which somebody does; 0: none

// Not before a fork(2): who asked then is not in this process.
static bool begin_asking(void) {
    int found = weft__load(&asking, relaxed), self = getpid();
    return found != self && weft__cas(&asking, &found, self, acquire);
}

static void end_asking(void) {
    weft__store(&asking, 0, release);
}

// ---- A thread that waits --------------------------------------------------------------------

// Whether the instruction that ends at `address` is a call.
static bool follows_call(uintptr_t address) {
    const uint8_t *code = (const uint8_t *)address;
#if defined(__x86_64__)
    static const int lengths[] = {2, 3, 4, 6, 7}; // of an indirect one: FF /2
    if (code[-5] == 0xe8)
        return true;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        if (code[-lengths[i]] == 0xff && (code[1 - lengths[i]] & 0x38) == 0x10)
            return true;
    return false;
#elif defined(__aarch64__)
    uint32_t instruction;
    memcpy(&instruction, code - sizeof instruction, sizeof instruction);
    return address % sizeof instruction == 0 &&
           ((instruction & 0xfc000000) == 0x94000000 || (instruction & 0xfffffc1f) == 0xd63f0000);
#else
    return code != NULL;
#endif
}

size_t weft__look_calls(uintptr_t pc, uintptr_t sp, uintptr_t top, uintptr_t *ret_calls,
                        size_t capacity) {
    static uintptr_t words[SEARCHED_SIZE / sizeof(uintptr_t)]; // too many for a task's stack
    size_t count = 0;
    if (capacity > 0)
        ret_calls[count++] = pc;
    if (sp >= top || !begin_asking())
        return count;
    struct iovec here = {words, sizeof words}, there = {(void *)sp, top - sp};
    ssize_t size = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    for (ssize_t i = 0; i < size / (ssize_t)sizeof *words && count < capacity; i++)
        if (weft__symbol_is_code(words[i] - LONGEST_CALL) && follows_call(words[i]))
            ret_calls[count++] = words[i];
    end_asking();
    return count;
}

// ---- A thread that runs ---------------------------------------------------------------------

static struct {
    WEFT__ATOMIC(uint64_t) asked;   // process and thread that is to answer; 0: nobody
    WEFT__ATOMIC(uint32_t) answers; // a futex: changes with each answer
    size_t count;                   // these two are the handler's, until it has answered
    void *calls[CALLS_MAX];
} question;

size_t weft__look_own_calls(size_t skipped, uintptr_t *ret_calls, size_t capacity) {
    size_t count = 0;
#if HAS_BACKTRACE
    void *calls[CALLS_MAX];
    size_t found = (size_t)backtrace(calls, CALLS_MAX);
    for (size_t i = skipped + 1; i < found && count < capacity; i++)
        ret_calls[count++] = (uintptr_t)calls[i];
#else
    (void)skipped, (void)ret_calls, (void)capacity;
#endif
    return count;
}

// After a fork(2) a question of the parent's is none.
static uint64_t name_of(uint32_t thread_id) {
    return (uint64_t)getpid() << 32 | thread_id;
}

// The first frames are the handler's; the one that it has interrupted follows.
static uintptr_t interrupted_at(const ucontext_t *context) {
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    return 0;
#endif
}

bool weft__look_answer(const void *siginfo, const void *context) {
    const siginfo_t *info = siginfo;
    const ucontext_t *at = context;
    if (info->si_code != SI_TKILL || info->si_pid != getpid() ||
        weft__load(&question.asked, acquire) != name_of(weft__os_thread_id()))
        return false;
    question.count = 0;
#if HAS_BACKTRACE
    if (!(at->uc_stack.ss_flags & SS_DISABLE) && at->uc_stack.ss_size >= HANDLER_STACK)
        question.count = (size_t)backtrace(question.calls, CALLS_MAX);
#endif
    for (size_t i = 0; i < question.count; i++)
        if ((uintptr_t)question.calls[i] == interrupted_at(at)) {
            question.count -= i;
            memmove(question.calls, question.calls + i, question.count * sizeof(void *));
            break;
        }
    weft__fetch_add(&question.answers, 1, release);
    weft__store(&question.asked, 0, release);
    weft__futex_wake(&question.answers, 1);
    return true;
}

// The first backtrace(3) of a process loads a library, which no handler may do. Rule 3.
static bool ask(uint32_t thread_id, uint32_t *ret_answers) {
    uintptr_t warm;
    if (weft__load(&question.asked, acquire) >> 32 == (uint64_t)getpid() ||
        !may_be_asked(thread_id) || weft__look_own_calls(0, &warm, 1) == 0)
        return false;
    *ret_answers = weft__load(&question.answers, relaxed); // of those before
    weft__store(&question.asked, name_of(thread_id), release);
    if (syscall(SYS_tgkill, getpid(), thread_id, SIGBUS) == 0)
        return true;
    weft__store(&question.asked, 0, relaxed);
    return false;
}

static bool await_answer(uint32_t seen) {
    int64_t until = weft__clock_monotonic_ns() + ANSWER_NS;
    while (weft__load(&question.answers, acquire) == seen)
        if (weft__clock_monotonic_ns() >= until)
            return false;
        else
            weft__futex_wait(&question.answers, seen, until);
    return true;
}

size_t weft__look_calls_running(uint32_t thread_id, uintptr_t *ret_calls, size_t capacity) {
    uint32_t seen;
    size_t count = 0;
    if (!begin_asking())
        return 0;
    if (ask(thread_id, &seen) && await_answer(seen))
        for (; count < question.count && count < capacity; count++)
            ret_calls[count] = (uintptr_t)question.calls[count];
    end_asking();
    return count;
}

// ---- Text -----------------------------------------------------------------------------------

void weft__look_put_calls(struct weft__text *text, const uintptr_t *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        weft__text_put(text, i == 0 ? "" : " < ");
        if (i == 0)
            weft__symbol_put(text, calls[i]);
        else
            weft__symbol_put_caller(text, calls[i]);
    }
}

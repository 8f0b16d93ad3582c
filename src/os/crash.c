// SPDX-License-Identifier: MIT
//
// The handlers of the signals that end a process for what it does itself; and, where the program
// has none, of those that others send to end it.
#include "os/crash.h"

#include "base/atomic.h"
#include "base/text.h"
#include "os/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} signals[] = {{SIGABRT, "SIGABRT"}, {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},
               {SIGFPE, "SIGFPE"},   {SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"},
               {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"},   {SIGALRM, "SIGALRM"}};
enum { SIGNAL_COUNT = sizeof signals / sizeof *signals, FIRST_SENT = 6 };

static struct {
    void (*say)(const char *signal); // NULL: not watching
    WEFT__ATOMIC(uint32_t) has_said;
    struct sigaction before[SIGNAL_COUNT];
} watch;

// What was there before may end the process itself (a sanitizer's handler does). Else the default
// action does: a fault happens again when the handler returns, and what was sent is sent once more.
static void on_crash(int number, siginfo_t *info, void *context) {
    size_t i = 0;
    while (signals[i].number != number)
        i++;
    if (weft__exchange(&watch.has_said, 1, relaxed) == 0)
        watch.say(signals[i].name);
    if (weft__signal_pass_on(&watch.before[i], number, info, context))
        return;
    (void)signal(number, SIG_DFL);
    if (info->si_code <= 0)
        (void)raise(number);
}

void weft__crash_watch(void (*say)(const char *signal)) {
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    watch.say = say;
    weft__store(&watch.has_said, 0, relaxed);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        (void)sigaction(signals[i].number, NULL, &watch.before[i]);
        if (i < FIRST_SENT || watch.before[i].sa_handler == SIG_DFL)
            (void)sigaction(signals[i].number, &action, NULL);
    }
}

void weft__crash_unwatch(void) {
    struct sigaction now;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        if (sigaction(signals[i].number, NULL, &now) == 0 && now.sa_sigaction == on_crash)
            (void)sigaction(signals[i].number, &watch.before[i], NULL);
    watch.say = NULL;
}

// ---- The command line -----------------------------------------------------------------------

static bool is_plain(const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,+@%";
    return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

// Between single quotes all is literal but a single quote, which stands outside of them: '\''.
static void put_word(struct weft__text *text, const char *word) {
    if (is_plain(word)) {
        weft__text_put(text, word);
        return;
    }
    weft__text_put(text, "'");
    for (; *word; word++) {
        const char letter[2] = {*word, '\0'};
        weft__text_put(text, *word == '\'' ? "'\\''" : letter);
    }
    weft__text_put(text, "'");
}

void weft__os_command_line(char *buf, size_t size) {
    char words[4096];
    struct weft__text text;
    weft__text_init(&text, buf, size);
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, words, sizeof words - 1);
    if (fd >= 0)
        close(fd);
    words[got > 0 ? got : 0] = '\0';
    for (ssize_t i = 0; i < got; i += (ssize_t)strlen(words + i) + 1) {
        if (i > 0)
            weft__text_put(&text, " ");
        put_word(&text, words + i);
    }
}

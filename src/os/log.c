// SPDX-License-Identifier: MIT
//
// Log lines, one write(2) each, so that lines of several threads and processes do not mix. A long
// line is cut. Not for errors, which are returned, and not for panics (base/assert.h).
#include "os/os.h"

#include "base/text.h"
#include "os/lock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 1024, PATIENCE_MS = 1000 };

static struct {
    struct weft__lock lock; // guards the two below
    weft__log_sink *sink;
    void *context;
} target;

static WEFT__ATOMIC(int) stderr_level = -1; // -1: WEFT_LOG was not read yet

// A fork(2) may have caught another thread inside the lock; the child has that thread no more, and
// the pair may be half written.
static void forked(void) {
    if (weft__load(&target.lock.word, relaxed) != 0) {
        target.sink = NULL;
        target.context = NULL;
    }
    weft__store(&target.lock.word, 0, relaxed);
}

void weft__log_to(weft__log_sink *sink, void *context) {
    (void)weft__os_at_fork_child(forked); // without it only a child of an unlucky fork is worse off
    weft__lock(&target.lock);
    target.sink = sink;
    target.context = context;
    weft__unlock(&target.lock);
}

// WEFT_LOG comes from outside and may hold anything.
static void complain_of_level(const char *word) {
    char escaped[64];
    struct weft__text text;
    weft__text_init(&text, escaped, sizeof escaped);
    weft__text_put_escaped(&text, word, strlen(word));
    weft__log(WEFT__LOG_WARN, "WEFT_LOG=%s is unknown: there are off, warn and info", escaped);
}

// Threads that race here read the same variable and store the same number; the first one complains.
static int level_of_stderr(void) {
    static const char *const words[] = {
        [WEFT__LOG_OFF] = "off", [WEFT__LOG_WARN] = "warn", [WEFT__LOG_INFO] = "info"};
    int level = weft__load(&stderr_level, relaxed);
    if (level >= 0)
        return level;
    const char *word = weft__env("WEFT_LOG");
    for (level = WEFT__LOG_INFO; level >= 0; level--)
        if (word != NULL && strcmp(word, words[level]) == 0)
            break;
    bool is_unknown = word != NULL && level < 0;
    if (level < 0)
        level = WEFT__LOG_WARN;
    if (weft__exchange(&stderr_level, level, relaxed) < 0 && is_unknown)
        complain_of_level(word);
    return level;
}

// A descriptor that is non-blocking and full is given so much time, again and again.
static int write_all(int fd, const char *data, size_t size, int patience_ms) {
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN && poll(&ready, 1, patience_ms) == 1)
            continue;
        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

// It may be a pipe whose reader is gone, and SIGPIPE never arises: it is blocked for this thread
// while the text is written, and taken back if this write has raised it (signal(7): it goes to the
// thread that wrote).
static int write_quietly(int fd, const char *data, size_t size, int patience_ms) {
    sigset_t sigpipe, before, pending;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigpending(&pending);
    int error = -pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    if (error < 0)
        return error;
    error = write_all(fd, data, size, patience_ms);
    if (error == -EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&sigpipe, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int weft__os_write(int fd, const char *data, size_t size) {
    return write_quietly(fd, data, size, PATIENCE_MS);
}

bool weft__log_line(const char *line) {
    weft__lock(&target.lock);
    weft__log_sink *sink = target.sink;
    void *context = target.context;
    weft__unlock(&target.lock);
    if (sink != NULL)
        sink(WEFT__LOG_INFO, line, context);
    return sink != NULL;
}

// "weft: TEXT\n" for stderr; a sink gets TEXT alone.
void weft__log(enum weft__log_level level, const char *format, ...) {
    weft__lock(&target.lock);
    weft__log_sink *sink = target.sink;
    void *context = target.context;
    weft__unlock(&target.lock);
    if (sink == NULL && (int)level > level_of_stderr())
        return;
    char line[LINE_SIZE];
    struct weft__text text;
    weft__text_init(&text, line, sizeof line);
    weft__text_put(&text, "weft: ");
    size_t start = text.length;
    va_list args;
    va_start(args, format);
    weft__text_vputf(&text, format, args);
    va_end(args);
    if (sink != NULL) {
        sink((int)level, line + start, context);
        return;
    }
    line[text.length] = '\n';                                     // in the place of the NUL
    (void)write_quietly(STDERR_FILENO, line, text.length + 1, 0); // what fails here is lost
}

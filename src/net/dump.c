// SPDX-License-Identifier: MIT
//
// The text of a dump. What is known of each task comes from task/survey.h; here are the words, the
// names of functions, and the lines on their way out.
#include "base/text.h"
#include "os/os.h"
#include "os/symbol.h"
#include "task/handle.h"
#include "task/view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weft/debug.h>

enum { INDENT_MAX = 40, LINE_SIZE = 1024, BUFFER_SIZE = 16 * 1024, KNOWN_MAX = 512 };

// What a place in the code is called. Finding that out is slow, and most tasks stand in few places.
struct known {
    uintptr_t address; // 0: nothing yet
    bool is_return;    // a call returns there
    char text[96];
};

struct dump {
    struct weft__survey survey;
    struct weft__view view;
    struct known known[KNOWN_MAX];
    int fd;
    int error; // of the first write that failed
    struct weft__text line;
    char line_data[LINE_SIZE];
    size_t length; // of what is in the buffer
    char buffer[BUFFER_SIZE];
};

// One at a time, or their lines would mix. Held while the text is written: who wants another waits.
static struct weft__lock lock;
static struct dump the_dump; // guarded by it; too large for a task's stack

static void forked(void) {
    lock = (struct weft__lock){0};
}

// ---- Lines ----------------------------------------------------------------------------------

static void flush(struct dump *dump) {
    if (dump->length > 0 && dump->error == 0)
        dump->error = weft__os_write(dump->fd < 0 ? 2 : dump->fd, dump->buffer, dump->length);
    dump->length = 0;
}

static void begin_line(struct dump *dump, uint32_t indent) {
    weft__text_init(&dump->line, dump->line_data, sizeof dump->line_data);
    for (uint32_t i = 0; i < indent && i < INDENT_MAX; i++)
        weft__text_put(&dump->line, " ");
}

static void end_line(struct dump *dump) {
    if (dump->fd < 0 && weft__log_line(dump->line_data))
        return;
    if (BUFFER_SIZE - dump->length < dump->line.length + 1)
        flush(dump);
    memcpy(dump->buffer + dump->length, dump->line_data, dump->line.length);
    dump->length += dump->line.length;
    dump->buffer[dump->length++] = '\n';
}

// ---- Words ----------------------------------------------------------------------------------

static void put_task(struct dump *dump, uint32_t number, const char *name) {
    if (number == 0)
        weft__text_put(&dump->line, "task zero");
    else
        weft__text_putf(&dump->line, "task %" PRIu32, number);
    if (name && name[0] != '\0') {
        weft__text_put(&dump->line, " \"");
        weft__text_put_escaped(&dump->line, name, strnlen(name, WEFT__NAME_SIZE));
        weft__text_put(&dump->line, "\"");
    }
}

static const char *name_of(struct dump *dump, uintptr_t address, bool is_return) {
    struct weft__text text;
    struct known *known = &dump->known[(address ^ address >> 12) % KNOWN_MAX];
    if (known->address == address && known->is_return == is_return)
        return known->text;
    known->address = address;
    known->is_return = is_return;
    weft__text_init(&text, known->text, sizeof known->text);
    if (is_return)
        weft__symbol_put_caller(&text, address);
    else
        weft__symbol_put(&text, address);
    return known->text;
}

static void put_place(struct dump *dump, const void *place) {
    weft__text_put(&dump->line, name_of(dump, (uintptr_t)place, true));
}

static void put_wait(struct dump *dump) {
    const struct weft__view *view = &dump->view;
    weft_addr addr;
    char text[WEFT_ADDR_TEXT_SIZE];
    weft__text_put(&dump->line, view->waits_for ? view->waits_for : "nothing yet");
    if (view->waits_on > 0)
        weft__text_putf(&dump->line, " on handle %d", view->waits_on);
    if (view->where[0] != '\0') {
        weft__text_put(&dump->line, " ");
        weft__text_put_escaped(&dump->line, view->where, strlen(view->where));
    } else if (view->waits_on > 0 && weft__handle_addr(view->waits_on, &addr)) {
        weft__text_putf(&dump->line, " (%s)", weft_addr_text(&addr, text));
    }
}

static void put_state(struct dump *dump) {
    const struct weft__view *view = &dump->view;
    int64_t waited_ms = view->waited_ns / 1000000;
    switch (view->state) {
    case WEFT__UNSTARTED:
        weft__text_put(&dump->line, " has not started");
        return;
    case WEFT__GONE:
        weft__text_put(&dump->line, " has just ended");
        return;
    case WEFT__RUNNING:
        weft__text_putf(&dump->line, " runs on worker %" PRIu32, view->worker);
        return;
    case WEFT__READY:
        weft__text_putf(&dump->line, " is ready to run on worker %" PRIu32, view->worker);
        return;
    case WEFT__FROZEN:
        weft__text_put(&dump->line, " stands still with its host");
        return;
    case WEFT__WAITING:
        weft__text_putf(&dump->line,
                        " waits on worker %" PRIu32 " for %" PRId64 ".%03" PRId64 " s: ",
                        view->worker, waited_ms / 1000, waited_ms % 1000);
        break;
    }
    put_wait(dump);
}

// ---- Backtraces -----------------------------------------------------------------------------

static bool begins_with(const char *name, const char *prefix) {
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

// The innermost of a task that runs is where it stands, all others are where calls return to.
static const char *frame(struct dump *dump, size_t index) {
    const struct weft__view *view = &dump->view;
    return name_of(dump, view->frames[index], index > 0 || !view->is_interrupted);
}

// What weft does below its public call is nobody's business, nor what is before a task's function.
static size_t first_frame(struct dump *dump) {
    for (size_t i = 0; i < dump->view.frame_count; i++)
        if (begins_with(frame(dump, i), "weft_") && !begins_with(frame(dump, i), "weft__"))
            return i;
    return 0;
}

static void print_frames(struct dump *dump, uint32_t indent) {
    const struct weft__view *view = &dump->view;
    for (size_t i = first_frame(dump); i < view->frame_count; i++) {
        const char *name = frame(dump, i);
        if (begins_with(name, "weft__task_main"))
            return;
        begin_line(dump, indent);
        weft__text_put(&dump->line, name);
        end_line(dump);
    }
    if (view->frame_count == 0 && view->no_frames) {
        begin_line(dump, indent);
        weft__text_putf(&dump->line, "(no backtrace: %s)", view->no_frames);
        end_line(dump);
    }
}

// ---- The dump -------------------------------------------------------------------------------

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

static void print_task(struct dump *dump, const struct weft__seen *seen, uint32_t indent) {
    const struct weft__view *view = &dump->view;
    weft__view(&dump->survey, seen, &dump->view);
    begin_line(dump, indent);
    put_task(dump, seen->number, seen->title.name);
    if (seen->title.fn)
        weft__text_putf(&dump->line, " (%s)", name_of(dump, seen->title.fn, false));
    put_state(dump);
    if (seen->is_cancelled)
        weft__text_put(&dump->line, "; cancelled");
    if (view->stack_size > 0)
        weft__text_putf(&dump->line, "; stack %zu.%zu of %zu KiB", view->stack_used / 1024,
                        view->stack_used % 1024 * 10 / 1024, view->stack_size / 1024);
    end_line(dump);
    print_frames(dump, indent + 4);
    if (!seen->place)
        return;
    begin_line(dump, indent + 4);
    weft__text_put(&dump->line, "started in ");
    put_place(dump, seen->place);
    end_line(dump);
}

static void print_scope(struct dump *dump, const struct weft__seen *seen, uint32_t indent) {
    bool is_threads = seen->parent->parent == NULL;
    begin_line(dump, indent);
    weft__text_putf(&dump->line, "%s: %" PRIu32 " task%s%s%s",
                    is_threads ? "scope of a plain thread" : "its scope", seen->living,
                    plural(seen->living), seen->is_cancelled ? ", cancelled" : "",
                    seen->is_joining ? ", being joined" : "");
    if (seen->place) {
        weft__text_put(&dump->line, ", first used in ");
        put_place(dump, seen->place);
    }
    end_line(dump);
}

static void print_worker(struct dump *dump, struct weft__worker *worker) {
    struct weft__task *task = weft__load(&worker->current, acquire);
    begin_line(dump, 0);
    weft__text_putf(&dump->line, "worker %" PRIu32, weft__worker_number(worker));
    if (task) {
        weft__text_put(&dump->line, " runs ");
        put_task(dump, weft__load(&task->number, relaxed), NULL);
    } else {
        bool is_asleep = weft__load(&worker->sleeping, relaxed) == WEFT__ASLEEP;
        weft__text_put(&dump->line, is_asleep ? " sleeps" : " is between tasks");
    }
    end_line(dump);
}

static void print_all(struct dump *dump) {
    const struct weft__survey *survey = &dump->survey;
    begin_line(dump, 0);
    weft__text_putf(&dump->line, "weft: %zu task%s in %zu scope%s on %" PRIu32 " worker%s, %s",
                    survey->task_count, plural(survey->task_count), survey->scope_count,
                    plural(survey->scope_count), survey->worker_count, plural(survey->worker_count),
                    survey->driver);
    end_line(dump);
    for (uint32_t i = 0; i < survey->worker_count; i++)
        print_worker(dump, survey->workers[i]);
    uint32_t depth = 0;
    const struct weft__seen *seen = &survey->top;
    while (dump->error == 0 && (seen = weft__survey_next(seen, &depth)) != NULL)
        if (seen->task)
            print_task(dump, seen, 2 * (depth - 1));
        else
            print_scope(dump, seen, 2 * (depth - 1));
    if (survey->is_cut) {
        begin_line(dump, 0);
        weft__text_put(&dump->line, "(there are more, but no memory to note them)");
        end_line(dump);
    }
    flush(dump);
}

static int print(struct dump *dump) {
    int error = weft__survey_begin(&dump->survey);
    if (error < 0)
        return error;
    print_all(dump);
    weft__survey_end(&dump->survey);
    return dump->error;
}

static int dump_to(int fd) {
    struct dump *dump = &the_dump;
    if (weft__is_orphan())
        return -ECHILD;
    if (weft__os_at_fork_child(forked) < 0)
        return -ENOMEM;
    weft__lock(&lock);
    dump->fd = fd;
    dump->error = 0;
    dump->length = 0;
    memset(dump->known, 0, sizeof dump->known); // libraries come and go
    int error = print(dump);
    weft__unlock(&lock);
    return error;
}

int weft_dump(int fd) {
    int error = dump_to(fd);
    if (error == 0) // the simulator's deadlock is dumped from where nobody is the caller
        return 0;
    struct weft__waiter *self = weft__self();
    if (!self)
        return error;
    const char *detail = error == -ENOENT ? "no runtime runs" : NULL;
    return (int)weft__failed_text(self, "dump", "", detail, error);
}

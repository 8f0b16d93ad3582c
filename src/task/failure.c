// SPDX-License-Identifier: MIT
//
// The record of the last failure of a task or thread: written here, turned into a sentence in
// net/explain.c.
#include "task/waiter.h"

#include <errno.h>
#include <string.h>
#include <weft/io.h>

static struct weft__failure *begin(struct weft__waiter *self, const char *call, int64_t code) {
    struct weft__failure *failure = self->failure;
    failure->call = call;
    failure->code = (int)code;
    failure->is_deadline = false;
    failure->has_addr = false;
    failure->moved = 0;
    failure->detail = NULL;
    failure->handle = 0;
    failure->text[0] = '\0';
    failure->is_joined = false;
    return failure;
}

int64_t weft__failed(struct weft__waiter *self, const char *call, int handle, int64_t code) {
    begin(self, call, code)->handle = handle;
    return code;
}

void weft__failed_by_deadline(struct weft__waiter *self, int64_t code) {
    self->failure->is_deadline = code == -ETIMEDOUT;
}

int64_t weft__failed_addr(struct weft__waiter *self, const char *call, const weft_addr *addr,
                          int64_t code) {
    struct weft__failure *failure = begin(self, call, code);
    failure->addr = *addr;
    failure->has_addr = true;
    return code;
}

int64_t weft__failed_text(struct weft__waiter *self, const char *call, const char *text,
                          const char *detail, int64_t code) {
    struct weft__failure *failure = begin(self, call, code);
    size_t length = strnlen(text, sizeof failure->text - 1);
    memcpy(failure->text, text, length);
    failure->text[length] = '\0';
    failure->detail = detail;
    return code;
}

int weft_timed_out(void) {
    struct weft__waiter *self = weft__self();
    return self && self->failure->call && self->failure->is_deadline;
}

size_t weft_moved(void) {
    struct weft__waiter *self = weft__self();
    return self && self->failure->call ? self->failure->moved : 0;
}

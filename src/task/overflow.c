// SPDX-License-Identifier: MIT
//
// The report of a task's stack overflow: which task, how large its stack is, and the cure.
#include "task/worker.h"

#include "base/text.h"
#include "os/fault.h"

static bool describe(const void *addr, char *buf, size_t size) {
    struct weft__worker *worker = weft__this_worker();
    struct weft__task *task = worker ? weft__load(&worker->current, relaxed) : NULL;
    struct weft__text text;
    if (!task || task->waiter.is_thread || !weft__stack_guard_hit(&task->stack, addr))
        return false;
    weft__text_init(&text, buf, size);
    weft__text_put(&text, "weft: stack overflow in task ");
    weft__text_put(&text, task->name ? task->name : "(no name)");
    weft__text_put(&text, ": its stack has ");
    weft__text_put_u64(&text, task->stack.size / 1024);
    weft__text_put(&text, " KiB (raise weft_task_options.stack_size or weft_options.stack_size, "
                          "or keep large buffers off the stack)\n");
    return true;
}

int weft__overflow_watch(void) {
    return WEFT__UNDER_ASAN ? 0 : weft__fault_watch(describe); // ASan reports it better
}

void weft__overflow_unwatch(void) {
    weft__fault_unwatch();
}

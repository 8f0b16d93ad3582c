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

void weft__overflow_watch(void) {
    if (!WEFT__UNDER_ASAN) // which reports it better
        weft__fault_watch(describe);
}

void weft__overflow_unwatch(void) {
    weft__fault_unwatch();
}

void *weft__overflow_stack_give(void) {
    void *stack = NULL;
    (void)weft__fault_stack_give(&stack); // without one only reports are missing
    return stack;
}

void weft__overflow_stack_take(void *stack) {
    weft__fault_stack_take(stack);
}

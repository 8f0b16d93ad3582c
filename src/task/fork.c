// SPDX-License-Identifier: MIT
//
// What a fork leaves of weft in the child: the calling thread's record and the open handles. The
// parent's runtime, its tasks, scopes and rings, are gone and never touched; nor are its locks,
// which other threads may have held.
#include "os/os.h"
#include "task/handle.h"
#include "task/runtime.h"
#include "task/thread.h"

WEFT__ATOMIC(uint32_t) weft__orphaned;

static void after_fork(void) {
    if (weft__runtime_now())
        weft__store(&weft__orphaned, 1, relaxed);
    weft__fork_epoch++;
    weft__runtime_after_fork();
    weft__handles_after_fork();
    weft__thread_after_fork();
}

int weft__fork_hook(void) {
    static WEFT__ATOMIC(uint32_t) is_set;
    if (weft__load(&is_set, acquire))
        return 0;
    int error = weft__os_at_fork_child(after_fork); // twice is as good as once
    if (error == 0)
        weft__store(&is_set, 1, release);
    return error;
}

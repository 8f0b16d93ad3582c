// SPDX-License-Identifier: MIT
//
// The slow half of biased_lock.h: the ordinary lock, and ending a bias.
#include "os/biased_lock.h"

#include "os/os.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

WEFT__ATOMIC(uint32_t) weft__has_heavy_barrier;

// Registering makes the kernel remember the process; it costs most when there are threads already.
void weft__heavy_barrier_ask(void) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
        weft__store(&weft__has_heavy_barrier, 1, relaxed);
}

static void heavy_barrier(void) {
    weft__fence(seq_cst);
    if (weft__load(&weft__has_heavy_barrier, relaxed))
        (void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

void weft__biased_lock_slow(struct weft__biased_lock *b) {
    weft__lock(&b->lock);
    if (weft__load(&b->owner, relaxed)) {
        weft__store(&b->owner, NULL, relaxed);
        heavy_barrier();
        while (weft__load(&b->inside, acquire))
            weft__os_yield(); // it is in a section of a few instructions
    }
    b->is_biased = false;
}

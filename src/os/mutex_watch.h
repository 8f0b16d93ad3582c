// SPDX-License-Identifier: MIT
//
// Which pthread mutexes the calling thread holds. Only in a debug build (WEFT_DEBUG), because it
// stands in front of the C library's functions: every lock and unlock of the program comes by here.
// Not rwlocks, and not what a library locks inside itself without those functions.
#ifndef WEFT__MUTEX_WATCH_H
#define WEFT__MUTEX_WATCH_H

#include <stddef.h>
#include <stdint.h>

// How many; `ret_caller`, set if there is one, is where the last of them was locked: an address
// that a call returns to.
size_t weft__mutexes_held(uintptr_t *ret_caller);
// From here on only those count that are locked later.
void weft__mutexes_forget(void);

#endif

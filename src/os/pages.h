// SPDX-License-Identifier: MIT
// Pages of memory straight from the kernel: reserving, giving back, and guards that make an access
// a fault. Made for stacks, hence never huge pages. Not an allocator: that is weft__alloc in
// os/os.h, and what lies in the pages is the caller's.
#ifndef WEFT_OS_PAGES_H
#define WEFT_OS_PAGES_H

#include "base/guard.h"

#include <stddef.h>

// The size of a page in bytes; every base and size below is a multiple of it.
size_t weft__pages_size(void);

// Reserves zeroed memory that costs nothing until it is touched. 0 or -errno.
int weft__pages_reserve(size_t size, void **ret_base);

// Returns all of a reservation or a part of it.
void weft__pages_release(void *base, size_t size);

// Gives the memory behind a range back: it reads as zero again, unless the process has locked its
// memory. Guards inside the range stay.
void weft__pages_discard(void *base, size_t size);

// Turns a range into a guard; it ends with its reservation. 0 or -errno: -ENOSPC when mprotect
// would take more mappings than half of what this process may have.
int weft__pages_guard(void *base, size_t size, enum weft__guard method);

// Must follow the release of memory that held `count` guards made by `method`.
void weft__pages_guards_gone(size_t count, enum weft__guard method);

// The best method that works here, found by its effect: the kernel refuses to read a page that is
// guarded. The answer of the call proves nothing: qemu-user accepts MADV_GUARD_INSTALL and installs
// no guard. Costs about ten system calls.
enum weft__guard weft__pages_guard_probe(void);

// "madvise", "mprotect" or "none".
const char *weft__pages_guard_name(enum weft__guard method);

#endif

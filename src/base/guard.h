// SPDX-License-Identifier: MIT
// The ways to guard memory, a word that pages and stacks share. How it is done: os/pages.h.
#ifndef WEFT__GUARD_H
#define WEFT__GUARD_H

// How an access to a page is made to fault, best first. Each costs less memory and fewer of the
// kernel's mappings (vm.max_map_count) than the next, except the last, which guards nothing.
enum weft__guard {
    WEFT__GUARD_INSTALL,  // MADV_GUARD_INSTALL, Linux 6.13: no mapping of its own
    WEFT__GUARD_MPROTECT, // PROT_NONE: splits the mapping, two more a guard
    WEFT__GUARD_NONE,
    WEFT__GUARD_COUNT,
};

#endif

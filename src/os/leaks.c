// SPDX-License-Identifier: MIT
// Objects that are lost on purpose, told to LeakSanitizer. Not for leaks that are found.
#include "os/leaks.h"

// The program may have been built with it and weft without: asked when the process is linked.
void __lsan_ignore_object(const void *object) __attribute__((weak));

// The words lie on a stack, where frames have borders that nobody else may touch.
__attribute__((no_sanitize("address"))) void weft__leaks_forgive(const void *words, size_t size) {
    void *const *word = words;
    if (!__lsan_ignore_object)
        return;
    for (size_t i = 0; i < size / sizeof *word; i++)
        __lsan_ignore_object(word[i]); // one that is no block is nothing to it
}

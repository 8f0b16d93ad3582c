// SPDX-License-Identifier: MIT
// What LeakSanitizer is told, if the process has it.
#ifndef WEFT__LEAKS_H
#define WEFT__LEAKS_H

#include <stddef.h>

// What one of these words points to, and all that can be reached from there, is lost on purpose.
void weft__leaks_forgive(const void *words, size_t size);

#endif

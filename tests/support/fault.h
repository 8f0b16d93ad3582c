// SPDX-License-Identifier: MIT
// Making calls fail: the n-th allocation, the next accept, every write. And catching what is logged
// about it. Not faults of the network: those belong to the simulator.
#ifndef SUPPORT_FAULT_H
#define SUPPORT_FAULT_H

#include <stddef.h>
#include <stdint.h>

// The n-th call of that kind from now on (1: the next) fails with the negative `error`;
// fault_every: all of them from the n-th on. Kinds: see weft__testing_fail in src/weft_testing.h.
void fault_nth(const char *kind, uint64_t n, int error);
void fault_every(const char *kind, uint64_t n, int error);
void fault_none(void);

// From begin to end, what goes to stderr goes to a file of our own instead.
void stderr_catch_begin(void);
// How often the text has been written so far.
size_t stderr_catch_count(const char *text);
void stderr_catch_end(void);

#endif

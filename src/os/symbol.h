// SPDX-License-Identifier: MIT
//
// Names of functions, for reports. Not quick: it reads the file that the code came from.
#ifndef WEFT__SYMBOL_H
#define WEFT__SYMBOL_H

#include "base/text.h"

// Whether an address lies in code of the program or of a library.
bool weft__symbol_is_code(uintptr_t address);

// Appends "function" for its first address and "function+0x1c" for one inside; where the file has
// no names any more, "program+0x12ac", which addr2line(1) understands.
void weft__symbol_put(struct weft__text *text, uintptr_t address);
// The same for what a call returns to, which need not be part of the function that calls: the call
// may be its last instruction.
void weft__symbol_put_caller(struct weft__text *text, uintptr_t address);

#endif

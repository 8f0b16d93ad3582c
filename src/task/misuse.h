// SPDX-License-Identifier: MIT
//
// What no error code can tell, because the call that is wrong has no result, or one that nobody
// would look at: the process ends with a report that names the caller and the calls it is in.
#ifndef WEFT__MISUSE_H
#define WEFT__MISUSE_H

#include "task/waiter.h"

// `what` goes on after the caller's name: "unlocks a mutex that it does not hold".
_Noreturn WEFT__COLD void weft__misuse(const struct weft__waiter *self, const char *what);

#endif

// SPDX-License-Identifier: MIT
//
// A last word when the process ends by a signal: an abort, a fault, or because somebody has waited
// enough. It still ends by that. And what a program was started as, to start it again.
#ifndef WEFT__CRASH_H
#define WEFT__CRASH_H

#include <stddef.h>

// `say` is called once, in a signal handler, from any thread; handlers that were there before run
// after it. Watching and unwatching are for one thread at a time.
void weft__crash_watch(void (*say)(const char *signal));
void weft__crash_unwatch(void);

// The arguments of the process, quoted for a shell where they need it; cut if they do not fit.
void weft__os_command_line(char *buf, size_t size);

#endif

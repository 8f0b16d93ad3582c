// SPDX-License-Identifier: MIT
//
// SIGQUIT, for a program that has said that it is ours. Not what is done about it.
#ifndef WEFT__QUIT_H
#define WEFT__QUIT_H

// From now on SIGQUIT calls `asked` in its handler, and then whatever handled it before, but for
// the default action, which would end the process. 0 or a negative errno.
int weft__quit_watch(void (*asked)(void));
void weft__quit_unwatch(void);

// The calling thread receives it from now on: all others may have it blocked.
void weft__quit_unblock(void);

#endif

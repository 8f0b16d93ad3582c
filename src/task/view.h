// SPDX-License-Identifier: MIT
//
// What one task does: whether it runs, what it waits for, where it is in the code. From any thread,
// without the help of its worker. Not what is printed (net/dump.c).
#ifndef WEFT__VIEW_H
#define WEFT__VIEW_H

#include "os/look.h"
#include "task/survey.h"

enum weft__state {
    WEFT__UNSTARTED,
    WEFT__READY,
    WEFT__RUNNING,
    WEFT__WAITING,
    WEFT__FROZEN,
    WEFT__GONE
};

enum { WEFT__WHERE_SIZE = 64, WEFT__FRAMES_MAX = 48 };

// What one task does at this moment. Zero is "not known".
struct weft__view {
    enum weft__state state;
    uint32_t worker;              // its number, from 1, if started
    const char *waits_for;        // the four are of one that waits: what for,
    int waits_on;                 // which handle,
    char where[WEFT__WHERE_SIZE]; // where, cut; "": none
    int64_t waited_ns;
    size_t stack_size, stack_used;
    size_t frame_count;  // 0: no backtrace, because of `no_frames`
    bool is_interrupted; // the first is where it stands; else they are where calls return to
    uintptr_t frames[WEFT__FRAMES_MAX];
    const char *no_frames; // static
};

// Looks at a task that was seen.
void weft__view(const struct weft__survey *survey, const struct weft__seen *seen,
                struct weft__view *ret_view);

#endif

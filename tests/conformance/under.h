// SPDX-License-Identifier: MIT
// For cases about workers: a body that runs under runtimes of several sizes, whatever WEFT_WORKERS
// says. Such cases are bare.
#ifndef CONFORMANCE_UNDER_H
#define CONFORMANCE_UNDER_H

#include "case.h"

enum { WORKERS_MAX = 8 };

// This world's driver, and so many workers.
weft_options options_for(int workers);

// Runs the body under a runtime of so many workers, as task zero.
void under(int workers, void (*body)(int workers));
void under_1_2_and_8(void (*body)(int workers));

// weft_go on a worker, counted from 1; 0: anywhere.
void go_on(int worker, weft_scope *scope, int (*fn)(void *), void *context);

weft_worker_stats stats_of(int worker);

// `count` repetitions, or fewer where tools make them slow.
int rounds(int count);

#endif

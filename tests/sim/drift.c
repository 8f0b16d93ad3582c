// SPDX-License-Identifier: MIT
// A program that is no function of its seed: an address decides when things happen. It passes, and
// twice.py must find that no two of its runs are the same.
#include "prove.h"

int drift_world(weft_sim *sim, void *unused) {
    (void)sim;
    int error = weft_sleep((int64_t)((uintptr_t)&unused >> 4 & 0xffffff));
    (void)below(2); // when something is asked of the driver is part of the hash
    return error;
}

// SPDX-License-Identifier: MIT
//
// A mutex that nobody else wants: lock and unlock, in a task.
#include "row.h"

struct often {
    weft_mutex mutex;
    long count;
};

static int lock_often(void *arg) {
    struct often *often = arg;
    for (long i = often->count; i > 0; i--) {
        weft_must(weft_lock(&often->mutex));
        weft_unlock(&often->mutex);
    }
    return 0;
}

static long run(long count) {
    struct often often = {.count = count};
    weft_scope scope = {0};
    weft_must(weft_go(&scope, lock_often, (void *)&often));
    weft_must(weft_join(&scope));
    return count;
}

int main(int argc, char **argv) {
    return row_repeat(argc, argv, run);
}

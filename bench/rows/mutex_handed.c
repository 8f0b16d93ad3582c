// SPDX-License-Identifier: MIT
//
// A mutex that is handed over each time: it is held across a yield, so that the other task waits
// for it. What is counted is one lock, yield and unlock.
#include "row.h"

struct often {
    weft_mutex mutex;
    long each;
};

static int hold_often(void *arg) {
    struct often *often = arg;
    for (long i = often->each; i > 0; i--) {
        weft_must(weft_lock(&often->mutex));
        weft_yield();
        weft_unlock(&often->mutex);
    }
    return 0;
}

static long run(long count) {
    struct often often = {.each = count / 2 + 1};
    weft_scope scope = {0};
    for (int i = 0; i < 2; i++)
        weft_must(weft_go_with(&scope, hold_often, (void *)&often,
                               &(weft_task_options){.worker = WEFT_WORKER_HERE}));
    weft_must(weft_join(&scope));
    return often.each * 2;
}

int main(int argc, char **argv) {
    return row_repeat(argc, argv, run);
}

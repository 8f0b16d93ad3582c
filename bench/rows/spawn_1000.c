// SPDX-License-Identifier: MIT
//
// 1,000 tasks started, then waited for together; per task.
#include "row.h"

enum { BATCH = 1000 };

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static long run(long count) {
    weft_scope scope = {0};
    long done = 0;
    for (; done < count; done += BATCH) {
        for (int i = 0; i < BATCH; i++)
            weft_must(weft_go(&scope, nothing, NULL));
        weft_must(weft_join(&scope));
    }
    return done;
}

int main(int argc, char **argv) {
    return row_repeat(argc, argv, run);
}

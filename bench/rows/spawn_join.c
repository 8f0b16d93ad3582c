// SPDX-License-Identifier: MIT
//
// One task after the other: started, and waited for.
#include "row.h"

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static long run(long count) {
    weft_scope scope = {0};
    for (long i = 0; i < count; i++) {
        weft_must(weft_go(&scope, nothing, NULL));
        weft_must(weft_join(&scope));
    }
    return count;
}

int main(int argc, char **argv) {
    return row_repeat(argc, argv, run);
}

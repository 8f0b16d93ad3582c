// SPDX-License-Identifier: MIT
//
// A task started, asleep, cancelled and waited for, while 100,000 others sleep. Whatever a runtime
// does about timers that are never needed, here it must set one and take it back.
#include "crowd.h"
#include "row.h"

enum { OTHERS = 100000 };

static long run(long count) {
    weft_scope scope = {0};
    for (long i = 0; i < count; i++) {
        weft_must(weft_go(&scope, crowd_sleep, NULL));
        for (long before = crowd_asleep; crowd_asleep == before;)
            weft_yield();
        crowd_dismiss(&scope);
    }
    return count;
}

int main(int argc, char **argv) {
    weft_scope others = {0};
    double count;
    weft_must(weft_start(NULL));
    crowd_gather(&others, bench_count(OTHERS));
    struct bench_span span = bench_repeat(run, &count);
    bench_print(bench_row(argc, argv), "weft", count, span, NULL);
    crowd_dismiss(&others);
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

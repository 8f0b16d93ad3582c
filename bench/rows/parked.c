// SPDX-License-Identifier: MIT
//
// 100,000 parked tasks: the resident memory that each needs, and how much of it the system has back
// two seconds after they have ended.
#include "crowd.h"
#include "row.h"

enum { COUNT = 100000 };

int main(int argc, char **argv) {
    weft_scope scope = {0};
    long count = bench_count(COUNT);
    weft_must(weft_start(NULL));
    crowd_gather(&scope, 10);
    crowd_dismiss(&scope);
    double before = bench_memory("VmRSS");
    struct bench_span begin = bench_begin();
    crowd_gather(&scope, count);
    double parked = bench_memory("VmRSS") - before;
    crowd_dismiss(&scope);
    struct bench_span span = bench_since(begin);
    weft_must(weft_sleep(2 * WEFT_SECOND));
    double kept = bench_memory("VmRSS") - before;
    bench_print(bench_row(argc, argv), "weft", (double)count, span,
                (struct bench_fact[]){{"bytes_per_task", parked / (double)count},
                                      {"given_back_percent", 100 * (1 - kept / parked)},
                                      {NULL, 0}});
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

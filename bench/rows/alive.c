// SPDX-License-Identifier: MIT
//
// 1,000,000 tasks that have started and are alive at once: the time until the last of them waits,
// and the memory they take then, resident and reserved.
#include "crowd.h"
#include "row.h"

enum { COUNT = 1000000 };

int main(int argc, char **argv) {
    weft_scope scope = {0};
    long count = bench_count(COUNT);
    weft_must(weft_start(NULL));
    struct bench_span begin = bench_begin();
    crowd_gather(&scope, count);
    struct bench_span span = bench_since(begin);
    double resident = bench_memory("VmRSS"), reserved = bench_memory("VmSize");
    begin = bench_begin();
    crowd_dismiss(&scope);
    struct bench_span end = bench_since(begin);
    bench_print(bench_row(argc, argv), "weft", (double)count, span,
                (struct bench_fact[]){{"resident_mb", resident / 1e6},
                                      {"virtual_mb", reserved / 1e6},
                                      {"end_cpu_ms", end.cpu_ns / 1e6},
                                      {NULL, 0}});
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

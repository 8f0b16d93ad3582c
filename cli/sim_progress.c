// SPDX-License-Identifier: MIT
// How far a search is: a bar that is drawn again and again on a terminal, else a line now and then,
// the rarer the longer it takes. Always on stderr.
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

#define DRAW_NS         (100 * WEFT_MILLISECOND)
#define FIRST_LINE_NS   WEFT_SECOND
#define LONGEST_LINE_NS WEFT_MINUTE
enum { BAR_SIZE = 24 };

void sim_progress_open(struct sim_progress *progress, int64_t start_ns) {
    const char *term = getenv("TERM");
    bool is_terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    int64_t interval_ns = is_terminal ? DRAW_NS : FIRST_LINE_NS;
    *progress = (struct sim_progress){.is_terminal = is_terminal,
                                      .start_ns = start_ns,
                                      .next_ns = start_ns + interval_ns,
                                      .interval_ns = interval_ns};
}

// "8s", "3m10s", "2h05m": two units are enough to plan with.
static void print_time(int64_t seconds) {
    if (seconds < 60)
        fprintf(stderr, "%" PRId64 "s", seconds);
    else if (seconds < 3600)
        fprintf(stderr, "%" PRId64 "m%02" PRId64 "s", seconds / 60, seconds % 60);
    else
        fprintf(stderr, "%" PRId64 "h%02" PRId64 "m", seconds / 3600, seconds / 60 % 60);
}

static void print_bar(uint64_t ended, uint64_t count) {
    int filled = (int)(BAR_SIZE * ((double)ended / (double)count));
    fputs(" [", stderr);
    for (int i = 0; i < BAR_SIZE; i++)
        fputc(i < filled ? '=' : i == filled ? '>' : ' ', stderr);
    fputc(']', stderr);
}

void sim_progress_show(struct sim_progress *progress, const struct sim_batch *batch,
                       uint64_t ended) {
    int64_t now = weft_now();
    uint64_t count = batch->options.count;
    if (now < progress->next_ns)
        return;
    double rate = (double)ended * 1e9 / (double)(now - progress->start_ns);
    if (progress->is_terminal)
        fputs("\r\033[K", stderr);
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " seeds", ended, count);
    if (progress->is_terminal)
        print_bar(ended, count);
    fprintf(stderr, " %.0f/s", rate);
    if (batch->failed_count > 0)
        fprintf(stderr, ", %" PRIu64 " failed", batch->failed_count);
    if (ended > 0) {
        fputs(", ", stderr);
        print_time((int64_t)((double)(count - ended) / rate) + 1);
        fputs(" left", stderr);
    }
    if (!progress->is_terminal) {
        fputc('\n', stderr);
        progress->interval_ns *= progress->interval_ns < LONGEST_LINE_NS ? 2 : 1;
    }
    fflush(stderr);
    progress->is_drawn = progress->is_terminal;
    progress->next_ns = now + progress->interval_ns;
}

void sim_progress_clear(struct sim_progress *progress) {
    if (progress->is_drawn)
        fputs("\r\033[K", stderr);
    progress->is_drawn = false;
}

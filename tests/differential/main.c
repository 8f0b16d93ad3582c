// SPDX-License-Identifier: MIT
// Differential fuzzing: random scripts on the real loopback and in the simulator. What the real one
// answers must be among what the simulator does.
//   differential [--seed FIRST] [--scripts COUNT] [--seconds LIMIT]
//
// The real loopback is played in a hurry first: packets arrive there before the call returns that
// sends them, almost always. The simulator is played settled, then in haste with several seeds,
// then settled with others: how much of a buffer is for bytes is the seed's, too. When none of its
// outcomes is the real one, the real one is played again more and more slowly: a difference is what
// is still there when there was time for everything.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "script.h"

enum { HURRIES = 12, OTHERS = 12, SHRINK_S = 30 };

static const int64_t SIM_SETTLE_NS = 2000000;
// The last is longer than an acknowledgement is put off (40 ms), for which a small write waits.
static const int64_t settles_ns[] = {0, 300000, 3000000, 60000000};
enum { SETTLES = sizeof settles_ns / sizeof *settles_ns };

static struct { uint64_t scripts, steps, done, errors, slow, hurried, other, once; } totals;

static void play(const struct script *script, const struct play *how, struct outcome *outcomes) {
    int error = script_play(script, how, outcomes);
    if (error == 0)
        return;
    fprintf(stderr, "differential: no driver: %s\n", strerror(-error));
    exit(1);
}

static bool is_same(const struct script *script, const struct outcome *a, const struct outcome *b) {
    for (int i = 0; i < script->count; i++)
        if (a[i].result != b[i].result || a[i].more != b[i].more || a[i].more == IS_WRONG)
            return false;
    return true;
}

static bool is_allowed_by(const struct script *script, const struct outcome *real, uint64_t seed,
                          bool hurry) {
    struct outcome sim[STEPS_MAX];
    play(script, &(struct play){.seed = seed, .hurry = hurry, .settle_ns = SIM_SETTLE_NS}, sim);
    return is_same(script, real, sim);
}

// In the simulator, in one of the ways that it may go.
static bool is_allowed(const struct script *script, const struct outcome *real,
                       struct outcome *ret_sim) {
    play(script, &(struct play){.seed = 1, .settle_ns = SIM_SETTLE_NS}, ret_sim);
    if (is_same(script, real, ret_sim))
        return true;
    for (uint64_t seed = 2; seed < 2 + HURRIES; seed++)
        if (is_allowed_by(script, real, seed, true)) {
            totals.hurried++;
            return true;
        }
    for (uint64_t seed = 2; seed < 2 + OTHERS; seed++)
        if (is_allowed_by(script, real, seed, false)) {
            totals.other++;
            return true;
        }
    return false;
}

static bool differs(const struct script *script, int settles, struct outcome *ret_real,
                    struct outcome *ret_sim) {
    for (int i = 0; i < settles; i++) {
        play(script, &(struct play){.is_real = true, .settle_ns = settles_ns[i]}, ret_real);
        if (is_allowed(script, ret_real, ret_sim)) {
            totals.slow += i > 0;
            return false;
        }
    }
    return true;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Drops steps, from the end, as long as there is one without which it still differs, and time.
static void shrink(struct script *script) {
    struct outcome real[STEPS_MAX], sim[STEPS_MAX];
    double until = seconds() + SHRINK_S;
    for (bool is_smaller = true; is_smaller;) {
        is_smaller = false;
        for (int i = script->count - 1; i >= 0 && seconds() < until; i--) {
            struct script less = *script;
            script_drop(&less, i);
            if (differs(&less, SETTLES - 1, real, sim)) {
                *script = less;
                is_smaller = true;
            }
        }
    }
}

// The machine is not ours alone: other programs take ports (also the one that a socket has just
// had), and Linux limits how many ICMP messages it sends in a second. A difference that is the
// simulator's comes every time.
static bool differs_again(const struct script *script) {
    struct outcome real[STEPS_MAX], sim[STEPS_MAX];
    return differs(script, SETTLES, real, sim) && differs(script, SETTLES, real, sim);
}

static void report(struct script *script) {
    struct outcome real[STEPS_MAX], sim[STEPS_MAX];
    int count = script->count;
    printf("differential: script %llu differs\n", (unsigned long long)script->seed);
    fflush(stdout);
    shrink(script);
    (void)differs(script, SETTLES, real, sim);
    printf("differential: %d of its %d steps are enough:\n", script->count, count);
    script_print(script, real, sim);
    printf("replay: differential --seed %llu --scripts 1\n", (unsigned long long)script->seed);
}

static void count(const struct script *script, const struct outcome *real) {
    totals.scripts++;
    totals.steps += (uint64_t)script->count;
    for (int i = 0; i < script->count; i++) {
        totals.done += real[i].result != NOT_DONE;
        totals.errors += real[i].result < 0;
    }
}

static int compare(uint64_t first, uint64_t most, double limit_s) {
    double began = seconds();
    for (uint64_t seed = first; seed - first < most && seconds() - began < limit_s; seed++) {
        struct script script;
        struct outcome real[STEPS_MAX] = {0}, sim[STEPS_MAX] = {0};
        script_make(&script, seed);
        if (differs(&script, SETTLES, real, sim)) {
            if (differs_again(&script)) {
                report(&script);
                return 1;
            }
            totals.once++;
            printf("differential: script %llu differed, and not again:\n",
                   (unsigned long long)seed);
            script_print(&script, real, sim);
        }
        count(&script, real);
    }
    printf("differential: %llu scripts from %llu, %llu steps, %llu on a socket, %llu of them "
           "refused: no difference\n",
           (unsigned long long)totals.scripts, (unsigned long long)first,
           (unsigned long long)totals.steps, (unsigned long long)totals.done,
           (unsigned long long)totals.errors);
    printf("differential: %llu met a hurried simulation only, %llu another seed only, %llu a "
           "slow loopback only; %llu differed once\n",
           (unsigned long long)totals.hurried, (unsigned long long)totals.other,
           (unsigned long long)totals.slow, (unsigned long long)totals.once);
    return 0;
}

int main(int argc, char **argv) {
    uint64_t first = 1, most = UINT64_MAX;
    double limit_s = 10;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            first = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--scripts") == 0)
            most = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            limit_s = strtod(argv[i + 1], NULL);
    }
    return compare(first, most, limit_s);
}

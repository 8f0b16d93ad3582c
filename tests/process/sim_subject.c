// SPDX-License-Identifier: MIT
// A program as `weft sim run` sees one that simulates: it takes its seed and faults from the
// environment, reports, and fails where it is told to. There is no simulation in it, so that what
// is searched for is known beforehand. Of its six faults number i is on if bit i of the seed is
// set, and fires once. sim_subject WORD...
//   fail=N       seed N fails by abort(3); several may be given
//   needs=A,B    but only with all of these faults on
//   report=N     seed N reports a failure and ends with status 0
//   exit=N       seed N ends with status 3 and reports nothing
//   hang=N       seed N never ends
//   drift=N      seed N is another run each time
//   idle=A       fault A never fires
//   slow=MS      every run takes this long
//   leave        every run leaves a process behind, which lives for a minute
//   mute, babble, noise    it reports nothing; what is no report; it talks a lot on stderr
//   -            is passed over
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {"stalls", "resets", "enomem", "latency", "short_reads", "drip"};
enum { FAULTS_COUNT = sizeof names / sizeof *names };

static uint64_t seed;
static int report_fd = -1;

// Whether `name` is an item of "a,b,c".
static bool is_listed(const char *list, const char *name) {
    size_t size = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, size) == 0 && (at[size] == ',' || at[size] == '\0'))
            return true;
    return false;
}

static bool is_on(const char *name) {
    const char *wanted = getenv("WEFT_SIM_FAULTS");
    for (int i = 0; i < FAULTS_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return (seed >> i & 1) && (!wanted || is_listed(wanted, name));
    return false;
}

static bool are_on(const char *list) {
    for (int i = 0; i < FAULTS_COUNT; i++)
        if (is_listed(list, names[i]) && !is_on(names[i]))
            return false;
    return true;
}

static void report(const char *result, uint64_t hash, const char *idle) {
    char on[256] = "", hits[256] = "";
    for (int i = 0; i < FAULTS_COUNT; i++) {
        if (!is_on(names[i]))
            continue;
        snprintf(on + strlen(on), sizeof on - strlen(on), ",%s", names[i]);
        snprintf(hits + strlen(hits), sizeof hits - strlen(hits), ",%s:%d", names[i],
                 strcmp(idle, names[i]) != 0);
    }
    dprintf(report_fd, "seed=%" PRIu64 " result=%s steps=9 time_ns=5 hash=%016" PRIx64, seed,
            result, hash);
    dprintf(report_fd, " faults=%s hits=%s\n", *on ? on + 1 : "none", *hits ? hits + 1 : "none");
}

static void leave_process(void) {
    if (fork() != 0)
        return;
    sleep(60);
    _exit(0);
}

// What the words ask of this seed.
struct wishes {
    const char *needs, *idle;
    bool fails, reports, exits, hangs, drifts, is_mute, babbles, is_noisy;
};

static void take_word(struct wishes *wishes, const char *word) {
    const char *value = strchr(word, '=') ? strchr(word, '=') + 1 : word + strlen(word);
    uint64_t number = strtoull(value, NULL, 10);
    bool is_mine = number == seed;
    wishes->fails |= strncmp(word, "fail=", 5) == 0 && is_mine;
    wishes->reports |= strncmp(word, "report=", 7) == 0 && is_mine;
    wishes->exits |= strncmp(word, "exit=", 5) == 0 && is_mine;
    wishes->hangs |= strncmp(word, "hang=", 5) == 0 && is_mine;
    wishes->drifts |= strncmp(word, "drift=", 6) == 0 && is_mine;
    wishes->is_mute |= strcmp(word, "mute") == 0;
    wishes->babbles |= strcmp(word, "babble") == 0;
    wishes->is_noisy |= strcmp(word, "noise") == 0;
    if (strncmp(word, "needs=", 6) == 0)
        wishes->needs = value;
    if (strncmp(word, "idle=", 5) == 0)
        wishes->idle = value;
    if (strcmp(word, "leave") == 0)
        leave_process();
    if (strncmp(word, "slow=", 5) == 0)
        nanosleep(&(struct timespec){(time_t)(number / 1000), (long)(number % 1000) * 1000000},
                  NULL);
}

static void fail(const char *program) {
    fprintf(stderr, "weft sim: check failed; replay: WEFT_SIM_SEED=%" PRIu64 " %s\n", seed,
            program);
    abort();
}

int main(int argc, char **argv) {
    struct wishes wishes = {.needs = "", .idle = ""};
    const char *fd_text = getenv("WEFT_SIM_REPORT_FD"), *seed_text = getenv("WEFT_SIM_SEED");
    if (!fd_text || !seed_text)
        return 9;
    report_fd = (int)strtol(fd_text, NULL, 10);
    seed = strtoull(seed_text, NULL, 10);
    for (int i = 1; i < argc; i++)
        take_word(&wishes, argv[i]);
    puts("nobody reads this");
    for (int i = 0; wishes.is_noisy && i < 20000; i++)
        fprintf(stderr, "line %d of seed %" PRIu64 " \xff\n", i, seed);
    if (wishes.babbles)
        dprintf(report_fd, "good morning\n");
    while (wishes.hangs)
        pause();
    if (wishes.exits)
        return 3;
    bool fails = wishes.fails && are_on(wishes.needs);
    uint64_t hash = wishes.drifts ? (uint64_t)getpid() : seed * UINT64_C(0x9e3779b97f4a7c15);
    if (!wishes.is_mute)
        report(fails || wishes.reports ? "failed" : "0", hash, wishes.idle);
    if (fails)
        fail(argv[0]);
    return 0;
}

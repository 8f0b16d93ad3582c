// SPDX-License-Identifier: MIT
//
// Which faults a run has: what the program says, what chance adds, what the environment leaves.
#include "sim/world.h"

#include "base/text.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

bool weft__rate_is_valid(double rate) {
    return rate == -1 || (rate >= 0 && rate <= 1);
}

// Where the program says the rate of each.
static double rate_of(const weft_sim *options, enum weft__sim_fault fault) {
    const double rates[WEFT__SIM_FAULTS] = {
        [WEFT__SIM_SHORT_READS] = options->short_reads,
        [WEFT__SIM_SHORT_WRITES] = options->short_writes,
        [WEFT__SIM_STALLS] = options->stalls,
        [WEFT__SIM_DRIPS] = options->drips,
        [WEFT__SIM_LOSS] = options->loss,
        [WEFT__SIM_DUPLICATION] = options->duplication,
        [WEFT__SIM_REORDERING] = options->reordering,
        [WEFT__SIM_REFUSALS] = options->refusals,
        [WEFT__SIM_RESETS] = options->resets,
        [WEFT__SIM_TIMEOUTS] = options->timeouts,
        [WEFT__SIM_ABORTS] = options->aborts,
        [WEFT__SIM_FD_SHORTAGES] = options->fd_shortages,
        [WEFT__SIM_BUFFER_SHORTAGES] = options->buffer_shortages,
        [WEFT__SIM_MEMORY_SHORTAGES] = options->memory_shortages,
        [WEFT__SIM_NAME_FAILURES] = options->name_failures,
        [WEFT__SIM_NAME_LOSSES] = options->name_losses,
        [WEFT__SIM_NAME_DELAYS] = options->name_delays,
        [WEFT__SIM_NAME_CHANGES] = options->name_changes,
        [WEFT__SIM_STACK_SHORTAGES] = options->stack_shortages,
        [WEFT__SIM_YIELDS] = options->yields,
        [WEFT__SIM_SUSPENSIONS] = options->suspensions,
        [WEFT__SIM_LATE_CANCELS] = options->late_cancels,
        [WEFT__SIM_PARTITIONS] = options->partitions,
        [WEFT__SIM_PAUSES] = options->pauses,
        [WEFT__SIM_CLOCK_JUMPS] = options->clock_jumps,
        [WEFT__SIM_CRASHES] = options->crashes,
        [WEFT__SIM_CANCELS] = options->cancels,
    };
    return rates[fault];
}

// The bit of the fault that has this name, 0: none has.
static uint64_t find(const char *name, size_t length) {
    for (int i = 0; i < WEFT__SIM_FAULTS; i++) {
        const char *known = weft__sim_fault_name((enum weft__sim_fault)i);
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return (uint64_t)1 << i;
    }
    return 0;
}

// "resets,loss", or "none".
static int read_allowed(const char *text, uint64_t *ret_allowed) {
    *ret_allowed = text ? 0 : UINT64_MAX;
    if (!text || strcmp(text, "none") == 0)
        return 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        uint64_t bit = find(text, length);
        if (bit == 0)
            return -EINVAL;
        *ret_allowed |= bit;
        if (text[length] == '\0')
            return 0;
        text += length + 1;
    }
}

int weft__faults_read(const weft_sim *options, uint64_t *ret_allowed) {
    if (read_allowed(weft__env("WEFT_SIM_FAULTS"), ret_allowed) < 0)
        return weft__sim_refused_environment(
            "WEFT_SIM_FAULTS",
            "names of faults with commas between, as \"resets,loss\", or \"none\"");
    for (int i = 0; i < WEFT__SIM_FAULTS; i++) {
        enum weft__sim_fault fault = (enum weft__sim_fault)i;
        if (!weft__rate_is_valid(rate_of(options, fault)))
            return weft__sim_refused(weft__sim_fault_name(fault), "a rate is from 0 to 1, or -1");
    }
    return 0;
}

void weft__faults_set(struct weft__driver *driver, const weft_sim *options, uint64_t allowed) {
    uint64_t drawable = allowed;
    for (int i = 0; i < WEFT__SIM_FAULTS; i++) {
        enum weft__sim_fault fault = (enum weft__sim_fault)i;
        double rate = rate_of(options, fault);
        if (rate == -1)
            drawable &= ~((uint64_t)1 << i);
        if (rate == 0)
            rate = weft__sim_fault_base(fault);
        weft__sim_fault_set(driver, fault, rate > 0 && allowed >> i & 1 ? rate : 0);
    }
    if (options->chaos)
        weft__sim_fault_draw_all(driver, drawable);
}

// ---- One call that fails --------------------------------------------------------------------

static int fail_kind;
static bool was_met;

int weft__fail_read(const weft_sim *options) {
    fail_kind = options->fail ? weft__fail_find(options->fail) : -EINVAL;
    if (!options->fail)
        return 0;
    if (fail_kind < 0)
        return weft__sim_refused("fail", "no such kind of call: see weft/sim.h");
    if (options->fail_nth == 0)
        return weft__sim_refused("fail_nth", "the first call is number 1");
    if (options->fail_error > 0 || (options->fail_error == 0 && fail_kind != WEFT__FAIL_CANCEL))
        return weft__sim_refused("fail_error", "an error is negative");
    return 0;
}

void weft__fail_begin(const weft_sim *options) {
    if (fail_kind >= 0)
        weft__fail_arm((enum weft__fail_kind)fail_kind, options->fail_nth, 0,
                       fail_kind == WEFT__FAIL_CANCEL ? -ECANCELED : options->fail_error);
}

void weft__fail_end(void) {
    was_met = fail_kind >= 0 && weft__fail_is_met((enum weft__fail_kind)fail_kind);
    weft__fail_disarm();
}

int weft_sim_fail_was_met(void) {
    return was_met;
}

// ---- For reports ----------------------------------------------------------------------------

static void put_name(struct weft__text *text, int fault, bool *is_first) {
    weft__text_put(text, *is_first ? "" : ",");
    weft__text_put(text, weft__sim_fault_name((enum weft__sim_fault)fault));
    *is_first = false;
}

void weft__faults_put(struct weft__text *text, struct weft__driver *driver) {
    bool is_first = true;
    weft__text_put(text, " faults=");
    for (int i = 0; i < WEFT__SIM_FAULTS; i++)
        if (weft__sim_fault_rate(driver, (enum weft__sim_fault)i) > 0)
            put_name(text, i, &is_first);
    weft__text_put(text, is_first ? "none" : "");
    is_first = true;
    weft__text_put(text, " hits=");
    for (int i = 0; i < WEFT__SIM_FAULTS; i++) {
        uint64_t hits = weft__sim_fault_hits(driver, (enum weft__sim_fault)i);
        if (hits == 0)
            continue;
        put_name(text, i, &is_first);
        weft__text_put(text, ":");
        weft__text_put_u64(text, hits);
    }
    weft__text_put(text, is_first ? "none" : "");
}

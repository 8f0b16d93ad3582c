// SPDX-License-Identifier: MIT
// Faults: which there are, how likely each is in this run, and how often it has struck. What a
// fault does stands where it strikes: in the source of the thing that goes wrong.
#include "driver/sim_net.h"

// What a run draws for a fault that is on by chance, in the middle: often for what a program meets
// every day and must not notice, seldom for what ends a connection.
static const struct {
    const char *name;
    double rate;
} faults[] = {
    [WEFT__SIM_SHORT_READS] = {"short_reads", 0.2},
    [WEFT__SIM_SHORT_WRITES] = {"short_writes", 0.2},
    [WEFT__SIM_STALLS] = {"stalls", 0.1},
    [WEFT__SIM_DRIPS] = {"drips", 0.05},
    [WEFT__SIM_LOSS] = {"loss", 0.01},
    [WEFT__SIM_DUPLICATION] = {"duplication", 0.01},
    [WEFT__SIM_REORDERING] = {"reordering", 0.05},
    [WEFT__SIM_REFUSALS] = {"refusals", 0.02},
    [WEFT__SIM_RESETS] = {"resets", 0.002},
    [WEFT__SIM_TIMEOUTS] = {"timeouts", 0.002},
    [WEFT__SIM_ABORTS] = {"aborts", 0.02},
    [WEFT__SIM_FD_SHORTAGES] = {"fd_shortages", 0.02},
    [WEFT__SIM_BUFFER_SHORTAGES] = {"buffer_shortages", 0.005},
    [WEFT__SIM_MEMORY_SHORTAGES] = {"memory_shortages", 0.005},
    [WEFT__SIM_NAME_FAILURES] = {"name_failures", 0.05},
    [WEFT__SIM_NAME_LOSSES] = {"name_losses", 0.02},
    [WEFT__SIM_NAME_DELAYS] = {"name_delays", 0.1},
    [WEFT__SIM_NAME_CHANGES] = {"name_changes", 0.02},
    [WEFT__SIM_STACK_SHORTAGES] = {"stack_shortages", 0.02},
    [WEFT__SIM_YIELDS] = {"yields", 0.05},
    [WEFT__SIM_SUSPENSIONS] = {"suspensions", 0.25},
    [WEFT__SIM_LATE_CANCELS] = {"late_cancels", 0.5},
    [WEFT__SIM_PARTITIONS] = {"partitions", 0.002},
    [WEFT__SIM_PAUSES] = {"pauses", 0.002},
    [WEFT__SIM_CLOCK_JUMPS] = {"clock_jumps", 0.002},
    [WEFT__SIM_CRASHES] = {"crashes", 0}, // the program must ask for these two
    [WEFT__SIM_CANCELS] = {"cancels", 0},
};
_Static_assert(sizeof faults / sizeof *faults == WEFT__SIM_FAULTS, "each has a name");

const char *weft__sim_fault_name(enum weft__sim_fault fault) {
    return faults[fault].name;
}

double weft__sim_fault_base(enum weft__sim_fault fault) {
    bool is_on = fault >= WEFT__SIM_YIELDS && fault <= WEFT__SIM_LATE_CANCELS;
    return is_on ? faults[fault].rate : 0;
}

double weft__sim_fault_rate(struct weft__driver *d, enum weft__sim_fault fault) {
    return weft__sim_of(d)->faults[fault].rate;
}

uint64_t weft__sim_fault_hits(struct weft__driver *d, enum weft__sim_fault fault) {
    return weft__sim_of(d)->faults[fault].hits;
}

// Of a link's own faults this is the rate of all links that nobody has set.
void weft__sim_fault_set(struct weft__driver *d, enum weft__sim_fault fault, double rate) {
    struct weft__sim *sim = weft__sim_of(d);
    struct weft__sim_link link = sim->link;
    sim->faults[fault].rate = rate;
    if (fault == WEFT__SIM_LOSS)
        link.loss = rate;
    else if (fault == WEFT__SIM_DUPLICATION)
        link.duplication = rate;
    else if (fault == WEFT__SIM_REORDERING)
        link.reordering = rate;
    else
        return;
    weft__sim_link_all(d, &link);
}

void weft__sim_faults_init(struct weft__sim *sim, uint64_t seed) {
    weft__rng_seed(&sim->chance, weft__mix64(seed));
    for (uint64_t i = 0; i < WEFT__SIM_FAULTS; i++) {
        weft__rng_seed(&sim->faults[i].rng, weft__mix64(weft__mix64(seed) + 1 + i));
        sim->faults[i].rate = weft__sim_fault_base((enum weft__sim_fault)i);
    }
}

// Each of those that are off is on with a chance of one half, at a quarter of its rate to four
// times as much. Drawn for all in any case, so that one that is set or left out does not move the
// others.
void weft__sim_fault_draw_all(struct weft__driver *d, uint64_t allowed) {
    struct weft__sim *sim = weft__sim_of(d);
    for (int i = 0; i < WEFT__SIM_FAULTS; i++) {
        bool is_on = weft__rng_below(&sim->chance, 2) == 1;
        double rate = faults[i].rate * (double)(1 << weft__rng_below(&sim->chance, 5)) / 4;
        if (is_on && rate > 0 && allowed >> i & 1 && sim->faults[i].rate == 0)
            weft__sim_fault_set(d, (enum weft__sim_fault)i, rate);
    }
}

bool weft__sim_strikes_at(struct weft__sim *sim, enum weft__sim_fault fault, double rate) {
    if (rate <= 0 || (double)(weft__rng_next(&sim->faults[fault].rng) >> 11) * 0x1p-53 >= rate)
        return false;
    sim->faults[fault].hits++;
    weft__sim_trace(sim, WEFT__SIM_TRACE_FAULT, (int64_t)fault, 0);
    return true;
}

bool weft__sim_strikes(struct weft__sim *sim, enum weft__sim_fault fault) {
    return weft__sim_strikes_at(sim, fault, sim->faults[fault].rate);
}

uint64_t weft__sim_fault_below(struct weft__sim *sim, enum weft__sim_fault fault, uint64_t n) {
    return weft__rng_below(&sim->faults[fault].rng, n);
}

size_t weft__sim_shorten(struct weft__sim *sim, enum weft__sim_fault fault, size_t size) {
    if (size < 2 || !weft__sim_strikes(sim, fault))
        return size;
    uint64_t most = weft__sim_fault_below(sim, fault, 2) ? size : 2;
    return 1 + (size_t)weft__sim_fault_below(sim, fault, most);
}

// With one of the two, by turns of chance.
int weft__sim_shortage(struct weft__sim *sim, enum weft__sim_fault fault, int one, int other) {
    if (!weft__sim_strikes(sim, fault))
        return 0;
    return weft__sim_fault_below(sim, fault, 2) ? one : other;
}

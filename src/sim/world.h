// SPDX-License-Identifier: MIT
//
// The simulation that runs, of which there is one at most, and its hosts as programs know them.
// What hosts and links are to packets is driver/sim_host.c.
#ifndef WEFT__WORLD_H
#define WEFT__WORLD_H

#include "driver/sim.h"
#include "task/waiter.h"

#include <stdbool.h>
#include <weft/sim.h>
#include <weft/task.h>

struct weft__text;

struct weft__world_host {
    struct weft__list link; // in the world, in order of appearance
    struct weft__list waits;
    char name[WEFT__NAME_SIZE];
    uint32_t number; // the driver's
    int (*fn)(void *);
    void *arg;
    weft_scope scope; // its program's
    int result;
    bool is_over, is_down;
    unsigned stills; // who lets it stand still: WEFT__STILL_*
    unsigned boots;
};

enum { WEFT__STILL_BY_PROGRAM = 1, WEFT__STILL_BY_ACCIDENT = 2 };

struct weft__world {
    weft_sim *sim; // NULL: none runs
    struct weft__driver *driver;
    struct weft__list hosts;
    uint64_t seed;
    size_t handles_before;
    bool has_crashed;         // a host, in this run
    bool is_ending;           // the programs are told to end: none starts any more
    struct weft__list blocks; // of weft_sim_alloc
};

extern struct weft__world weft__world;

// The host, or NULL (host.c).
struct weft__world_host *weft__world_find(const char *name);
struct weft__world_host *weft__world_at(uint32_t number); // also in a signal handler
// Whether that one runs.
bool weft__world_is(const weft_sim *sim);

// In host.c. Starts the program, as a task on its host. 0 or -ENOMEM.
int weft__host_start(struct weft__world_host *host, struct weft__waiter *self);
// Its program is over, or lost: whoever waits for it is woken.
void weft__host_tell(struct weft__world_host *host);

// In memory.c.
void weft__world_free(void);

// In power.c.
void weft__host_still(struct weft__world_host *host, unsigned by, bool is_still);
void weft__host_crash(struct weft__world_host *host, struct weft__waiter *self);
int weft__host_restart(struct weft__world_host *host, struct weft__waiter *self);
// What crashed hosts have left goes, when all other programs have ended.
void weft__hosts_bury(void);

// In accidents.c. A task that makes them happen, if the run has any. 0 or -ENOMEM.
int weft__accidents_begin(void);
void weft__accidents_end(void);

// In host.c. Cancels all programs and waits for them; the first error of one, or 0.
int weft__hosts_end(void);
void weft__hosts_free(void);

// In links.c. Whether the name is the host's, or NULL: every host's.
bool weft__is_meant(const struct weft__world_host *host, const char *name);
// The driver's terms for a link: 0 or -EINVAL.
int weft__link_read(const weft_sim_link_options *options, struct weft__sim_link *ret_link);

// In faults.c. Whether a rate is a probability, or -1: never. NaN is neither.
bool weft__rate_is_valid(double rate);
// What the options and the environment say: 0 or -EINVAL. allowed  a bit for each.
int weft__faults_read(const weft_sim *options, uint64_t *ret_allowed);
void weft__faults_set(struct weft__driver *driver, const weft_sim *options, uint64_t allowed);
// The call that weft_sim.fail names: 0 or -EINVAL; it fails from `begin` to `end`.
int weft__fail_read(const weft_sim *options);
void weft__fail_begin(const weft_sim *options);
void weft__fail_end(void);
// " faults=loss hits=loss:12", safe in a signal handler.
void weft__faults_put(struct weft__text *text, struct weft__driver *driver);

// In report.c. A run that is refused: what is wrong with which option, for weft_explain; and which
// variable of the environment, for the log as well. Returns -EINVAL.
int weft__sim_refused(const char *option, const char *why);
int weft__sim_refused_environment(const char *variable, const char *why);

// In report.c. The seed of a run: what the environment says, else the program, else 1. 0 or
// -EINVAL.
int weft__report_seed(uint64_t given, uint64_t *ret_seed);
// Opens the capture and the timeline, if the environment names files for them. 0 or a negative
// code.
int weft__report_watch(struct weft__driver *driver);
// Around a run: a failure is reported, however it comes; and so is the end, if somebody asked.
void weft__report_begin(void);
void weft__report_end(int result);
// The run has failed: says so, and ends the process.
_Noreturn void weft__report_failure(const char *what);

#endif

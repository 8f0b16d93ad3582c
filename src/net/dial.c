// SPDX-License-Identifier: MIT
//
// Connecting: one address, or the race of a name's addresses.
//
// The race is RFC 8305, section 5: the addresses are sorted so that the families alternate,
// beginning with the first one's; attempts start 250 ms apart, or at once when the one before has
// failed; the first to connect wins, the others are cancelled and closed. All attempts are
// operations of the one caller, so there is no task to end, and the race works in a plain thread as
// well.
#include "net/tcp.h"

#include "net/addr.h"
#include "task/park.h"

#include <errno.h>
#include <string.h>

static const int64_t ATTEMPT_DELAY_NS = 250000000;

enum { RACE_MAX = 8 }; // addresses that are tried; of a name with more the rest is left out

struct attempt {
    struct weft__op op; // first
    weft_addr addr;
    int fd;
    bool is_over; // it has failed, or its descriptor went to the caller
};

struct race {
    struct weft__making *making;
    const weft_tcp_options *options;
    struct attempt attempts[RACE_MAX];
    size_t count, started;
    int64_t next_at; // when the next one starts
    int64_t error;   // of the last to fail
    char text[WEFT_ADDR_TEXT_SIZE];
};

// ---- One attempt ----------------------------------------------------------------------------

static int make_socket(struct race *race, const weft_addr *addr) {
    struct weft__socket_option list[WEFT__TCP_OPTION_COUNT];
    size_t count = weft__tcp_socket_options(race->options, list);
    int fd = weft__socket_make(race->making, addr, WEFT__STREAM, list, count);
    if (fd < 0 || !race->options->local)
        return fd;
    int error = weft__socket_bind(race->making, fd, race->options->local);
    if (error == 0)
        return fd;
    weft__ctl_close(race->making->self, fd);
    return error;
}

static void give_up(struct race *race, struct attempt *attempt, int64_t error) {
    attempt->is_over = true;
    race->error = error;
    race->next_at = INT64_MIN; // the next one need not wait
    if (attempt->fd >= 0)
        weft__ctl_close(race->making->self, attempt->fd);
}

// Starts the next attempt. Returns its descriptor if it has connected already, else -1.
static int start_next(struct race *race) {
    struct weft__waiter *self = race->making->self;
    struct attempt *attempt = &race->attempts[race->started++];
    attempt->fd = make_socket(race, &attempt->addr);
    if (attempt->fd < 0) {
        give_up(race, attempt, attempt->fd);
        return -1;
    }
    attempt->op = (struct weft__op){.kind = WEFT__OP_CONNECT,
                                    .fd = attempt->fd,
                                    .serial = weft__handle_serial(),
                                    .peer = &attempt->addr};
    int64_t result = weft__perform_start(self, &attempt->op);
    if (result == -EAGAIN) {
        race->next_at = weft__fresh_now(self) + ATTEMPT_DELAY_NS;
        return -1;
    }
    if (result < 0) {
        give_up(race, attempt, result);
        return -1;
    }
    attempt->op.result = result;
    return (int)(attempt - race->attempts);
}

// ---- The race -------------------------------------------------------------------------------

// Looks at those that have ended. Returns the index of one that has connected, or -1.
static int find_winner(struct race *race) {
    for (size_t i = 0; i < race->started; i++) {
        struct attempt *attempt = &race->attempts[i];
        if (attempt->is_over || attempt->op.is_pending)
            continue;
        if (attempt->op.result == 0)
            return (int)i;
        give_up(race, attempt, attempt->op.result);
    }
    return -1;
}

static bool is_any_pending(const struct race *race) {
    for (size_t i = 0; i < race->started; i++)
        if (race->attempts[i].op.is_pending)
            return true;
    return false;
}

// Cancels what still runs, waits until the driver has let go of it, and closes all but the winner.
// Returns the winner, which may be one that has connected although it was cancelled: a cancel is a
// request.
static int64_t end_race(struct race *race, int64_t winner) {
    struct weft__waiter *self = race->making->self;
    for (size_t i = 0; i < race->started; i++)
        if (race->attempts[i].op.is_pending)
            self->driver->class->cancel(self->driver, &race->attempts[i].op);
    while (is_any_pending(race))
        weft__park(self, INT64_MAX);
    int late = winner < 0 ? find_winner(race) : -1;
    if (late >= 0)
        winner = late;
    for (size_t i = 0; i < race->started; i++)
        if ((int64_t)i != winner && !race->attempts[i].is_over)
            weft__ctl_close(self, race->attempts[i].fd);
    return winner;
}

// For reports.
static void say_what_for(struct race *race) {
    const struct weft__making *making = race->making;
    const char *where = making->where;
    if (!where)
        where = weft_addr_text(making->addr, race->text);
    weft__waits(making->self, "connect", 0, where);
}

// Returns the index of the winner, or an error: the last failure, or the interruption.
static int64_t run_race(struct race *race) {
    struct weft__waiter *self = race->making->self;
    race->next_at = INT64_MIN;
    for (;;) {
        int winner = find_winner(race);
        if (winner >= 0)
            return winner;
        int error = weft__interrupted(self);
        if (error < 0) {
            race->making->is_interrupted = true;
            return error;
        }
        if (race->started < race->count && weft__coarse_now(self) >= race->next_at) {
            winner = start_next(race);
            if (winner >= 0)
                return winner;
            continue;
        }
        if (race->started == race->count && !is_any_pending(race))
            return race->error;
        int64_t at = weft__interrupt_at(self);
        int64_t next_at = race->started < race->count ? race->next_at : INT64_MAX;
        say_what_for(race);
        weft__park(self, at < next_at ? at : next_at);
    }
}

static int connect_first(struct weft__making *making, const weft_addr *list, size_t count,
                         const weft_tcp_options *options) {
    struct race race = {.making = making, .options = options};
    race.count = count < RACE_MAX ? count : RACE_MAX;
    for (size_t i = 0; i < race.count; i++)
        race.attempts[i].addr = list[i];
    int64_t winner = end_race(&race, run_race(&race));
    weft__waits(making->self, "connect", 0, NULL); // what was said lies in the race
    if (winner < 0)
        return (int)winner;
    struct attempt *attempt = &race.attempts[winner];
    return weft__socket_handle(making, attempt->fd, WEFT__KIND_STREAM, attempt->op.serial,
                               &attempt->addr);
}

// RFC 8305, section 4: families alternate, the first address's family first; order is kept within
// each.
static void interleave(weft_addr *list, size_t count) {
    for (size_t n = 1; n < count; n++) {
        size_t pick = n;
        while (pick < count && weft_addr_family(&list[pick]) == weft_addr_family(&list[n - 1]))
            pick++;
        if (pick == count) // the rest is of one family
            return;
        weft_addr moved = list[pick];
        memmove(&list[n + 1], &list[n], (pick - n) * sizeof *list);
        list[n] = moved;
    }
}

// ---- Public ---------------------------------------------------------------------------------

int weft_tcp_connect(const char *where) {
    struct weft__making making = {.self = weft__self(), .name = "connect", .where = where};
    weft_addr list[WEFT__RESOLVE_MAX];
    if (!making.self)
        return -ENOMEM;
    int result = weft__enter(making.self);
    making.is_interrupted = result < 0;
    if (result == 0)
        result = weft__where_resolve(&making, list, WEFT__RESOLVE_MAX);
    if (result > 0) {
        interleave(list, (size_t)result);
        result = connect_first(&making, list, (size_t)result, &(weft_tcp_options){0});
    }
    return result < 0 ? weft__making_failed(&making, result) : result;
}

int weft_priv_tcp_connect(const weft_addr *addr, const weft_tcp_options *given, size_t size) {
    struct weft__making making = {.self = weft__self(), .name = "connect", .addr = addr};
    weft_tcp_options options = {0};
    if (given)
        memcpy(&options, given, size < sizeof options ? size : sizeof options);
    if (!making.self)
        return -ENOMEM;
    int result = weft__enter(making.self);
    making.is_interrupted = result < 0;
    if (result == 0)
        result = weft__making_check(&making);
    if (result == 0)
        result = connect_first(&making, addr, 1, &options);
    return result < 0 ? weft__making_failed(&making, result) : result;
}

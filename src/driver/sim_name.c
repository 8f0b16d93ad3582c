// SPDX-License-Identifier: MIT
// Names on the simulated machine: numeric ones, localhost, and those a test has added; all others
// do not exist. Every answer takes virtual time, like that of a real resolver.
#include "driver/sim.h"

#include "base/address.h"
#include "driver/sim_net.h"
#include "os/inet.h"
#include "os/os.h"

#include <strings.h>
#include <weft/error.h>

static const int64_t NUMERIC_DELAY_NS = 10000;
static const int64_t LOCALHOST_DELAY_NS = 50000; // a look into /etc/hosts
static const int64_t SLOW_MAX_NS = 20000000000;  // resolv.conf(5): 5 s for each attempt
static const int64_t UNKNOWN_DELAY_NS = 2000000; // a question to a name server

struct entry {
    struct weft__list link;
    int64_t delay_ns;
    size_t count;
    char *name; // behind the list
    weft_addr list[];
};

// Names are compared as DNS does, without regard to case (RFC 4343).
static struct entry *find_entry(struct weft__sim *sim, const char *name) {
    for (struct weft__list *link = weft__list_first(&sim->names); link != NULL;
         link = weft__list_next(&sim->names, link)) {
        struct entry *entry = WEFT__CONTAINER(link, struct entry, link);
        if (strcasecmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

static void free_entry(struct entry *entry) {
    weft__list_remove(&entry->link);
    weft__free(entry);
}

int weft__sim_name_add(struct weft__driver *d, const char *name, const weft_addr *list,
                       size_t count, int64_t delay_ns) {
    struct weft__sim *sim = weft__sim_of(d);
    size_t name_size = strlen(name) + 1;
    struct entry *entry = weft__alloc(sizeof *entry + count * sizeof *list + name_size);
    if (entry == NULL)
        return -ENOMEM;
    entry->delay_ns = delay_ns;
    entry->count = count;
    entry->name = (char *)&entry->list[count];
    memcpy(entry->name, name, name_size);
    if (count > 0)
        memcpy(entry->list, list, count * sizeof *list);
    struct entry *old = find_entry(sim, name);
    if (old != NULL)
        free_entry(old);
    weft__list_push_back(&sim->names, &entry->link);
    return 0;
}

static bool is_of(const struct entry *entry, const struct weft__sim_name *ip) {
    for (size_t i = 0; i < entry->count; i++) {
        struct weft__sim_name name = weft__sim_name_of(&entry->list[i]);
        if (weft__sim_same_ip(&name, ip))
            return true;
    }
    return false;
}

const char *weft__sim_host_name(const struct weft__sim_host *host) {
    const struct weft__list *names = &host->sim->names;
    for (struct weft__list *link = weft__list_first(names); link != NULL && host->ip_count > 0;
         link = weft__list_next(names, link)) {
        const struct entry *entry = WEFT__CONTAINER(link, struct entry, link);
        if (is_of(entry, &host->ips[0]))
            return entry->name;
    }
    return NULL;
}

void weft__sim_name_drop(struct weft__sim *sim, const char *name) {
    struct entry *entry = find_entry(sim, name);
    if (entry != NULL)
        free_entry(entry);
}

void weft__sim_names_free(struct weft__sim *sim) {
    struct weft__list *link;
    while ((link = weft__list_first(&sim->names)) != NULL)
        free_entry(WEFT__CONTAINER(link, struct entry, link));
}

// ---- Answers ----

static bool parse_numeric(const char *host, weft_addr *ret_addr) {
    uint8_t ip[16];
    if (weft__inet_parse4(host, ip) == 0)
        *ret_addr = weft__address_make(WEFT_IPV4, ip, 0, 0);
    else if (weft__inet_parse6(host, ip) == 0)
        *ret_addr = weft__address_make(WEFT_IPV6, ip, 0, 0);
    else
        return false;
    return true;
}

static bool is_localhost(const char *host) {
    return strcasecmp(host, "localhost") == 0;
}

static int64_t store(struct weft__op_resolve *resolve, const weft_addr *list, size_t count) {
    ASSERT(resolve->capacity >= 1);
    if (count == 0)
        return -WEFT_ENAME;
    count = count < resolve->capacity ? count : resolve->capacity;
    for (size_t i = 0; i < count; i++)
        resolve->ret_list[i] =
            weft__address_make(weft__address_family(&list[i]), weft__address_ip(&list[i]),
                               resolve->port, weft__address_zone(&list[i]));
    return (int64_t)count;
}

// Any of those that are known, perhaps the one that was asked for.
static const struct entry *any_entry(struct weft__sim *sim) {
    uint64_t count = 0;
    struct weft__list *link;
    for (link = weft__list_first(&sim->names); link; link = weft__list_next(&sim->names, link))
        count++;
    uint64_t n = weft__sim_fault_below(sim, WEFT__SIM_NAME_CHANGES, count);
    for (link = weft__list_first(&sim->names); n > 0; n--)
        link = weft__list_next(&sim->names, link);
    return WEFT__CONTAINER(link, struct entry, link);
}

// IPv6 goes first, as RFC 6724 orders the two loopback addresses.
static int64_t answer(struct weft__sim *sim, struct weft__op_resolve *resolve) {
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    weft_addr numeric;
    const struct entry *entry = find_entry(sim, resolve->host);
    if (entry != NULL && weft__sim_strikes(sim, WEFT__SIM_NAME_CHANGES))
        entry = any_entry(sim);
    if (entry != NULL)
        return store(resolve, entry->list, entry->count);
    if (parse_numeric(resolve->host, &numeric))
        return store(resolve, &numeric, 1);
    const weft_addr localhost[] = {weft__address_make(WEFT_IPV6, v6, 0, 0),
                                   weft__address_make(WEFT_IPV4, v4, 0, 0)};
    return store(resolve, localhost, is_localhost(resolve->host) ? 2 : 0);
}

// Settled when it is asked; the answer itself is looked up when it is given, so that a name may
// change while somebody waits for it.
static int64_t delay_of(struct weft__sim *sim, const char *host) {
    weft_addr numeric;
    const struct entry *entry = find_entry(sim, host);
    if (entry != NULL)
        return entry->delay_ns;
    if (parse_numeric(host, &numeric))
        return NUMERIC_DELAY_NS;
    return is_localhost(host) ? LOCALHOST_DELAY_NS : UNKNOWN_DELAY_NS;
}

// ---- Lookups ----

// One event serves all lookups, since no operation may need memory to wait: it stands at the
// earliest answer. It may come too early, after a cancel, and then finds nothing to do.
static void set_event(struct weft__sim *sim) {
    int64_t next_ns = INT64_MAX;
    for (struct weft__list *link = weft__list_first(&sim->lookups); link != NULL;
         link = weft__list_next(&sim->lookups, link)) {
        const struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        next_ns = (int64_t)op->slot < next_ns ? (int64_t)op->slot : next_ns;
    }
    if (next_ns != INT64_MAX)
        weft__sim_set(sim, &sim->lookup_event, next_ns);
}

static void answer_due(struct weft__sim *sim, struct weft__sim_event *event) {
    (void)event;
    struct weft__list *next, *link = weft__list_first(&sim->lookups);
    for (; link != NULL; link = next) {
        next = weft__list_next(&sim->lookups, link);
        struct weft__op *op = WEFT__CONTAINER(link, struct weft__op, link);
        if ((int64_t)op->slot > weft__sim_now(sim))
            continue;
        int64_t result = weft__sim_strikes(sim, WEFT__SIM_NAME_FAILURES) ? -WEFT_ENAMEFAIL
                         : weft__sim_strikes(sim, WEFT__SIM_NAME_LOSSES) ? -WEFT_ENAME
                                                                         : answer(sim, op->resolve);
        weft__sim_finish(sim, op, result);
    }
    set_event(sim);
}

void weft__sim_resolve(struct weft__sim *sim, struct weft__op *op) {
    int64_t delay_ns = delay_of(sim, op->resolve->host);
    if (weft__sim_strikes(sim, WEFT__SIM_NAME_DELAYS))
        delay_ns +=
            (int64_t)weft__sim_fault_below(sim, WEFT__SIM_NAME_DELAYS, (uint64_t)SLOW_MAX_NS);
    op->slot = (uint64_t)(weft__sim_now(sim) + delay_ns);
    weft__list_push_back(&sim->lookups, &op->link);
    sim->lookup_event.fire = answer_due;
    set_event(sim);
}

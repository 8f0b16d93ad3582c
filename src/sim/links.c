// SPDX-License-Identifier: MIT
//
// Links and partitions, by the names of hosts.
#include "sim/world.h"

#include <errno.h>
#include <string.h>

enum { MTU_MIN = 576, MTU_MAX = 65536 };

static double probability(double value) {
    return value == -1 ? 0 : value;
}

static int64_t duration(int64_t value, int64_t otherwise) {
    return value == 0 ? otherwise : value == -1 ? 0 : value;
}

int weft__link_read(const weft_sim_link_options *options, struct weft__sim_link *ret_link) {
    struct weft__sim_link ordinary = weft__sim_link_ordinary();
    int64_t most_ns = WEFT_HOUR;
    if (options->latency_ns < -1 || options->latency_ns > most_ns || options->jitter_ns < -1 ||
        options->jitter_ns > most_ns || options->bytes_per_second < -1 ||
        !weft__rate_is_valid(options->loss) || !weft__rate_is_valid(options->duplication) ||
        !weft__rate_is_valid(options->reordering))
        return -EINVAL;
    if (options->mtu_bytes != 0 && (options->mtu_bytes < MTU_MIN || options->mtu_bytes > MTU_MAX))
        return -EINVAL;
    *ret_link = (struct weft__sim_link){
        .latency_ns = duration(options->latency_ns, ordinary.latency_ns),
        .jitter_ns = duration(options->jitter_ns, ordinary.jitter_ns),
        .bytes_per_s = options->bytes_per_second > 0 ? options->bytes_per_second : 0,
        .loss = probability(options->loss),
        .duplication = probability(options->duplication),
        .reordering = probability(options->reordering),
        .mtu = options->mtu_bytes > 0 ? (uint32_t)options->mtu_bytes : ordinary.mtu,
    };
    return 0;
}

int weft_priv_sim_link(size_t size, weft_sim *sim, const char *a, const char *b,
                       const weft_sim_link_options *given) {
    const struct weft__world_host *one = a ? weft__world_find(a) : NULL;
    const struct weft__world_host *other = b ? weft__world_find(b) : NULL;
    struct weft__sim_link link;
    weft_sim_link_options options = {0};
    if (!weft__world_is(sim) || !one || !other)
        return -ENOENT;
    if (given)
        memcpy(&options, given, size < sizeof options ? size : sizeof options);
    if (one == other || weft__link_read(&options, &link) < 0)
        return -EINVAL;
    if (!given)
        link = weft__sim_link_base(weft__world.driver);
    weft__sim_link_set(weft__world.driver, one->number, other->number, &link);
    weft__sim_link_set(weft__world.driver, other->number, one->number, &link);
    return 0;
}

// ---- Partitions -----------------------------------------------------------------------------

bool weft__is_meant(const struct weft__world_host *host, const char *name) {
    return !name || strcmp(host->name, name) == 0;
}

// Every way from a host that `from` means to one that `to` means; a host reaches itself always.
static void cut_all(const char *from, const char *to, bool is_cut) {
    struct weft__list *hosts = &weft__world.hosts;
    for (struct weft__list *i = weft__list_first(hosts); i; i = weft__list_next(hosts, i))
        for (struct weft__list *j = weft__list_first(hosts); j; j = weft__list_next(hosts, j)) {
            struct weft__world_host *a = WEFT__CONTAINER(i, struct weft__world_host, link);
            struct weft__world_host *b = WEFT__CONTAINER(j, struct weft__world_host, link);
            if (a != b && weft__is_meant(a, from) && weft__is_meant(b, to))
                weft__sim_cut(weft__world.driver, a->number, b->number, is_cut);
        }
}

static int cut(weft_sim *sim, const char *from, const char *to, bool is_cut, bool is_both) {
    if (!weft__world_is(sim) || (from && !weft__world_find(from)) || (to && !weft__world_find(to)))
        return -ENOENT;
    cut_all(from, to, is_cut);
    if (is_both)
        cut_all(to, from, is_cut);
    return 0;
}

int weft_sim_partition(weft_sim *sim, const char *a, const char *b) {
    return cut(sim, a, b, true, true);
}

int weft_sim_partition_one_way(weft_sim *sim, const char *from, const char *to) {
    return cut(sim, from, to, true, false);
}

int weft_sim_heal(weft_sim *sim, const char *a, const char *b) {
    return cut(sim, a, b, false, true);
}

// SPDX-License-Identifier: MIT
// Reads "seed=77 result=0 steps=18231 time_ns=1250003000 hash=89abcdef01234567 faults=resets,enomem
// hits=resets:12": see sim_report.h.
#include "sim_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The number of a fault, which a name not seen before gets now; or -EINVAL.
static int find_fault(struct sim_faults *faults, const char *name) {
    int i = 0;
    while (i < faults->count && strcmp(faults->names[i], name) != 0)
        i++;
    if (i < faults->count)
        return i;
    size_t size = strlen(name);
    if (i == SIM_FAULTS_MAX || size == 0 || size >= SIM_FAULT_NAME_SIZE)
        return -EINVAL;
    memcpy(faults->names[i], name, size + 1);
    faults->count++;
    return i;
}

// Reads "a,b" or "a:12,b:0" or "none"; what was counted and found to be 0 is no member.
static int parse_set(struct sim_faults *faults, char *text, uint64_t *set) {
    if (strcmp(text, "none") == 0)
        return 0;
    for (char *item; (item = strsep(&text, ","));) {
        char *hits = strchr(item, ':');
        if (hits)
            *hits++ = '\0';
        int fault = find_fault(faults, item);
        if (fault < 0)
            return fault;
        if (!hits || strtoull(hits, NULL, 10) > 0)
            *set |= UINT64_C(1) << fault;
    }
    return 0;
}

// The order of simulations counts; a single one keeps the hash that its author sees.
static int add_hash(struct sim_report *report, const char *text) {
    char *end;
    uint64_t hash = strtoull(text, &end, 16);
    report->hash = (report->hash << 1 | report->hash >> 63) ^ hash;
    return *end == '\0' && end > text ? 0 : -EINVAL;
}

int sim_report_add(struct sim_report *report, struct sim_faults *faults, char *line) {
    enum { RESULT = 1, HASH = 2, FAULTS = 4, HITS = 8, ALL = 15 };
    int seen = 0, result = 0;
    for (char *word; result == 0 && (word = strsep(&line, " "));) {
        char *value = strchr(word, '=');
        if (!value)
            return -EINVAL;
        *value++ = '\0';
        if (strcmp(word, "result") == 0) {
            seen |= RESULT;
            report->has_failed |= strcmp(value, "failed") == 0;
        } else if (strcmp(word, "hash") == 0) {
            seen |= HASH;
            result = add_hash(report, value);
        } else if (strcmp(word, "faults") == 0) {
            seen |= FAULTS;
            result = parse_set(faults, value, &report->on);
        } else if (strcmp(word, "hits") == 0) {
            seen |= HITS;
            result = parse_set(faults, value, &report->fired);
        }
    }
    report->lines++;
    return seen == ALL ? result : -EINVAL;
}

int sim_set_members(const struct sim_faults *faults, uint64_t set, int members[SIM_FAULTS_MAX]) {
    int count = 0;
    for (int fault = 0; fault < faults->count; fault++) {
        if (!(set >> fault & 1))
            continue;
        int at = count++;
        for (; at > 0 && strcmp(faults->names[members[at - 1]], faults->names[fault]) > 0; at--)
            members[at] = members[at - 1];
        members[at] = fault;
    }
    return count;
}

char *sim_set_text(const struct sim_faults *faults, uint64_t set, char buf[SIM_SET_TEXT_SIZE]) {
    int members[SIM_FAULTS_MAX];
    int count = sim_set_members(faults, set, members);
    size_t used = 0;
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(buf + used, SIM_SET_TEXT_SIZE - used, "%s%s", i > 0 ? "," : "",
                                 faults->names[members[i]]);
    if (count == 0)
        snprintf(buf, SIM_SET_TEXT_SIZE, "none");
    return buf;
}

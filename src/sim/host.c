// SPDX-License-Identifier: MIT
//
// The programs of hosts: started, waited for, ended.
#include "sim/world.h"

#include "os/os.h"
#include "task/park.h"

#include <errno.h>
#include <string.h>
#include <weft/addr.h>
#include <weft/error.h>

static const int64_t NAME_DELAY_NS = 50000; // of an answer to who asks for a host's name
enum { ADDRESSES_SIZE = 128 };

struct weft__world_host *weft__world_find(const char *name) {
    struct weft__list *hosts = &weft__world.hosts;
    if (!weft__world.sim)
        return NULL;
    for (struct weft__list *i = weft__list_first(hosts); i; i = weft__list_next(hosts, i)) {
        struct weft__world_host *host = WEFT__CONTAINER(i, struct weft__world_host, link);
        if (strcmp(host->name, name) == 0)
            return host;
    }
    return NULL;
}

struct weft__world_host *weft__world_at(uint32_t number) {
    struct weft__list *hosts = &weft__world.hosts;
    for (struct weft__list *i = weft__list_first(hosts); i; i = weft__list_next(hosts, i)) {
        struct weft__world_host *host = WEFT__CONTAINER(i, struct weft__world_host, link);
        if (host->number == number)
            return host;
    }
    return NULL;
}

struct wait {
    struct weft__list link;
    struct weft__waiter *waiter;
};

// No lock guards this: a simulation is one thread, and changes tasks only where they wait.
void weft__host_tell(struct weft__world_host *host) {
    struct weft__list *link;
    while ((link = weft__list_first(&host->waits)) != NULL) {
        weft__list_remove(link);
        weft__unpark(WEFT__CONTAINER(link, struct wait, link)->waiter);
    }
}

static int run_host(void *arg) {
    struct weft__world_host *host = arg;
    host->result = host->fn(host->arg);
    host->is_over = true;
    weft__host_tell(host);
    return 0;
}

// "10.0.0.1,fd00::1": how many there are, or -EINVAL.
static int read_addresses(const char *text, weft_addr *ret_ips) {
    int count = 0;
    for (const char *rest = text; rest; count++) {
        char word[ADDRESSES_SIZE];
        size_t length = strcspn(rest, ",");
        if (count == WEFT__SIM_IPS || length >= sizeof word)
            return -EINVAL;
        memcpy(word, rest, length);
        word[length] = '\0';
        if (weft_addr_parse_ip(word, 0, &ret_ips[count]) < 0)
            return -EINVAL;
        rest = rest[length] == ',' ? rest + length + 1 : NULL;
    }
    bool is_twice = count == 2 && weft_addr_family(&ret_ips[0]) == weft_addr_family(&ret_ips[1]);
    return is_twice ? -EINVAL : count;
}

// The task inherits its host from whoever starts it, so for a moment that is the new one; and it
// knows of no deadline.
int weft__host_start(struct weft__world_host *host, struct weft__waiter *self) {
    uint32_t own = self->host;
    int64_t deadline = self->deadline;
    self->host = host->number;
    self->deadline = INT64_MAX;
    int error =
        weft_go_with(&host->scope, run_host, host, &(weft_task_options){.name = host->name});
    self->host = own;
    self->deadline = deadline;
    return error;
}

// First the driver's half: a number and a name that resolves.
static int begin(struct weft__world_host *host, const weft_addr *ips, int count,
                 struct weft__waiter *self) {
    struct weft__driver *driver = weft__world.driver;
    int number = weft__sim_host_add(driver, ips, (size_t)count);
    if (number < 0)
        return number == -EADDRINUSE ? -EEXIST : number;
    host->number = (uint32_t)number;
    int error = weft__sim_name_add(driver, host->name, ips, (size_t)count, NAME_DELAY_NS);
    if (error == 0)
        error = weft__host_start(host, self);
    if (error < 0)
        weft__sim_host_drop(driver, host->name);
    return error;
}

// What a program can connect to as "name:7878", and no address.
static bool is_name(const char *name) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    weft_addr addr;
    return name && name[0] != '\0' && strlen(name) < WEFT__NAME_SIZE &&
           name[strspn(name, letters)] == '\0' && strcmp(name, "localhost") != 0 &&
           weft_addr_parse_ip(name, 0, &addr) < 0;
}

int weft_sim_host(weft_sim *sim, const char *name, const char *addresses, int (*fn)(void *),
                  void *arg) {
    struct weft__waiter *self = weft__self();
    weft_addr ips[WEFT__SIM_IPS];
    if (!weft__world_is(sim) || !self)
        return -ENOENT;
    if (!self->is_thread)
        return -EPERM;
    if (!fn || !is_name(name) || !addresses)
        return -EINVAL;
    int count = read_addresses(addresses, ips);
    if (count < 0)
        return count;
    if (weft__world_find(name))
        return -EEXIST;
    struct weft__world_host *host = weft__alloc(sizeof *host);
    if (!host)
        return -ENOMEM;
    memcpy(host->name, name, strlen(name) + 1);
    host->fn = fn;
    host->arg = arg;
    weft__list_init(&host->waits);
    int error = begin(host, ips, count, self);
    if (error < 0) {
        weft__free(host);
        return error;
    }
    weft__list_push_back(&weft__world.hosts, &host->link);
    return 0;
}

int weft_sim_wait(weft_sim *sim, const char *name) {
    struct weft__waiter *self = weft__self();
    struct weft__world_host *host = name ? weft__world_find(name) : NULL;
    struct wait wait = {.waiter = self};
    int code = 0;
    if (!weft__world_is(sim) || !self || !host)
        return -ENOENT;
    unsigned boots = host->boots;
    weft__list_push_back(&host->waits, &wait.link);
    weft__waits(self, "sim_wait", 0, host->name);
    while (!host->is_over && !host->is_down && host->boots == boots &&
           (code = weft__interrupted(self)) == 0)
        weft__park(self, weft__interrupt_at(self));
    weft__list_remove(&wait.link);
    if (code == 0 && (host->is_down || host->boots != boots))
        code = -EHOSTDOWN;
    return code < 0 ? code : host->result;
}

// Hosts end together, as when the power fails: each is told before the first is waited for.
int weft__hosts_end(void) {
    struct weft__list *hosts = &weft__world.hosts, *link;
    int result = 0;
    weft__world.is_ending = true;
    for (link = weft__list_first(hosts); link; link = weft__list_next(hosts, link)) {
        struct weft__world_host *host = WEFT__CONTAINER(link, struct weft__world_host, link);
        weft__host_still(host, host->stills, false);
        weft_cancel(&host->scope);
    }
    for (link = weft__list_first(hosts); link; link = weft__list_next(hosts, link)) {
        struct weft__world_host *host = WEFT__CONTAINER(link, struct weft__world_host, link);
        (void)weft_join(&host->scope);
        if (result == 0 && !host->is_down && host->result < 0 && host->result != -ECANCELED) {
            result = host->result;
            weft__log(WEFT__LOG_WARN, "sim_run: the program of host %s answered %s", host->name,
                      weft_strerror(result));
        }
    }
    return result;
}

void weft__hosts_free(void) {
    struct weft__list *link;
    while ((link = weft__list_first(&weft__world.hosts)) != NULL) {
        weft__list_remove(link);
        weft__free(WEFT__CONTAINER(link, struct weft__world_host, link));
    }
}

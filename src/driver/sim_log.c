// SPDX-License-Identifier: MIT
// The timeline of a simulation, for people: a line for each thing that happens to a packet.
// Not here: what happens (sim_watch.c).
#include "driver/sim_log.h"

#include "base/text.h"
#include "driver/sim_sink.h"
#include "os/inet.h"

#include <inttypes.h>

enum { LINE_SIZE = 320 };

static void put_name(struct weft__text *text, const struct weft__sim_name *name) {
    char ip[WEFT__INET_TEXT_SIZE];
    bool is_v4 = weft__sim_is_v4(name);
    weft__inet_format(is_v4 ? WEFT_IPV4 : WEFT_IPV6, is_v4 ? name->ip + 12 : name->ip, ip,
                      sizeof ip);
    weft__text_putf(text, is_v4 ? "%s:%u" : "[%s]:%u", ip, (unsigned)name->port);
}

// By the name that the resolver knows it by.
static void put_host(struct weft__text *text, const struct weft__sim_host *host) {
    const char *name = weft__sim_host_name(host);
    char number[16];
    struct weft__text fallback;
    weft__text_init(&fallback, number, sizeof number);
    weft__text_putf(&fallback, "host%u", (unsigned)host->number);
    weft__text_putf(text, "%-12s ", name != NULL ? name : number);
}

// When, and where. False: nobody reads it.
static bool begin_line(struct weft__sim *sim, const struct weft__sim_host *host,
                       struct weft__text *text) {
    char *line = sim->log != NULL ? weft__sim_sink_room(sim->log, LINE_SIZE) : NULL;
    if (line == NULL)
        return false;
    weft__text_init(text, line, LINE_SIZE);
    int64_t at_ns = weft__sim_elapsed(&sim->front.driver);
    weft__text_putf(text, "%6" PRId64 ".%09" PRId64 " ", at_ns / 1000000000, at_ns % 1000000000);
    put_host(text, host);
    return true;
}

static void end_line(struct weft__sim *sim, struct weft__text *text) {
    text->data[text->length] = '\n';
    weft__sim_sink_add(sim->log, text->length + 1);
}

void weft__sim_note(struct weft__driver *d, uint32_t host, const char *what) {
    struct weft__sim *sim = weft__sim_of(d);
    struct weft__text text;
    if (!begin_line(sim, sim->hosts[host], &text))
        return;
    weft__text_put(&text, what);
    end_line(sim, &text);
}

void weft__sim_log_put(struct weft__sim *sim, const struct weft__sim_host *host,
                       const struct weft__sim_name *from, const struct weft__sim_name *to,
                       const char *format, ...) {
    struct weft__text text;
    if (!begin_line(sim, host, &text))
        return;
    put_name(&text, from);
    weft__text_put(&text, " > ");
    put_name(&text, to);
    weft__text_put(&text, " ");
    va_list args;
    va_start(args, format);
    weft__text_vputf(&text, format, args);
    va_end(args);
    end_line(sim, &text);
}

int weft__sim_log_open(struct weft__driver *d, const char *path) {
    struct weft__sim *sim = weft__sim_of(d);
    ASSERT(sim->log == NULL);
    return weft__sim_sink_open(path, &sim->log);
}

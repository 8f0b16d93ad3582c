// SPDX-License-Identifier: MIT
// Where a packet's life is told to the capture and to the timeline. Nothing that happens depends on
// what is told here.
// Not for how it is written down: sim_capture.h and sim_log.h.
#ifndef WEFT__SIM_WATCH_H
#define WEFT__SIM_WATCH_H

#include "driver/sim_net.h"

// ---- Connections ----

// A packet leaves, with so many bytes; it is due; it is lost, or it arrives, which is seen before
// and after it has its effect; it leaves again because its acknowledgement was lost, and that is
// heard now or not.
void weft__sim_see_sent(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet,
                        size_t size);
void weft__sim_see_due(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet);
void weft__sim_see_lost(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet,
                        bool is_cut);
void weft__sim_see_arriving(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet);
void weft__sim_see_arrived(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet);
void weft__sim_see_repeated(struct weft__sim_pipe *pipe, const struct weft__sim_packet *packet,
                            bool is_heard);
// The connection ends for both, by somebody on the way; for one end, which has waited enough.
void weft__sim_see_broken(struct weft__sim_stream *stream);
void weft__sim_see_given_up(const struct weft__sim_stream *stream, int end, int error);

// ---- Datagrams ----

struct weft__sim_datagram {
    struct weft__list link; // in flight, or received
    struct weft__sim_event arrival;
    struct weft__sim_name from, to;
    struct weft__sim_host *sender, *receiver; // NULL: nobody has the address
    size_t size;
    char data[];
};

enum weft__sim_fate {
    WEFT__SIM_SENT,
    WEFT__SIM_ARRIVED,
    WEFT__SIM_LOST,
    WEFT__SIM_REFUSED,
    WEFT__SIM_OVERFLOWED,
};
void weft__sim_see_datagram(struct weft__sim *sim, const struct weft__sim_datagram *datagram,
                            enum weft__sim_fate fate);

#endif

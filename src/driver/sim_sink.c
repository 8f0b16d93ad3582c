// SPDX-License-Identifier: MIT
// A file that a simulation writes: see sim_sink.h.
#include "driver/sim_sink.h"

#include "base/assert.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <weft/error.h>

struct weft__sim_sink {
    int fd; // -1: a write has failed, and was reported
    size_t used;
    char *path; // behind the buffer
    char buf[2 * WEFT__SIM_SINK_RECORD_MAX];
};

int weft__sim_sink_open(const char *path, struct weft__sim_sink **ret_sink) {
    size_t path_size = strlen(path) + 1;
    struct weft__sim_sink *sink = weft__alloc(sizeof *sink + path_size);
    if (sink == NULL)
        return -ENOMEM;
    sink->path = (char *)(sink + 1);
    memcpy(sink->path, path, path_size);
    sink->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (sink->fd < 0) {
        int error = -errno;
        weft__free(sink);
        return error;
    }
    *ret_sink = sink;
    return 0;
}

static void close_file(struct weft__sim_sink *sink) {
    if (sink->fd >= 0)
        (void)close(sink->fd); // an error of close(2) has no cure here
    sink->fd = -1;
}

void weft__sim_sink_flush(struct weft__sim_sink *sink) {
    int error = sink->fd >= 0 ? weft__os_write(sink->fd, sink->buf, sink->used) : 0;
    sink->used = 0;
    if (error == 0)
        return;
    close_file(sink);
    weft__log(WEFT__LOG_WARN, "simulation: %s ends here, it cannot be written: %s", sink->path,
              weft_strerror(error));
}

void *weft__sim_sink_room(struct weft__sim_sink *sink, size_t size) {
    ASSERT(size <= WEFT__SIM_SINK_RECORD_MAX);
    if (sizeof sink->buf - sink->used < size)
        weft__sim_sink_flush(sink);
    return sink->fd >= 0 ? sink->buf + sink->used : NULL;
}

void weft__sim_sink_add(struct weft__sim_sink *sink, size_t size) {
    sink->used += size;
}

void weft__sim_sink_close(struct weft__sim_sink *sink) {
    if (sink == NULL)
        return;
    weft__sim_sink_flush(sink);
    close_file(sink);
    weft__free(sink);
}

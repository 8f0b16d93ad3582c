// SPDX-License-Identifier: MIT
//
// Making sockets, for TCP and UDP. Which options and what then is theirs.
#include "net/socket.h"

#include "net/addr.h"
#include "task/park.h"

#include <errno.h>
#include <string.h>
#include <weft/error.h>
#include <weft/net.h>

int weft__making_failed(struct weft__making *making, int64_t code) {
    if (making->addr && !making->where)
        (void)weft__failed_addr(making->self, making->name, making->addr, code);
    else
        (void)weft__failed_text(making->self, making->name, making->where ? making->where : "",
                                NULL, code);
    making->self->failure->detail = making->detail;
    if (making->is_interrupted)
        weft__failed_by_deadline(making->self, code);
    return (int)code;
}

int weft__making_check(struct weft__making *making) {
    if (making->addr && weft_addr_family(making->addr) != 0)
        return 0;
    making->addr = NULL;
    making->detail = "no address was given";
    return -EINVAL;
}

int weft__socket_make(struct weft__making *making, const weft_addr *addr, int type,
                      const struct weft__socket_option *options, size_t count) {
    struct weft__waiter *self = making->self;
    struct weft__ctl make = {
        .kind = WEFT__CTL_SOCKET, .family = weft_addr_family(addr), .type = type};
    int64_t fd = weft__ctl(self, &make);
    if (fd < 0)
        return (int)fd;
    for (size_t i = 0; i < count; i++) {
        struct weft__ctl set = {.kind = WEFT__CTL_SET,
                                .fd = (int)fd,
                                .option = options[i].option,
                                .value = options[i].value};
        int64_t error = options[i].value != 0 ? weft__ctl(self, &set) : 0;
        if (error < 0) {
            weft__ctl_close(self, (int)fd);
            return (int)error;
        }
    }
    return (int)fd;
}

int weft__socket_bind(struct weft__making *making, int fd, const weft_addr *addr) {
    weft_addr copy = *addr;
    struct weft__ctl bind = {.kind = WEFT__CTL_BIND, .fd = fd, .addr = &copy};
    return (int)weft__ctl(making->self, &bind);
}

static void name(struct weft__making *making, int h, int fd, const weft_addr *addr) {
    weft_addr actual = *addr;
    struct weft__ctl ask = {.kind = WEFT__CTL_LOCAL, .fd = fd, .addr = &actual};
    if (weft_addr_port(addr) == 0)
        (void)making->self->driver->class->ctl(making->self->driver, &ask); // else as it was given
    weft__handle_name(h, &actual);
}

int weft__socket_handle(struct weft__making *making, int fd, enum weft__kind kind, uint64_t serial,
                        const weft_addr *addr) {
    int h = weft__handle_open(fd, kind, serial);
    if (h >= 0) {
        name(making, h, fd, addr);
        return h;
    }
    if (h == -EMFILE)
        making->detail = "all of about 1,044,000 handles are open: close some";
    weft__ctl_close(making->self, fd);
    return h;
}

static int look_up(struct weft__making *making, const struct weft__where *where,
                   weft_addr *ret_list, size_t capacity) {
    struct weft__op_resolve resolve = {
        .host = where->host, .port = where->port, .ret_list = ret_list, .capacity = capacity};
    struct weft__op op = {.kind = WEFT__OP_RESOLVE, .fd = -1, .resolve = &resolve};
    weft__waits(making->self, "resolve", 0, making->where);
    int64_t result = weft__perform(making->self, &op, &making->is_interrupted);
    weft__waits(making->self, "resolve", 0, NULL); // the text was the caller's
    return (int)result;
}

int weft__where_resolve(struct weft__making *making, weft_addr *ret_list, size_t capacity) {
    struct weft__where where;
    if (!making->where) {
        making->detail = "no address was given";
        making->where = "";
        return -WEFT_EADDRESS;
    }
    int error = weft__where_split(making->where, &where, &making->detail);
    if (error < 0)
        return error;
    if (where.host[0] != '\0')
        return look_up(making, &where, ret_list, capacity);
    ret_list[0] = where.addr;
    return 1;
}

int weft__where_each(const char *name, const char *where, weft__make *make) {
    struct weft__making making = {.self = weft__self(), .name = name, .where = where};
    weft_addr list[WEFT__RESOLVE_MAX];
    if (!making.self)
        return -ENOMEM;
    int result = weft__enter(making.self);
    making.is_interrupted = result < 0;
    if (result == 0)
        result = weft__where_resolve(&making, list, WEFT__RESOLVE_MAX);
    if (result < 0)
        return weft__making_failed(&making, result);
    int count = result;
    for (int i = 0; i < count; i++)
        if ((result = make(&making, &list[i])) >= 0)
            return result;
    return weft__making_failed(&making, result);
}

int weft_resolve(const char *where, weft_addr *ret_list, int capacity) {
    struct weft__making making = {.self = weft__self(), .name = "resolve", .where = where};
    if (!making.self)
        return -ENOMEM;
    int result = weft__enter(making.self);
    making.is_interrupted = result < 0;
    if (result == 0 && (!ret_list || capacity < 1))
        result = -EINVAL;
    if (result == 0)
        result = weft__where_resolve(&making, ret_list, (size_t)capacity);
    return result < 0 ? weft__making_failed(&making, result) : result;
}

// ---- Addresses of both ends -----------------------------------------------------------------

static int ask(const char *name, int h, enum weft__ctl_kind kind, weft_addr *ret_addr) {
    struct weft__call call;
    if (h < 0)
        return h;
    int error = weft__call_enter(&call, name, h, WEFT__KIND_ANY);
    if (error < 0)
        return error;
    if (!ret_addr)
        return (int)weft__call_end(&call, -EINVAL);
    weft_addr addr = {{0}};
    struct weft__ctl ctl = {.kind = kind, .fd = call.turn.handle->fd, .addr = &addr};
    int64_t result = weft__ctl(call.self, &ctl);
    if (result == 0)
        *ret_addr = addr;
    return (int)weft__call_end(&call, result);
}

int weft_local_addr(int h, weft_addr *ret_addr) {
    return ask("local_addr", h, WEFT__CTL_LOCAL, ret_addr);
}

int weft_peer_addr(int h, weft_addr *ret_addr) {
    return ask("peer_addr", h, WEFT__CTL_PEER, ret_addr);
}

// SPDX-License-Identifier: MIT
//
// What TCP and UDP share: making a socket that becomes a handle, trying the addresses of a `where`,
// and failures whose subject is an address.
#ifndef WEFT__NET_SOCKET_H
#define WEFT__NET_SOCKET_H

#include "io/call.h"

enum { WEFT__RESOLVE_MAX = 32 }; // addresses of one name that are looked at

// A public call that has no handle yet.
struct weft__making {
    struct weft__waiter *self;
    const char *name;
    const char *where;     // as given, or NULL
    const weft_addr *addr; // else the address
    const char *detail;    // static: a cause more exact than the code
    bool is_interrupted;
};

// Records a failure of it and returns the code.
int weft__making_failed(struct weft__making *making, int64_t code);

// Whether `making->addr` is an address: 0, or -EINVAL, not yet recorded.
int weft__making_check(struct weft__making *making);

// A socket of the address's family and its options, in order, until one fails. Returns the
// descriptor.
struct weft__socket_option {
    enum weft__option option;
    int value;
};
int weft__socket_make(struct weft__making *making, const weft_addr *addr, int type,
                      const struct weft__socket_option *options, size_t count);
int weft__socket_bind(struct weft__making *making, int fd, const weft_addr *addr);
// The handle for a descriptor, which is closed when there is none to be had. `addr` is what its
// sentences name: the peer, or where it is bound (port 0: as the system chose).
int weft__socket_handle(struct weft__making *making, int fd, enum weft__kind kind, uint64_t serial,
                        const weft_addr *addr);

// The addresses that `making->where` stands for: the one it is, or those of the name. Returns how
// many, or an error that is not yet recorded.
int weft__where_resolve(struct weft__making *making, weft_addr *ret_list, size_t capacity);

// Calls `make` for each address until one gives a handle; records the last failure.
typedef int weft__make(struct weft__making *making, const weft_addr *addr);
int weft__where_each(const char *name, const char *where, weft__make *make);

#endif

// SPDX-License-Identifier: MIT
//
// The socket options that listening and connecting share.
#ifndef WEFT__TCP_H
#define WEFT__TCP_H

#include "net/socket.h"

#include <weft/net.h>

enum { WEFT__TCP_OPTION_COUNT = 8 };

// Fills the list, of at least WEFT__TCP_OPTION_COUNT; a value of 0 leaves the system's default.
size_t weft__tcp_socket_options(const weft_tcp_options *options, struct weft__socket_option *list);

#endif

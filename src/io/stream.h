// SPDX-License-Identifier: MIT
//
// The single read and write under a name, for the composite calls above them: errors are then
// recorded as that call's.
#ifndef WEFT__STREAM_H
#define WEFT__STREAM_H

#include "io/call.h"

#include <weft/io.h>

ssize_t weft__read(const char *name, int h, unsigned kinds, const struct iovec *iov, int count,
                   uint32_t flags);
ssize_t weft__write(const char *name, int h, unsigned kinds, const struct iovec *iov, int count);

#endif

// SPDX-License-Identifier: MIT
// The head of an HTTP/1.x request (RFC 9112), read from bytes in memory. No I/O, no allocation, no
// state between calls: the caller shows all it has and asks again when there is more.
// Not the body: only how long it is.
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX_SIZE = 8192, // request line and header fields; a longer head is 414 or 431
    HTTP_FIELDS_MAX_COUNT = 100,
};

struct http_request {
    size_t head_size;      // bytes of the head, the empty line included
    uint64_t body_size;    // bytes that follow it and belong to the request
    bool is_head;          // the answer has no body (RFC 9110 section 9.3.2)
    bool is_http_1_0;      // keeps a connection only when it says so
    bool keeps_alive;      // the connection may carry another request
    bool expects_continue; // waits for "100 Continue" before it sends the body
};

// Reads the head of a request from the front of text[0 .. size).
// Returns 1 and sets *ret_request; 0 when more bytes are needed; or, negative, the status to refuse
// the request with: 400, 405, 411, 414, 417, 431, 505. *ret_request is then untouched.
int http_parse(const char *text, size_t size, struct http_request *ret_request);

#endif

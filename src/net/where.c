// SPDX-License-Identifier: MIT
// "HOST:PORT" taken apart, for addresses and for names. One way for both: split, then judge the
// host, then the port; the first thing wrong is the reason given.
// Not the numbers themselves (addr_parse.c), and no lookup of anything.
#include <stdbool.h>
#include <string.h>
#include <weft/error.h>

#include "base/assert.h"
#include "net/addr.h"

// Where the pieces are; both point into the text.
struct parts {
    struct weft__slice host; // without brackets
    struct weft__slice port;
    bool is_bracketed;
};

enum { NAME_MAX_SIZE = 253, LABEL_MAX_SIZE = 63 }; // RFC 1035 section 2.3.4

// Reasons given in more than one place.
static const char no_host[] = "the host is missing: every interface is 0.0.0.0 or [::]";
static const char no_port[] = "the port is missing: write HOST:PORT";
static const char empty_label[] = "the name has an empty part before a dot";

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const char *split_brackets(const char *text, struct parts *ret_parts) {
    const char *end = strchr(text, ']');
    if (end == NULL)
        return "the closing ] is missing";
    if (end[1] == '\0')
        return no_port;
    if (end[1] != ':')
        return "only :PORT may follow ]";
    ret_parts->host = (struct weft__slice){text + 1, (size_t)(end - text - 1)};
    ret_parts->port = (struct weft__slice){end + 2, strlen(end + 2)};
    ret_parts->is_bracketed = true;
    return NULL;
}

// True when a text with several colons was meant as an IPv6 address: it begins like one.
static bool begins_like_ipv6(const char *text) {
    size_t digits = 0;
    while (is_hex_digit(text[digits]))
        digits++;
    return digits <= 4 && text[digits] == ':';
}

// The pieces are not looked into yet, but text that was meant otherwise is told so here.
static const char *split(const char *text, struct parts *ret_parts) {
    if (text == NULL || text[0] == '\0')
        return "the address is empty";
    // Looked for first, because a blank at either end cannot be seen in the message otherwise.
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "it holds a blank or a control character";
    if (strstr(text, "://") != NULL)
        return "there is no scheme in an address: write HOST:PORT";
    if (text[0] == '[')
        return split_brackets(text, ret_parts);
    const char *colon = strchr(text, ':');
    if (colon == NULL)
        return no_port;
    if (strchr(colon + 1, ':') != NULL && begins_like_ipv6(text))
        return "an IPv6 address with a port is written [::1]:80";
    ret_parts->host = (struct weft__slice){text, (size_t)(colon - text)};
    ret_parts->port = (struct weft__slice){colon + 1, strlen(colon + 1)};
    ret_parts->is_bracketed = false;
    return NULL;
}

// True when the last label, a final dot left aside, is a number as inet_aton(3) reads them. No
// top-level domain is, so that whoever wrote it meant an IPv4 address (WHATWG URL, "ends in a
// number checker").
static bool ends_in_number(struct weft__slice host) {
    const char *end = host.start + host.length;
    if (end > host.start && end[-1] == '.')
        end--;
    const char *label = end;
    while (label > host.start && label[-1] != '.')
        label--;
    bool is_hex = end - label >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
    const char *c = is_hex ? label + 2 : label;
    while (c < end && (is_hex ? is_hex_digit(*c) : is_digit(*c)))
        c++;
    return c == end && end > label;
}

static const char *judge_name_byte(char c) {
    if ((unsigned char)c >= 0x80)
        return "a name beyond ASCII is written in its xn-- form";
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !is_digit(c) && c != '-' && c != '_' && c != '.')
        return "the name holds a character that host names do not have";
    return NULL;
}

static const char *judge_name(struct weft__slice host) {
    size_t label_size = 0;
    // One final dot is allowed: it says that the name is complete, and search lists do not apply.
    if (host.length > 1 && host.start[host.length - 1] == '.')
        host.length--;
    for (size_t i = 0; i < host.length; i++) {
        const char *why = judge_name_byte(host.start[i]);
        if (why != NULL)
            return why;
        bool is_dot = host.start[i] == '.';
        if (is_dot && label_size == 0)
            return empty_label;
        label_size = is_dot ? 0 : label_size + 1;
        if (label_size > LABEL_MAX_SIZE)
            return "a part of the name is longer than 63 bytes";
    }
    if (label_size == 0)
        return empty_label;
    return host.length > NAME_MAX_SIZE ? "the name is longer than 253 bytes" : NULL;
}

static const char *judge_brackets(struct weft__slice host, weft_addr *ret_addr) {
    weft_addr ipv4;
    if (host.length == 0)
        return no_host;
    if (weft__judge_ipv4(host, &ipv4) == NULL)
        return "brackets are for IPv6: write 127.0.0.1:80";
    return weft__judge_ipv6(host, ret_addr);
}

// Sets the address when the host is one, and leaves it when the host is a name, where those may be.
static const char *judge_host(const struct parts *parts, bool with_names, weft_addr *ret_addr) {
    if (parts->is_bracketed)
        return judge_brackets(parts->host, ret_addr);
    if (parts->host.length == 0)
        return no_host;
    const char *why = weft__judge_ipv4(parts->host, ret_addr);
    // What is no IPv4 address but looks like one must not reach getaddrinfo(3): see addr.h.
    if (why == NULL || ends_in_number(parts->host))
        return why;
    if (!with_names)
        return "not an IPv4 or IPv6 address: names are not looked up here";
    return judge_name(parts->host);
}

// The whole of it; the result is set only when there is nothing to object to.
static const char *judge(const char *text, bool with_names, struct weft__where *ret_where) {
    struct parts parts = {0};
    struct weft__where where = {0};
    const char *why = split(text, &parts);
    if (why == NULL)
        why = judge_host(&parts, with_names, &where.addr);
    if (why == NULL)
        why = weft__judge_port(parts.port, &where.port);
    if (why != NULL)
        return why;
    where.addr = weft_addr_with_port(&where.addr, where.port);
    if (weft_addr_family(&where.addr) == 0) {
        ASSERT(parts.host.length < sizeof where.host); // judge_name saw to it
        memcpy(where.host, parts.host.start, parts.host.length);
    }
    *ret_where = where;
    return NULL;
}

int weft__where_split(const char *where, struct weft__where *ret_where, const char **ret_why) {
    const char *why = judge(where, true, ret_where);
    if (why == NULL)
        return 0;
    *ret_why = why;
    return -WEFT_EADDRESS;
}

int weft__addr_parse_why(const char *text, weft_addr *ret_addr, const char **ret_why) {
    struct weft__where where;
    const char *why = judge(text, false, &where);
    if (why == NULL) {
        *ret_addr = where.addr;
        return 0;
    }
    *ret_why = why;
    return -WEFT_EADDRESS;
}

int weft_addr_parse(const char *text, weft_addr *ret_addr) {
    const char *why;
    return weft__addr_parse_why(text, ret_addr, &why);
}

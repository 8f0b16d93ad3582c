// SPDX-License-Identifier: MIT
// The request parser: see http.h. Strict where a doubt could be used against us (RFC 9112 section
// 11), generous where people type by hand: a line may end in LF alone (section 2.2).
#include "http.h"

#include <string.h>
#include <strings.h>

// A piece of the text. Parsing is cutting spans off its front.
struct span {
    const char *at;
    size_t size;
};

// What was seen so far; only all fields together tell what the request is.
struct fields {
    size_t count;
    size_t hosts;
    bool has_length, has_coding, asks_close, asks_keep_alive;
};

// The characters of a token (RFC 9110 section 5.6.2): methods and names of fields.
static bool is_token_char(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s) {
    for (size_t i = 0; i < s.size; i++)
        if (!is_token_char((unsigned char)s.at[i]))
            return false;
    return s.size > 0;
}

static bool equals(struct span s, const char *text) {
    return s.size == strlen(text) && memcmp(s.at, text, s.size) == 0;
}

static bool equals_ignoring_case(struct span s, const char *text) {
    return s.size == strlen(text) && strncasecmp(s.at, text, s.size) == 0;
}

static struct span trimmed(struct span s) {
    while (s.size > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
        s.at++, s.size--;
    while (s.size > 0 && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t'))
        s.size--;
    return s;
}

// Takes what stands before the first `separator` off the front of *rest, and the separator.
// Without one it takes everything and returns false.
static bool split(struct span *rest, char separator, struct span *ret_front) {
    const char *found = rest->size > 0 ? memchr(rest->at, separator, rest->size) : NULL;
    size_t size = found ? (size_t)(found - rest->at) : rest->size;
    *ret_front = (struct span){rest->at, size};
    rest->at += size + (found ? 1 : 0);
    rest->size -= size + (found ? 1 : 0);
    return found != NULL;
}

// Takes the next line, without its end. False: it is not complete yet.
static bool next_line(struct span *rest, struct span *ret_line) {
    struct span all = *rest;
    if (!split(&all, '\n', ret_line))
        return false;
    if (ret_line->size > 0 && ret_line->at[ret_line->size - 1] == '\r')
        ret_line->size--;
    *rest = all;
    return true;
}

// ---- The request line ----

// "HTTP/1.1": 1.x is understood, another major version is 505 (RFC 9110 section 2.5).
static int parse_version(struct span s, struct http_request *request) {
    bool is_version = s.size == 8 && memcmp(s.at, "HTTP/", 5) == 0 && s.at[6] == '.' &&
                      s.at[5] >= '0' && s.at[5] <= '9' && s.at[7] >= '0' && s.at[7] <= '9';
    if (!is_version)
        return -400;
    request->is_http_1_0 = s.at[7] == '0';
    return s.at[5] == '1' ? 0 : -505;
}

// Any visible characters (RFC 9112 section 3.2): what the target means is of no interest here.
static bool is_target(struct span s) {
    for (size_t i = 0; i < s.size; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~')
            return false;
    return s.size > 0;
}

// "GET /path HTTP/1.1" with single spaces (RFC 9112 section 3).
static int parse_request_line(struct span line, struct http_request *request) {
    struct span method, target;
    if (!split(&line, ' ', &method) || !is_token(method))
        return -400;
    if (!split(&line, ' ', &target) || !is_target(target))
        return -400;
    int result = parse_version(line, request);
    if (result < 0)
        return result;
    request->is_head = equals(method, "HEAD");
    return request->is_head || equals(method, "GET") ? 0 : -405;
}

// ---- The fields ----

// Digits alone. The limit leaves room for one digit more, so the number cannot overflow.
static int parse_length(struct span value, struct fields *fields, struct http_request *request) {
    uint64_t size = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] < '0' || value.at[i] > '9' || size > UINT64_MAX / 10 - 1)
            return -400;
        size = size * 10 + (uint64_t)(value.at[i] - '0');
    }
    // The same length twice is harmless, two lengths are an attack (RFC 9112 section 6.3).
    if (value.size == 0 || (fields->has_length && size != request->body_size))
        return -400;
    fields->has_length = true;
    request->body_size = size;
    return 0;
}

// "close, Upgrade": a list of tokens.
static void parse_connection(struct span value, struct fields *fields) {
    bool more;
    do {
        struct span option;
        more = split(&value, ',', &option);
        option = trimmed(option);
        fields->asks_close |= equals_ignoring_case(option, "close");
        fields->asks_keep_alive |= equals_ignoring_case(option, "keep-alive");
    } while (more);
}

// No control characters but the tab (RFC 9110 section 5.5): a lone CR or a NUL means different
// things to different readers.
static bool is_value(struct span s) {
    for (size_t i = 0; i < s.size; i++)
        if (((unsigned char)s.at[i] < ' ' && s.at[i] != '\t') || s.at[i] == 0x7f)
            return false;
    return true;
}

// One field. Those that nobody here cares about are checked and forgotten.
static int parse_field(struct span line, struct fields *fields, struct http_request *request) {
    struct span name, value = line;
    // No blank before the colon, and none in front: folded lines are obsolete (section 5.2).
    if (!split(&value, ':', &name) || !is_token(name) || !is_value(value))
        return -400;
    if (++fields->count > HTTP_FIELDS_MAX_COUNT)
        return -431;
    value = trimmed(value);
    if (equals_ignoring_case(name, "Host"))
        fields->hosts++;
    else if (equals_ignoring_case(name, "Content-Length"))
        return parse_length(value, fields, request);
    else if (equals_ignoring_case(name, "Transfer-Encoding"))
        fields->has_coding = true;
    else if (equals_ignoring_case(name, "Connection"))
        parse_connection(value, fields);
    else if (equals_ignoring_case(name, "Expect") && !request->is_http_1_0) {
        request->expects_continue = equals_ignoring_case(value, "100-continue");
        return request->expects_continue ? 0 : -417;
    }
    return 0;
}

// What the fields mean together (RFC 9112 sections 3.2, 6.1 and 9.3).
static int judge(const struct fields *fields, struct http_request *request) {
    if (fields->hosts > 1 || (fields->hosts == 0 && !request->is_http_1_0))
        return -400;
    if (fields->has_coding)
        return fields->has_length || request->is_http_1_0 ? -400 : -411;
    request->keeps_alive =
        !fields->asks_close && (!request->is_http_1_0 || fields->asks_keep_alive);
    return 0;
}

// ---- The whole ----

// An incomplete line: 0, or the status when no later byte can make it right.
static int judge_incomplete(struct span rest, size_t size, int too_long) {
    if (size >= HTTP_HEAD_MAX_SIZE)
        return -too_long;
    bool may_begin_a_line =
        rest.size == 0 || is_token_char((unsigned char)rest.at[0]) || rest.at[0] == '\r';
    return may_begin_a_line ? 0 : -400;
}

int http_parse(const char *text, size_t size, struct http_request *ret_request) {
    struct span rest = {text, size}, line;
    struct http_request request = {0};
    struct fields fields = {0};
    do // empty lines before a request are passed over (RFC 9112 section 2.2)
        if (!next_line(&rest, &line))
            return judge_incomplete(rest, size, 414);
    while (line.size == 0);
    int result = parse_request_line(line, &request);
    while (result == 0) {
        if (!next_line(&rest, &line))
            return judge_incomplete(rest, size, 431);
        if (line.size == 0)
            break;
        result = parse_field(line, &fields, &request);
    }
    if (result == 0)
        result = judge(&fields, &request);
    if (result < 0)
        return result;
    request.head_size = size - rest.size;
    *ret_request = request;
    return 1;
}

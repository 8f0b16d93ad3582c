// SPDX-License-Identifier: MIT
// The bounded text builder and the strict number parser; text.h says what they promise.
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void weft__text_init(struct weft__text *text, char *buf, size_t size) {
    *text = (struct weft__text){.data = buf, .size = size};
    if (size > 0)
        buf[0] = '\0';
}

// How many more bytes fit; nothing does once something did not.
static size_t room(const struct weft__text *text) {
    if (text->truncated || text->size == 0)
        return 0;
    return text->size - 1 - text->length;
}

static void append(struct weft__text *text, const char *bytes, size_t length) {
    size_t fits = room(text);
    if (length > fits) {
        text->truncated = true;
        length = fits;
    }
    if (length == 0)
        return;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void weft__text_put(struct weft__text *text, const char *string) {
    append(text, string, strlen(string));
}

void weft__text_put_u64(struct weft__text *text, uint64_t value) {
    char digits[20]; // UINT64_MAX has twenty
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    append(text, digits + at, sizeof digits - at);
}

void weft__text_put_escaped(struct weft__text *text, const char *bytes, size_t length) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < length && !text->truncated; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char escape[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
        size_t size = sizeof escape;
        if (c == '\\' || c == '"') {
            escape[1] = (char)c;
            size = 2;
        } else if (c >= 0x20 && c < 0x7f) {
            escape[0] = (char)c;
            size = 1;
        }
        if (size > room(text))
            text->truncated = true;
        else
            append(text, escape, size);
    }
}

void weft__text_putf(struct weft__text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    weft__text_vputf(text, format, args);
    va_end(args);
}

void weft__text_vputf(struct weft__text *text, const char *format, va_list args) {
    if (text->truncated)
        return;
    if (text->size == 0) {
        text->truncated = true;
        return;
    }
    size_t fits = room(text);
    int length = vsnprintf(text->data + text->length, fits + 1, format, args);
    if (length < 0) {
        // An encoding error of a wide string; what it may have written is taken back.
        text->data[text->length] = '\0';
        text->truncated = true;
    } else if ((size_t)length > fits) {
        text->length += fits;
        text->truncated = true;
    } else {
        text->length += (size_t)length;
    }
}

int weft__parse_u64(const char *s, size_t length, uint64_t max, uint64_t *ret_value) {
    uint64_t value = 0;
    bool is_above = false;
    if (length == 0)
        return -EINVAL;
    // All bytes are looked at even when the number is already too large: junk is -EINVAL wherever
    // it stands.
    for (size_t i = 0; i < length; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(s[i] - '0');
        if (is_above || digit > max || value > (max - digit) / 10)
            is_above = true;
        else
            value = value * 10 + digit;
    }
    if (is_above)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

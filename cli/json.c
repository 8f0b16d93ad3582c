// SPDX-License-Identifier: MIT
// Strings of JSON. What they hold comes from people and from programs, so it may be anything; what
// is printed here can be read by every reader of JSON.
#include "cli.h"

#include <stdio.h>

// The bytes of the character of UTF-8 that text begins with, or 0 (RFC 3629 section 4).
static size_t character_size(const unsigned char *text, size_t size) {
    unsigned char first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length == 0 || first > 0xf4 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (text[i] >> 6 != 2)
            return 0;
    bool is_overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
    bool is_beyond = (first == 0xed && text[1] > 0x9f) || (first == 0xf4 && text[1] > 0x8f);
    return is_overlong || is_beyond ? 0 : length;
}

void cli_print_json_string(const char *text, size_t size) {
    const unsigned char *at = (const unsigned char *)text, *end = at + size;
    putchar('"');
    while (at < end) {
        size_t length = character_size(at, (size_t)(end - at));
        if (length == 0)
            fputs("\\ufffd", stdout);
        else if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < ' ' || *at == 0x7f)
            printf("\\u%04x", *at);
        else
            fwrite(at, 1, length, stdout);
        at += length > 0 ? length : 1;
    }
    putchar('"');
}

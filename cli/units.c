// SPDX-License-Identifier: MIT
// Durations, sizes and escapes as text: see units.h. Integer arithmetic only, so that "0.1s" is
// exactly 100 ms.
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

// A unit, and how much of the smallest one it is.
struct unit {
    const char *name;
    int64_t factor;
};

// Both largest first.
static const struct unit durations[] = {
    {"h", WEFT_HOUR},         {"m", WEFT_MINUTE},       {"s", WEFT_SECOND},
    {"ms", WEFT_MILLISECOND}, {"us", WEFT_MICROSECOND}, {"ns", WEFT_NANOSECOND},
};

static const struct unit sizes[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1},
};

// Not isdigit(3), which looks at the locale.
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The unit that text begins with. What follows is another number or nothing: "ms" is not "m".
static const struct unit *find_unit(const char *text) {
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        size_t size = strlen(durations[i].name);
        if (strncmp(text, durations[i].name, size) == 0 && (!text[size] || is_digit(text[size])))
            return &durations[i];
    }
    return NULL;
}

// Reads one "1.5s": digits, perhaps a fraction of at most nine digits, a unit.
static int parse_part(const char **text, int64_t *ret_ns) {
    const char *at = *text;
    int64_t whole = 0, fraction = 0, scale = 1;
    if (!is_digit(*at))
        return -EINVAL;
    for (; is_digit(*at); at++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *at - '0', &whole))
            return -ERANGE;
    if (*at == '.' && is_digit(at[1]))
        for (at++; is_digit(*at) && scale < 1000000000; at++, scale *= 10)
            fraction = fraction * 10 + (*at - '0');
    const struct unit *unit = find_unit(at);
    if (!unit)
        return -EINVAL;
    // 3600 s is above 2^41 ns: the fraction is scaled down first where it would overflow.
    int64_t part =
        unit->factor >= scale ? unit->factor / scale * fraction : unit->factor * fraction / scale;
    if (__builtin_mul_overflow(whole, unit->factor, &whole) ||
        __builtin_add_overflow(whole, part, ret_ns))
        return -ERANGE;
    *text = at + strlen(unit->name);
    return 0;
}

int cli_parse_duration(const char *text, int64_t *ret_ns) {
    int64_t sum = 0, part = 0;
    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    do {
        int result = parse_part(&text, &part);
        if (result < 0)
            return result;
        if (__builtin_add_overflow(sum, part, &sum))
            return -ERANGE;
    } while (*text != '\0');
    *ret_ns = sum;
    return 0;
}

int cli_parse_count(const char *text, uint64_t least, uint64_t *ret_count) {
    uint64_t count = 0;
    const char *at = text;
    for (; is_digit(*at); at++)
        if (__builtin_mul_overflow(count, 10, &count) ||
            __builtin_add_overflow(count, (uint64_t)(*at - '0'), &count))
            return -ERANGE;
    if (at == text || *at != '\0')
        return -EINVAL;
    if (count < least)
        return -ERANGE;
    *ret_count = count;
    return 0;
}

char *cli_size_text(uint64_t bytes, char buf[static CLI_UNIT_TEXT_SIZE]) {
    const struct unit *unit = sizes;
    while (unit->factor > 1 && bytes < (uint64_t)unit->factor)
        unit++;
    uint64_t whole = bytes / (uint64_t)unit->factor, rest = bytes % (uint64_t)unit->factor;
    unsigned tenth = (unsigned)(rest * 10 / (uint64_t)unit->factor);
    if (tenth == 0)
        snprintf(buf, CLI_UNIT_TEXT_SIZE, "%" PRIu64 "%s", whole, unit->name);
    else
        snprintf(buf, CLI_UNIT_TEXT_SIZE, "%" PRIu64 ".%u%s", whole, tenth, unit->name);
    return buf;
}

// The value of a digit in a base up to 16, or -1.
static int digit_value(char c, int base) {
    int value = is_digit(c)            ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    return value < base ? value : -1;
}

// Reads up to `most` digits. Returns how many, or 0 when the value does not fit into a byte.
static int parse_digits(const char *at, int base, int most, char *ret_byte) {
    int count = 0, value = 0;
    while (count < most && digit_value(at[count], base) >= 0)
        value = value * base + digit_value(at[count++], base);
    *ret_byte = (char)value;
    return value <= 255 ? count : 0;
}

// Reads what follows a backslash. Returns how many characters it took, 0 when it is no escape.
static int parse_escape(const char *at, char *ret_byte) {
    static const char letters[] = "nrtabefv\\\"'?";
    static const char bytes[] = "\n\r\t\a\b\033\f\v\\\"'?";
    const char *letter = *at ? strchr(letters, *at) : NULL;
    if (letter) {
        *ret_byte = bytes[letter - letters];
        return 1;
    }
    if (*at == 'x') {
        int digits = parse_digits(at + 1, 16, 2, ret_byte);
        return digits > 0 ? 1 + digits : 0;
    }
    return parse_digits(at, 8, 3, ret_byte);
}

// Reads ahead of where it writes, by at least the backslash.
int cli_unescape(char *text, size_t *ret_size, const char **ret_escape) {
    char *out = text;
    for (const char *in = text; *in != '\0';) {
        if (*in != '\\') {
            *out++ = *in++;
            continue;
        }
        char byte;
        int taken = parse_escape(in + 1, &byte);
        if (taken == 0) {
            *ret_escape = in;
            return -EINVAL;
        }
        *out++ = byte;
        in += 1 + taken;
    }
    *ret_size = (size_t)(out - text);
    return 0;
}

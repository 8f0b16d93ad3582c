// SPDX-License-Identifier: MIT
// The lexical macros, left in every way a block can be left: it compiles as strict C17 and as C++17
// without a warning (tools/check_headers.py). That they do what they say is tested elsewhere.
#include <weft.h>

static int on_handle(int handle) {
    return handle;
}

static int on_pointer(void *argument) {
    return argument != NULL;
}

int left_by_return(int h) {
    weft_within(5 * WEFT_SECOND);
    if (h < 0)
        return h;
    weft_within(WEFT_SECOND);
    {
        weft_within(WEFT_MILLISECOND);
        return weft_check();
    }
}

int left_by_break_and_continue(int h) {
    int result = 0;
    for (int i = 0; i < 10; i++) {
        weft_within(WEFT_SECOND);
        if (i == 2)
            continue;
        {
            weft_shield(WEFT_SECOND);
            if (i == 3)
                break;
        }
        result += h;
    }
    while (result > 0) {
        weft_shield(WEFT_SECOND);
        weft_within(WEFT_SECOND);
        if (--result == 1)
            break;
    }
    return result;
}

int left_by_switch_and_goto(int h) {
    switch (h) {
    case 1: {
        weft_within(WEFT_SECOND);
        break;
    }
    default: {
        weft_shield(WEFT_SECOND);
        goto out;
    }
    }
    h++;
out:
    return h;
}

int nested_in_every_way(int h) {
    weft_within(4 * WEFT_SECOND);
    weft_shield(3 * WEFT_SECOND);
    do {
        weft_within(2 * WEFT_SECOND);
        if (h > 0) {
            weft_shield(WEFT_SECOND);
            weft_within(0);
            h = weft_check();
        } else {
            weft_within(-1);
            h = weft_check();
        }
    } while (h > 0);
    return h;
}

int starts_and_ends_by_itself(void) {
    weft_autojoin weft_scope scope = {0};
    weft_autoclose int conn = -1;
    weft_must(weft_go(&scope, on_handle, conn));
    int started = weft_must(weft_go(&scope, on_pointer, &scope));
    return started + weft_join(&scope);
}

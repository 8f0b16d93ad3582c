// SPDX-License-Identifier: MIT
//
// The last word on a scope that was left without a join (docs/decisions/004): who has left it, and
// where it was first used, which is where to look for it.
#include "base/assert.h"
#include "os/symbol.h"
#include "task/scope.h"

enum { PLACE_SIZE = 160 };

_Noreturn WEFT__COLD void weft__scope_forgotten(const char *who, const void *place) {
    char where[PLACE_SIZE];
    struct weft__text text;
    weft__text_init(&text, where, sizeof where);
    if (weft__symbol_is_code((uintptr_t)place - 1)) {
        weft__text_put(&text, ", first used in ");
        weft__symbol_put_caller(&text, (uintptr_t)place);
    }
    PANIC("%s without joining a scope that it had used%s (weft_join, or declare it "
          "weft_autojoin)",
          who, where);
}

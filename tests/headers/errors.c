// SPDX-License-Identifier: MIT
// What <weft.h> alone gives for errors: the codes of errno.h, and texts for what any call returns,
// be it int or ssize_t, without a warning. It is only compiled (tools/check_headers.py).
#include <weft.h>

int codes_need_no_other_header(int h, void *buf) {
    ssize_t n = weft_read(h, buf, 1);
    return n == -ECANCELED || n == -ETIMEDOUT || n == -WEFT_ENAME;
}

const char *texts_take_every_result(int h, void *buf) {
    ssize_t n = weft_read(h, buf, 1);
    int closed = weft_close(h);
    return n < 0 ? weft_strerror(n) : weft_strerror(closed);
}

const char *names_take_every_result(int h, void *buf) {
    ssize_t n = weft_read(h, buf, 1);
    int closed = weft_close(h);
    return n < 0 ? weft_strerrorname(n) : weft_strerrorname(closed);
}

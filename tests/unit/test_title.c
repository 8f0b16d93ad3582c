// SPDX-License-Identifier: MIT
// Unit tests of task/title.c: how a task is called in reports.
#include "task_tools.h"

#include <stdio.h>

#include "base/text.h"
#include "task/title.h"

static int knit(void *arg) {
    (void)arg;
    return 0;
}

static int purl(int conn) {
    return conn;
}

static const char *title_of(const struct weft__task *task) {
    static char buf[256];
    struct weft__text text;
    struct weft__title title;
    weft__title_copy(task, &title);
    weft__text_init(&text, buf, sizeof buf);
    weft__title_put(&text, &title);
    return buf;
}

static void without_a_name_it_is_the_function(void **state) {
    (void)state;
    struct weft__task task = {.fn = knit};
    assert_string_equal(title_of(&task), "knit");
    struct weft__task of_handle = {.handle_fn = purl, .takes_handle = true};
    assert_string_equal(title_of(&of_handle), "purl");
}

static void a_name_comes_before_the_function(void **state) {
    (void)state;
    char name[WEFT__NAME_SIZE] = "sock\n";
    struct weft__task task = {.fn = knit, .name = name};
    assert_string_equal(title_of(&task), "sock\\x0a (knit)");
}

static void the_longest_name_is_whole(void **state) {
    (void)state;
    char name[WEFT__NAME_SIZE], expected[WEFT__NAME_SIZE + 8];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(expected, sizeof expected, "%s (knit)", name);
    struct weft__task task = {.fn = knit, .name = name};
    assert_string_equal(title_of(&task), expected);
}

int main(void) {
    const struct CMUnitTest cases[] = {
        CASE(without_a_name_it_is_the_function),
        CASE(a_name_comes_before_the_function),
        CASE(the_longest_name_is_whole),
    };
    return RUN(cases);
}

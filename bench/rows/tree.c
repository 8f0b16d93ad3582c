// SPDX-License-Identifier: MIT
//
// A tree of tasks: each starts ten children and waits for them, six levels down. A task tells its
// parent how many it was with those below it, so that none can be left out.
#include "row.h"

enum { CHILDREN = 10 };

struct node {
    int levels; // below this one
    long count; // ret: tasks from here down
};

static int grow(void *arg) {
    struct node *node = arg;
    node->count = 1;
    if (node->levels == 0)
        return 0;
    struct node children[CHILDREN];
    weft_scope scope = {0};
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = (struct node){.levels = node->levels - 1};
        weft_must(weft_go(&scope, grow, &children[i]));
    }
    int result = weft_join(&scope);
    for (int i = 0; i < CHILDREN; i++)
        node->count += children[i].count;
    return result;
}

static long tree_of(int levels) {
    weft_scope scope = {0};
    struct node root = {.levels = levels};
    weft_must(weft_go(&scope, grow, &root));
    weft_must(weft_join(&scope));
    return root.count;
}

int main(int argc, char **argv) {
    weft_must(weft_start(NULL));
    tree_of(2);
    struct bench_span begin = bench_begin();
    long count = tree_of(bench_count(100) < 100 ? 3 : 6);
    bench_print(bench_row(argc, argv), "weft", (double)count, bench_since(begin), NULL);
    return weft_stop(WEFT_SECOND) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

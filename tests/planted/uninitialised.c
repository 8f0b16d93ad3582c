// SPDX-License-Identifier: MIT
// A planted defect: a decision taken on memory that was never written, which Valgrind alone of our
// tools sees.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    int plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    volatile char *block = malloc(10);
    if (!block)
        return 2;
    if (!plant)
        block[5] = 0;
    puts(block[5] == 1 ? "one" : "not one");
    free((void *)block);
    return 0;
}

// SPDX-License-Identifier: MIT
// A planted defect: one byte is read behind a block of the heap. AddressSanitizer and Valgrind must
// stop the program, or nothing they say of ours counts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Sees no size, so that AddressSanitizer has to find it and UndefinedBehaviorSanitizer cannot.
__attribute__((noinline)) static int read_at(const volatile char *block, size_t index) {
    return block[index];
}

int main(int argc, char **argv) {
    int plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    char *block = calloc(10, 1);
    if (!block)
        return 2;
    int seen = read_at(block, plant ? 10 : 9);
    free(block);
    puts(seen ? "something was there" : "nothing was there");
    return 0;
}

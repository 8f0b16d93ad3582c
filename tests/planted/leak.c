// SPDX-License-Identifier: MIT
// A planted defect: memory that nobody points to when the program ends. It is there to be found by
// LeakSanitizer and Valgrind; `./dev check` relies on neither before it was.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The last pointer to the block dies with this frame.
__attribute__((noinline)) static int use(int keep) {
    char *volatile block = malloc(100);
    if (!block)
        return 1;
    block[0] = 'x';
    if (!keep)
        free(block);
    return 0;
}

// Writes over the stack that `use` left, where the pointer would still be seen.
__attribute__((noinline)) static void scrub(void) {
    volatile char frame[1024];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 0;
}

int main(int argc, char **argv) {
    int plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    int result = use(plant);
    scrub();
    puts(plant ? "leaked" : "clean");
    return result;
}

// SPDX-License-Identifier: MIT
// A planted defect: one byte is written behind an array of the stack, which only AddressSanitizer
// sees.
#include <stdio.h>
#include <string.h>

__attribute__((noinline)) static int write_at(volatile char *array, size_t index) {
    array[index] = 1;
    return array[0];
}

int main(int argc, char **argv) {
    char array[10] = {0};
    int plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    printf("%d\n", write_at(array, plant ? sizeof array : 0));
    return 0;
}

// SPDX-License-Identifier: MIT
// A planted defect: an int that overflows, which the language leaves undefined and
// UndefinedBehaviorSanitizer must refuse.
#include <limits.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    int plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    volatile int number = plant ? INT_MAX : 1;
    number = number + 1;
    printf("%d\n", number);
    return 0;
}

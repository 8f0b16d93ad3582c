// SPDX-License-Identifier: MIT
// A planted defect in a forked child that ends with exit(3), as the conformance cases do: its leak
// must reach the parent as a failed exit status. A child that ends with _exit(2) would hide it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static void leak(void) {
    char *volatile block = malloc(100);
    if (block)
        block[0] = 'x';
}

__attribute__((noinline)) static void scrub(void) {
    volatile char frame[1024];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 0;
}

int main(int argc, char **argv) {
    int plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    int status = 0;
    pid_t child = fork();
    if (child < 0)
        return 2;
    if (child == 0) {
        if (plant)
            leak();
        scrub();
        exit(0);
    }
    if (waitpid(child, &status, 0) != child)
        return 2;
    puts(plant ? "the child leaked" : "clean");
    return status != 0;
}

// SPDX-License-Identifier: MIT
// A planted defect: two threads add to one plain counter. Clean, they hold a mutex. That they ended
// up one after the other does not excuse them: ThreadSanitizer looks for what orders them.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static int counter; // under guard, unless planted
static int plant;

static void *add(void *unused) {
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        if (!plant)
            pthread_mutex_lock(&guard);
        counter++;
        if (!plant)
            pthread_mutex_unlock(&guard);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t one;
    pthread_t two;
    plant = argc > 1 && strcmp(argv[1], "plant") == 0;
    if (pthread_create(&one, NULL, add, NULL) != 0 || pthread_create(&two, NULL, add, NULL) != 0)
        return 2;
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    printf("%d\n", counter);
    return 0;
}

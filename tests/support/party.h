// SPDX-License-Identifier: MIT
// Parties: who takes part in a case. Under a runtime a party is a task in a scope, on the thread
// driver a pthread; the code of the case is the same.
#ifndef SUPPORT_PARTY_H
#define SUPPORT_PARTY_H

#include <pthread.h>
#include <stddef.h>
#include <weft.h>

enum { PARTIES_MAX = 64 };

struct party {
    void (*fn)(void *context);
    void *context;
    pthread_t thread;
};

// Zeroed: nobody. Joined: nobody again.
struct parties {
    weft_scope scope; // of the parties that are tasks
    size_t count;
    struct party party[PARTIES_MAX];
};

// Starts one; the context is borrowed until the join.
void party_start(struct parties *parties, const char *name, void (*fn)(void *), void *context);
// Waits for all of them. A scope that was cancelled may be joined, too.
void parties_join(struct parties *parties);
// Cancels their scope: under a runtime only.
void parties_cancel(struct parties *parties);

#endif

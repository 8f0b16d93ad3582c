// SPDX-License-Identifier: MIT
// Parties as tasks and as threads.
#include "party.h"

#include "check.h"
#include "world.h"

static int run_task(void *arg) {
    struct party *party = arg;
    party->fn(party->context);
    return 0;
}

static void *run_thread(void *arg) {
    run_task(arg);
    return NULL;
}

void party_start(struct parties *parties, const char *name, void (*fn)(void *), void *context) {
    assert_true(parties->count < PARTIES_MAX);
    struct party *party = &parties->party[parties->count++];
    party->fn = fn;
    party->context = context;
    if (world_has_tasks())
        expect(weft_go_with(&parties->scope, run_task, party, &(weft_task_options){.name = name}),
               0);
    else
        expect(-pthread_create(&party->thread, NULL, run_thread, party), 0);
}

void parties_join(struct parties *parties) {
    if (world_has_tasks())
        expect(weft_join(&parties->scope), 0);
    else
        for (size_t i = 0; i < parties->count; i++)
            expect(-pthread_join(parties->party[i].thread, NULL), 0);
    parties->count = 0;
}

void parties_cancel(struct parties *parties) {
    assert_true(world_has_tasks());
    weft_cancel(&parties->scope);
}

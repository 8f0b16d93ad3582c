// SPDX-License-Identifier: MIT
//
// Memory of the simulated programs, which goes with the run.
#include "sim/world.h"

#include "os/os.h"

struct block {
    struct weft__list link;
    _Alignas(max_align_t) char data[];
};

void *weft_sim_alloc(size_t size) {
    if (!weft__world.sim || size > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *block = weft__alloc(sizeof *block + size);
    if (!block)
        return NULL;
    weft__list_push_back(&weft__world.blocks, &block->link);
    return block->data;
}

void weft__world_free(void) {
    struct weft__list *link;
    while ((link = weft__list_pop_front(&weft__world.blocks)) != NULL)
        weft__free(WEFT__CONTAINER(link, struct block, link));
}

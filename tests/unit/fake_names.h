// SPDX-License-Identifier: MIT
// A name service for tests: getaddrinfo(3) is replaced by one that answers what its argument says
// and passes all other names on to the real one, so that no test depends on a network:
//   "code N"  the error N
//   "list N"  N addresses, 192.0.2.0 and on
//   "gate N"  192.0.2.N, once the gate is open; the order in which these begin is recorded
#ifndef TESTS_UNIT_FAKE_NAMES_H
#define TESTS_UNIT_FAKE_NAMES_H

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/os.h"

enum { ANSWER_MAX = 300 };

// Its answers live as long as the thread's next lookup: the library copies them at once.
static _Thread_local struct answer {
    struct addrinfo info;
    struct sockaddr_in addr;
} answers[ANSWER_MAX];

static struct {
    WEFT__ATOMIC(uint32_t) is_open; // a futex
    WEFT__ATOMIC(uint32_t) inside, most_inside;
    WEFT__ATOMIC(uint32_t) begun;
    WEFT__ATOMIC(int) order[64]; // which "gate N" began as the n-th
} gate;

static void gate_reset(void) {
    weft__store(&gate.is_open, 0, seq_cst);
    weft__store(&gate.begun, 0, seq_cst);
    weft__store(&gate.most_inside, 0, seq_cst);
}

static void gate_open(void) {
    weft__store(&gate.is_open, 1, seq_cst);
    weft__futex_wake(&gate.is_open, UINT32_MAX);
}

static void await_begun(uint32_t count) {
    while (weft__load(&gate.begun, seq_cst) < count)
        weft__os_yield();
}

static void pass_gate(int number) {
    uint32_t inside = weft__fetch_add(&gate.inside, 1, seq_cst) + 1;
    if (inside > weft__load(&gate.most_inside, seq_cst))
        weft__store(&gate.most_inside, inside, seq_cst);
    uint32_t turn = weft__fetch_add(&gate.begun, 1, seq_cst);
    weft__store(&gate.order[turn], number, seq_cst);
    while (weft__load(&gate.is_open, seq_cst) == 0)
        weft__futex_wait(&gate.is_open, 0, INT64_MAX);
    weft__fetch_sub(&gate.inside, 1, seq_cst);
}

static void answer_with(int first, int count, struct addrinfo **ret_list) {
    for (int i = 0; i < count; i++) {
        answers[i].addr = (struct sockaddr_in){.sin_family = AF_INET};
        answers[i].addr.sin_addr.s_addr = htonl(0xc0000200u + (uint32_t)(first + i) % 256);
        answers[i].info = (struct addrinfo){
            .ai_family = AF_INET,
            .ai_addrlen = sizeof answers[i].addr,
            .ai_addr = (struct sockaddr *)&answers[i].addr,
            .ai_next = i + 1 < count ? &answers[i + 1].info : NULL,
        };
    }
    *ret_list = &answers[0].info;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_list) {
    int number = strlen(node) > 5 ? (int)strtol(node + 5, NULL, 10) : 0;
    if (strncmp(node, "code ", 5) == 0)
        return number;
    if (strncmp(node, "list ", 5) == 0) {
        answer_with(0, number, ret_list);
        return 0;
    }
    if (strncmp(node, "gate ", 5) == 0) {
        pass_gate(number);
        answer_with(number, 1, ret_list);
        return 0;
    }
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, ret_list);
}

void freeaddrinfo(struct addrinfo *list) {
    if (list == &answers[0].info)
        return;
    void (*real)(struct addrinfo *);
    *(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
    real(list);
}

#endif

// SPDX-License-Identifier: MIT
// Programs that are proven in simulations: each makes hosts, has them talk, and checks every byte.
#ifndef TESTS_SIM_PROVE_H
#define TESTS_SIM_PROVE_H

#include <weft.h>
#include <weft/sim.h>

// What may come of a call on a network and a machine where anything may go wrong. Remembers whether
// it was the error that was made.
int is_expected(int code);
extern int error_made, was_error_seen;
// Whether tasks may be cancelled and hosts crash in this run.
extern int is_rough;
// Waits until the program of a host has come to its end, however often it had to start again, and
// checks what it says.
void see_end_of(weft_sim *sim, const char *name);
// A world of one host with this program.
int run_alone(weft_sim *sim, int (*program)(void *));

// The byte at an offset of what a client with this number sends.
static inline char byte_at(unsigned client, size_t offset) {
    return (char)(client * 31 + offset * 7 + (offset >> 8) * 13);
}

// A number from 0 to n - 1.
static inline unsigned below(unsigned n) {
    unsigned number = 0; // what it is if that fails
    (void)weft_random(&number, sizeof number);
    return number % n;
}

// Tries until it works, for a while of virtual time; else the last error.
int connect_somehow(const char *where);
int listen_somehow(const char *where);

int echo_world(weft_sim *sim, void *unused);
int chat_world(weft_sim *sim, void *unused);
int relay_world(weft_sim *sim, void *unused);
int scopes_world(weft_sim *sim, void *unused);
int sync_world(weft_sim *sim, void *unused);
int storm_world(weft_sim *sim, void *unused);
int datagrams_world(weft_sim *sim, void *unused);
int drift_world(weft_sim *sim, void *unused);

// An echo server that takes all who come, and goes on when the machine is short of something.
int serve_echo(void *where);

#endif

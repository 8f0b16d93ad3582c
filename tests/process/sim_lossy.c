// SPDX-License-Identifier: MIT
// A protocol that forgets that datagrams get lost, on a network that loses one in two thousand: the
// server waits for twenty of them. About one seed in a hundred shows it.
#include <stdlib.h>
#include <weft.h>
#include <weft/sim.h>

enum { COUNT = 20 };

static int server(void *unused) {
    char buf[8];
    (void)unused;
    weft_autoclose int sock = weft_udp_bind("10.0.0.1:5353");
    for (int i = 0; i < COUNT; i++)
        weft_sim_check(weft_recv_from(sock, buf, sizeof buf, NULL) == 1);
    return 0;
}

static int client(void *unused) {
    (void)unused;
    weft_autoclose int sock = weft_udp_connect("server:5353");
    for (int i = 0; i < COUNT; i++) {
        weft_sim_check(weft_write(sock, "x", 1) == 1);
        weft_sleep(WEFT_MILLISECOND);
    }
    return 0;
}

static int world(weft_sim *sim, void *unused) {
    (void)unused;
    weft_sim_check(weft_sim_host(sim, "server", "10.0.0.1", server, NULL) == 0);
    weft_sim_check(weft_sim_host(sim, "client", "10.0.0.2", client, NULL) == 0);
    weft_within(WEFT_SECOND);
    weft_sim_check(weft_sim_wait(sim, "server") == 0);
    return 0;
}

int main(void) {
    weft_sim sim = {.seed = 1, .loss = 0.0005};
    return weft_sim_run(&sim, world, NULL) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: MIT
// A bank and a customer who does not give up. docs/simulation.md finds what is wrong with it.
#include <stdlib.h>
#include <weft.h>
#include <weft/sim.h>

static long balance;

static int serve(int conn) {
    char line[32];
    size_t n = 0;
    while (weft_read_exact(conn, &line[n], 1) == 1) {
        if (line[n] != '\n') {
            n = (n + 1) % sizeof line;
            continue;
        }
        balance += strtol(line, NULL, 10);
        n = 0;
        if (weft_printf(conn, "ok\n") < 0)
            break;
    }
    return weft_close(conn);
}

static int bank(void *unused) {
    (void)unused;
    weft_autojoin weft_scope customers = {0};
    weft_autoclose int listener = weft_tcp_listen("0.0.0.0:7");
    int error;
    while ((error = weft_go(&customers, serve, weft_accept(listener))) >= 0)
        ;
    return error;
}

static int pay(long amount) {
    weft_within(WEFT_SECOND);
    weft_autoclose int conn = weft_tcp_connect("bank:7");
    char answer[3];
    int error = weft_printf(conn, "%ld\n", amount);
    return error < 0 ? error : (int)weft_read_exact(conn, answer, sizeof answer);
}

static int customer(void *unused) {
    (void)unused;
    for (long amount = 1; amount <= 10; amount++)
        while (pay(amount) <= 0) // no answer: once more
            weft_sleep(100 * WEFT_MILLISECOND);
    return 0;
}

static int world(weft_sim *sim, void *unused) {
    (void)unused;
    weft_sim_host(sim, "bank", "10.0.0.1", bank, NULL);
    weft_sim_host(sim, "customer", "10.0.0.2", customer, NULL);
    weft_sim_wait(sim, "customer");
    weft_sim_check(balance == 55);
    return 0;
}

int main(void) {
    return weft_sim_run(&(weft_sim){.resets = 0.01, .loss = 0.01, .short_reads = 0.1}, world,
                        NULL) < 0;
}

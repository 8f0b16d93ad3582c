// SPDX-License-Identifier: MIT
// Runs a server until Ctrl-C, as tasks or, with --blocking, as plain threads: the same handlers for
// both. Also tells on which driver and why. What is served, the commands say.
#include "cli.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

enum { THREAD_STACK_SIZE = 256 * 1024 }; // a client needs a tenth; 8MiB each would run out sooner
#define STOP_GRACE (5 * WEFT_SECOND)     // for clients to end when they are told to

// ---- The driver, and why it was chosen ----

// "epoll (io_uring refused: ...)": what the library says of its choice while it starts.
static char choice[512];
static atomic_bool is_starting;
enum { LOG_OFF, LOG_WARN, LOG_INFO }; // those of weft_options.log
static int log_level;                 // set before the start

// A log function of our own gets every line, so WEFT_LOG is followed here. The choice is part of
// what a server prints, also when it is a warning; as a log line it is for who wants everything.
static void log_line(int level, const char *text, void *context) {
    static const char mark[] = "driver: ";
    (void)context;
    bool is_choice = atomic_load(&is_starting) && strncmp(text, mark, sizeof mark - 1) == 0;
    if (is_choice)
        snprintf(choice, sizeof choice, "%s", text + sizeof mark - 1);
    if (is_choice ? log_level == LOG_INFO : level <= log_level)
        fprintf(stderr, "weft: %s\n", text);
}

// The words of WEFT_LOG are those of the library; what is none of them means its default.
static int wanted_log_level(void) {
    static const char *const words[] = {"off", "warn", "info"};
    const char *word = getenv("WEFT_LOG");
    for (int i = 0; i <= LOG_INFO; i++)
        if (word && strcmp(word, words[i]) == 0)
            return i;
    if (word && *word)
        cli_failure("WEFT_LOG=%s is unknown: there are off, warn and info", word);
    return LOG_WARN;
}

int cli_start_driver(bool is_blocking) {
    if (is_blocking)
        return CLI_OK;
    log_level = wanted_log_level();
    atomic_store(&is_starting, true);
    int result = weft_start(&(weft_options){.log = log_line});
    atomic_store(&is_starting, false);
    return result < 0 ? cli_failed_call(result) : CLI_OK;
}

const char *cli_driver_story(void) {
    if (strcmp(weft_driver_name(), "thread") == 0)
        return "thread (a plain thread for each client, as --blocking asks)";
    return choice[0] != '\0' ? choice : weft_driver_name();
}

static const uint8_t loopback6[16] = {[15] = 1}; // ::1

void cli_print_listening(const char *protocol, int handle, const char *client, bool wants_url) {
    char text[WEFT_ADDR_TEXT_SIZE];
    weft_addr addr = {0};
    (void)weft_local_addr(handle, &addr); // it cannot fail: the handle is ours and bound
    unsigned port = weft_addr_port(&addr);
    printf("  %-6s %-21s  try: %s ", protocol, weft_addr_text(&addr, text), client);
    if (weft_addr_is(&addr, WEFT_IP_UNSPECIFIED)) // nobody connects to "any interface"
        addr = weft_addr_family(&addr) == WEFT_IPV4 ? weft_addr_ipv4(127, 0, 0, 1, (uint16_t)port)
                                                    : weft_addr_ipv6(loopback6, (uint16_t)port, 0);
    if (wants_url)
        printf("http://%s/\n", weft_addr_text(&addr, text));
    else
        printf("%s %u\n", weft_addr_ip_text(&addr, text), port);
}

// ---- Ctrl-C ----
// Whatever the server is made of, a signal closes its listener, so that the accept loop ends. One
// that was ignored when we came (nohup, a shell's background job) stays so. The second one is not
// ours any more: should stopping hang, Ctrl-C still ends the program.

static struct {
    int signals[3];
    int count;
    atomic_bool is_asked;
} stop;

static int close_on_signal(void *arg) {
    const struct cli_service *service = arg;
    int number = stop.count > 0 ? weft_signal_wait(stop.signals, stop.count) : 0;
    if (number <= 0) // it was cancelled, or there is none that we may use
        return number;
    for (int i = 0; i < stop.count; i++)
        signal(stop.signals[i], SIG_DFL);
    atomic_store(&stop.is_asked, true);
    return weft_close(service->listener);
}

// Held before we say that Ctrl-C stops us.
static int hold_signals(void) {
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction present;
        if (sigaction(ending[i], NULL, &present) == 0 && present.sa_handler != SIG_IGN)
            stop.signals[stop.count++] = ending[i];
    }
    return stop.count > 0 ? weft_signal_hold(stop.signals, stop.count) : 0;
}

// ---- As tasks ----

// The accept loop of the README, but for one thing: a server lives through a shortage of memory.
// The connection it could not start a task for is closed already, because weft_go took it.
static int accept_tasks(const struct cli_service *service, weft_scope *clients) {
    int result;
    do {
        result = weft_go(clients, service->client, weft_accept(service->listener));
        if (result == -ENOMEM)
            cli_failure("a client was turned away: not enough memory");
    } while (result >= 0 || result == -ENOMEM);
    return result;
}

// The scope outlives this function, and with it tasks that do not end when they are told to: those
// the log names, and the process ends without them.
static int serve_tasks(struct cli_service *service) {
    static weft_scope tasks;
    int result = weft_go(&tasks, close_on_signal, (void *)service);
    if (result == 0 && service->beside)
        result = weft_go(&tasks, service->beside, service->beside_arg);
    if (result == 0)
        result = accept_tasks(service, &tasks);
    int stopped = weft_stop(STOP_GRACE);
    if (!atomic_load(&stop.is_asked))
        return cli_failure("serving ended: %s", weft_strerror(result));
    return stopped < 0 ? cli_failed_call(stopped) : CLI_OK;
}

// ---- As plain threads ----

// Set once, before the first client: a new thread gets one word, and that is the connection.
static int (*thread_client)(int conn);

static void *run_client(void *arg) {
    (void)thread_client((int)(intptr_t)arg); // what became of one client concerns nobody else
    return NULL;
}

static void *run_beside(void *arg) {
    const struct cli_service *service = arg;
    (void)service->beside(service->beside_arg);
    return NULL;
}

static void *run_close_on_signal(void *arg) {
    (void)close_on_signal(arg);
    return NULL;
}

static int start_thread(void *(*fn)(void *), void *arg) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE);
    int error = pthread_create(&thread, &attributes, fn, arg);
    pthread_attr_destroy(&attributes);
    return -error;
}

static int serve_threads(struct cli_service *service) {
    int conn, error = start_thread(run_close_on_signal, service);
    if (error == 0 && service->beside)
        error = start_thread(run_beside, service);
    if (error < 0)
        return cli_failure("no thread to serve with: %s", weft_strerror(error));
    thread_client = service->client;
    while ((conn = weft_accept(service->listener)) > 0) {
        int result = start_thread(run_client, (void *)(intptr_t)conn);
        if (result < 0) {
            weft_close(conn);
            cli_failure("a client was turned away: no thread for it (raise ulimit -u)");
        }
    }
    // Clients that are still served end with the process: nothing of theirs outlives it.
    return atomic_load(&stop.is_asked) ? CLI_OK : cli_failed_call(conn);
}

int cli_serve(struct cli_service *service) {
    int error = hold_signals();
    if (error < 0)
        return cli_failed_call(error);
    puts("Ctrl-C stops it.");
    fflush(stdout);
    int status = service->is_blocking ? serve_threads(service) : serve_tasks(service);
    if (status == CLI_OK)
        puts("stopped");
    return status;
}

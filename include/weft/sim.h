// SPDX-License-Identifier: MIT
//
// A network in a bottle: the same program that serves real sockets, on virtual time, on several
// hosts inside one process, with links that lose and delay, all from one seed. Not included by
// weft.h: a program that is simulated needs no change, only its test includes this.
//
//   static int client(void *unused) { ... weft_tcp_connect("server:7878") ... }
//
//   static int world(weft_sim *sim, void *unused) {
//       weft_sim_host(sim, "server", "10.0.0.1", server, NULL);
//       weft_sim_host(sim, "client", "10.0.0.2", client, NULL);
//       weft_sleep(WEFT_SECOND);
//       weft_sim_partition(sim, "client", "server");
//       weft_sleep(5 * WEFT_SECOND);
//       weft_sim_heal(sim, "client", "server");
//       return weft_sim_wait(sim, "client");
//   }
//
//   int main(void) {
//       return weft_sim_run(&(weft_sim){.seed = 1, .loss = 0.01}, world, NULL) < 0;
//   }
//
// Everything runs on one thread, one task at a time. The clock stands still while anything can run,
// and then moves to the next thing that happens: an hour of silence costs nothing. Which task runs,
// which packet is late and which is lost is chosen by the seed, so a run can be repeated exactly;
// that also needs a program that takes its own random numbers from weft_random and its time from
// weft_now, and whose order does not depend on addresses (which change from run to run).
//
// A run that fails says so on stderr, in one line that ends with how to repeat it, and ends the
// process by SIGABRT, or by the signal that it was (SIGTERM too, so a run that hangs can be asked):
//
//   weft sim: check failed: sum == 100 (bank.c:42) on host client at 1.250003 s, step 18231;
//   replay: WEFT_SIM_SEED=77 ./bank
//
// A run fails by weft_sim_check, an assertion or any other signal that ends a program, a deadlock
// (nothing can run, no timer is set: every task is printed with its stack), exit(3), which ends the
// process with the status that it was given, and handles that are open after all programs have
// ended. Environment: WEFT_SIM_SEED, a number, goes before the seed of the program, and
// WEFT_SIM_FAULTS limits what goes wrong (weft_sim.chaos). `weft sim run ./bank
// --seeds 10000` searches. WEFT_SIM_TRACE=FILE makes a capture of the traffic (pcapng, for
// Wireshark and tshark), WEFT_SIM_LOG=FILE a timeline of it, a line for each thing that happens to
// a packet; neither changes the run.
//
// Other threads of the process may not call weft meanwhile: what would wait or touch the network
// there answers -ENOTSUP, and the log says so.
#ifndef WEFT_SIM_H
#define WEFT_SIM_H

#include <stddef.h>
#include <stdint.h>

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/// How a link between two hosts is. Zero is the default everywhere, and -1 none; the struct may
/// grow at its end. Probabilities are from 0 to 1.
typedef struct weft_sim_link_options {
    int64_t latency_ns;       ///< that each packet takes, one way; 0: 100 us
    int64_t jitter_ns;        ///< and up to so much more, evenly; 0: 50 us
    int64_t bytes_per_second; ///< in each direction; 0: no limit
    /// Of packets that are lost. A stream sends them again, after 200 ms, then 400 ms and so on
    /// (for about 15 minutes, then it has timed out), and what comes behind waits; a datagram is
    /// gone.
    double loss;
    double duplication; ///< of datagrams that arrive twice
    double reordering;  ///< of datagrams that others overtake
    int mtu_bytes;      ///< of a packet, headers included, at least 576; 0: 1500
} weft_sim_link_options;

/// A simulation: what it is made with; and, while it runs, its name in the calls below.
typedef struct weft_sim {
    uint64_t seed; ///< 0: 1
    /// Of all links that weft_sim_link does not set. As in weft_sim_link_options.
    int64_t latency_ns, jitter_ns, bytes_per_second;
    double loss, duplication, reordering;
    int mtu_bytes;
    /// Of the runtime, 1 to 1024, as if as many processors ran it: they take turns on the one
    /// thread, and the seed says whose turn it is and who steals from whom. 0: 1; with chaos 1 to
    /// 4, by seed.
    int workers;
    /// 1: each run turns on about half of the faults below, and of loss, duplication and
    /// reordering, that are 0, by seed, and at a rate by seed. What must never happen is set to -1.
    /// The environment's WEFT_SIM_FAULTS=resets,loss leaves those alone, and `none` none.
    int chaos;
    /// The faults: the chance, from 0 to 1, that something goes wrong each time that it could.
    double short_reads;      ///< a read of a stream moves fewer bytes than there are, down to one
    double short_writes;     ///< a write moves fewer than there is room for
    double stalls;           ///< what could complete at once takes up to 10 ms, or is tried in vain
    double drips;            ///< a packet of a stream carries a few bytes only
    double refusals;         ///< ECONNREFUSED from a host that listens
    double resets;           ///< of packets: ECONNRESET or EPIPE for both ends of the stream
    double timeouts;         ///< of packets: ETIMEDOUT for who has sent it
    double aborts;           ///< of connections: ECONNABORTED before they are accepted
    double fd_shortages;     ///< EMFILE or ENFILE for a new socket or an accept
    double buffer_shortages; ///< ENOBUFS or ENOMEM for a datagram or an accept
    double memory_shortages; ///< ENOMEM for a write to a stream
    double name_failures;    ///< a resolver that answers WEFT_ENAMEFAIL
    double name_losses;      ///< a resolver that answers WEFT_ENAME
    double name_delays;      ///< a resolver that takes up to 20 s longer
    double name_changes;     ///< a resolver that answers with the addresses of another host
    double stack_shortages;  ///< no memory for the stack of a task that starts: it starts later
    /// What every machine leaves open. These three are always on; 0: 0.05, 0.25 and 0.5, -1: never.
    double yields;      ///< a call that need not wait lets other tasks run
    double suspensions; ///< and one that could be done at once waits all the same
    double
        late_cancels; ///< the answer to a cancellation comes later, or the call is done meanwhile
    /// Accidents of whole hosts: the chance, for each packet, that one happens to it on its way.
    /// One at a time in the whole world.
    double partitions;  ///< its two hosts are cut off, or in one direction, for up to 10 s
    double pauses;      ///< the host that it is for stands still for up to 10 s
    double clock_jumps; ///< the wall clock of that host jumps, by up to an hour, either way
    double crashes;     ///< that host crashes, and starts again within 10 s; never by chaos
    /// Of tasks of hosts, each time that one waits: its scope is cancelled, as if by weft_cancel.
    /// Never by chaos.
    double cancels;
    /// One call that fails: the fail_nth-th of a kind since fn began answers fail_error (negative).
    /// Kinds: "alloc" (weft's own memory), "stack" (a task's), "read", "write", "recvmsg",
    /// "sendmsg", "accept", "connect", "ready", "resolve", "ctl" (sockets, their names and
    /// options); or "cancel": the n-th time that a task of a host waits or yields, its scope is
    /// cancelled, and fail_error stays 0. A program is run with 1, 2, 3 and so on, until
    /// weft_sim_fail_was_met() says 0.
    const char *fail; ///< NULL: none
    uint64_t fail_nth;
    int fail_error;
} weft_sim;

/// Runs one simulation on the calling thread, and returns when it is over: when fn has returned
/// and, after they were cancelled, the programs of all hosts have, too.
///   sim  borrowed.
///   fn   makes the hosts and what happens to them. It runs on none of them: on a machine of its
///        own with loopback alone, as task zero of the runtime that is started for it.
/// Returns what fn returned if that is not 0; else the first negative result of a host's program,
/// -ECANCELED excepted; else 0. Or, before anything has run,
///   -EALREADY  a runtime runs (so does one simulation inside another)
///   -EINVAL    an option out of range; a WEFT_SIM_SEED that is no number; a WEFT_SIM_FAULTS that
///              names no fault; a weft_sim.fail that is no kind
///   -ENOMEM    no memory
///   ...        what open(2) says of the file that WEFT_SIM_TRACE or WEFT_SIM_LOG names
/// A run that fails does not return.
#define weft_sim_run(...) weft_priv_sim_run(sizeof(weft_sim), __VA_ARGS__) // (sim, fn, arg)
int weft_priv_sim_run(size_t size, weft_sim *sim, int (*fn)(weft_sim *sim, void *arg), void *arg);

// All below is for tasks of the simulation, on any host, and does not suspend unless it says so.
// Each answers -ENOENT when `sim` does not run, or a host has no such name.

/// Adds a host and runs its program there, as a task of that name. Tasks that it starts are on the
/// same host. The name resolves to the addresses, everywhere.
///   name       copied; at most 31 letters, digits, "-", "_" and "."; no address, not localhost.
///   addresses  one, or one of each family with a comma between: "10.0.0.1,fd00::1". Only hosts
///              with an address of one family reach each other by it. Loopback is on every host.
///   fn, arg    as in weft_go.
/// Returns 0, or -EINVAL (no such name, addresses that no host can have),
/// -EEXIST (the name, or an address, is another's), -EPERM (not called by fn's own task), -ENOSPC
/// (1023 hosts), -ENOMEM.
int weft_sim_host(weft_sim *sim, const char *name, const char *addresses, int (*fn)(void *),
                  void *arg);

/// Waits until the program of a host has ended.
/// Returns what it returned; -EHOSTDOWN when the host is down, or crashes meanwhile; or -ECANCELED,
/// -ETIMEDOUT as every call that waits. Suspends.
int weft_sim_wait(weft_sim *sim, const char *name);

// ---- What happens to hosts ------------------------------------------------------------------

/// The program of a host stands still, as under SIGSTOP or while a virtual machine is moved: none
/// of its tasks runs until weft_sim_resume. Its kernel goes on: connections are accepted and data
/// is received as far as there is room. Time passes, so what it waits for may be over by then.
/// When fn returns all hosts go on, so that their programs can end.
/// Returns 0, -EDEADLK (the caller is a task of that host), -EHOSTDOWN.
int weft_sim_pause(weft_sim *sim, const char *name);
int weft_sim_resume(weft_sim *sim, const char *name); // 0

/// The host loses its power. None of its tasks ever runs again, nor does anything that would have
/// run at their end; its sockets, its ports and what it has sent and nobody has received yet are
/// gone, without a word to its peers: they wait, send again, and after about 15 minutes time out.
/// While it is down nothing arrives there.
///
/// What weft keeps for the host is given back when the run ends, tasks and handles at the latest
/// then, and is no leak. What its program has allocated is lost: weft_sim_alloc is for memory that
/// goes with the host; LeakSanitizer is told to forgive what the program has from malloc(3)
/// (Valgrind cannot be told). Global variables keep their values: a program that shall be started
/// again sets up in fn what it needs. Handles, scopes and memory that hosts share in the program go
/// beyond what a crash can imitate.
///
/// A task may crash its own host; the call then does not return. Returns 0, also if it was down.
int weft_sim_crash(weft_sim *sim, const char *name);

/// Starts the host's program again, with the same fn and arg, after a crash, or after it has ended;
/// a host that runs is crashed first. Its peers' connections of before are answered with a reset.
/// Returns 0; -EDEADLK (the caller is a task of that host), -ECANCELED (the run ends: fn has
/// returned), -ENOMEM (it stays down).
int weft_sim_restart(weft_sim *sim, const char *name);

/// 1 while a host is down, else 0.
int weft_sim_is_down(weft_sim *sim, const char *name);

/// Moves the wall clock (weft_wall_now) of a host by so many nanoseconds, either way; NULL: of all
/// hosts. The monotonic clock, deadlines and sleeps go on as they were. Returns 0, or -EINVAL: it
/// would be more than 73 years from where it began.
int weft_sim_jump_clock(weft_sim *sim, const char *name, int64_t ns);

/// Memory of the caller's host, zeroed and aligned for any type: given back all at once when the
/// run ends, also what a crashed program has left. For programs that are not simulated there is
/// malloc(3); a program hands down the function to use. NULL: no memory, or not in a simulation.
void *weft_sim_alloc(size_t size);

/// Sets the link between two hosts, in both directions. What is on its way is not changed.
///   options  borrowed; NULL: back to what the simulation was made with.
/// Returns 0 or -EINVAL.
#define weft_sim_link(...) /* (sim, a, b, options) */                                              \
    weft_priv_sim_link(sizeof(weft_sim_link_options), __VA_ARGS__)
int weft_priv_sim_link(size_t size, weft_sim *sim, const char *a, const char *b,
                       const weft_sim_link_options *options);

/// From now on nothing arrives between two hosts, not even what is on its way; or only in one
/// direction. NULL in place of a name: every host. Nobody is told: connections stall, and go on
/// when the partition is healed within about 15 minutes. Returns 0.
int weft_sim_partition(weft_sim *sim, const char *a, const char *b);
int weft_sim_partition_one_way(weft_sim *sim, const char *from, const char *to);
/// Ends partitions, in both directions. Returns 0.
int weft_sim_heal(weft_sim *sim, const char *a, const char *b);

/// The number of choices made and events handled so far, which together with the seed names a
/// moment of a run; and a hash of all of them: two runs are the same if it is. 0 when `sim` does
/// not run.
uint64_t weft_sim_step(weft_sim *sim);
uint64_t weft_sim_hash(weft_sim *sim);

/// 1 if in the last run of this thread the call that weft_sim.fail names was made, else 0.
int weft_sim_fail_was_met(void);

/// Ends a run that has gone wrong: prints the condition and how to replay the run, and ends the
/// process by SIGABRT. Outside of a simulation it does the same without the replay. NDEBUG does not
/// remove it.
#define weft_sim_check(condition)                                                                  \
    ((condition) ? (void)0 : weft_priv_sim_check(#condition, __FILE__, __LINE__))
#if defined(__cplusplus)
[[noreturn]]
#else
_Noreturn
#endif
void weft_priv_sim_check(const char *condition, const char *file, int line);

#ifdef __cplusplus
} // extern "C"
#endif

#pragma GCC visibility pop

#endif

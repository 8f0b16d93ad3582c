// SPDX-License-Identifier: MIT
//
// weft: network programs in straight-line C. The same calls block a plain thread and suspend a
// task; in a simulation (weft/sim.h) they run on virtual time, on a network made of memory. This
// header is the whole public face but for that.
//
// Conventions, once for all calls:
//
//   Results     >= 0 is the result, < 0 is an error: -errno, or one of the codes in weft/error.h.
//               `errno` itself says nothing and may change. -EINTR is never returned.
//   Handles     an int > 0. A negative handle passed in comes back unchanged and nothing happens,
//               so that calls compose and the first error survives. A handle that is closed, stale
//               or was never one: -EBADF; one of the wrong kind: -ENOTSUP. A file descriptor is
//               never a handle: 0 is not standard input here.
//   Ownership   borrows (until return), keeps (until close), takes (the callee releases, even when
//               it fails), gives (the caller releases).
//   Waiting     "Suspends" means: suspends the task; outside a task it blocks the thread. Before
//               it has any effect, and even if it could succeed at once, every such call looks at
//               cancellation and then at the deadline, and answers
//                 -ECANCELED  the scope that the task lives in was cancelled
//                 -ETIMEDOUT  the deadline of a weft_within passed (weft_timed_out() is then 1)
//               Either means "no effect": no byte was moved. It answers so again until the block
//               or the scope ends. Once begun, the operation's own result wins: what moved is
//               reported, and the next call reports the cancellation.
//   Threads     every call may be made from any task and any thread, on any handle, at any time.
//               Each single operation is atomic; those that wait for one direction of a handle are
//               served in order.
//   Memory      every call may answer -ENOMEM, and then nothing has happened, but for what the call
//               says: a composite call may have moved bytes, weft_go has released the handle.
//   Signals     no call may be made in a signal handler. For Ctrl-C let a task or a thread wait for
//               it, and then close the listener, which ends the loop of weft_accept with -EBADF:
//
//                 static int close_on_ctrl_c(int listener) {
//                     const int ctrl_c[] = {SIGINT};
//                     weft_signal_wait(ctrl_c, 1);
//                     return weft_close(listener);
//                 }
//
//               After the loop: weft_stop, or weft_cancel and weft_join, for the clients.
//   After fork  in the child of a process that runs the runtime every call but weft_close answers
//               -ECHILD until weft_start begins afresh. Without a runtime all works on.
#ifndef WEFT_H
#define WEFT_H

#include <weft/addr.h>
#include <weft/debug.h>
#include <weft/error.h>
#include <weft/io.h>
#include <weft/net.h>
#include <weft/sync.h>
#include <weft/task.h>

#endif

// SPDX-License-Identifier: MIT
//
// Seeing what a program does: all its tasks, where they wait, and since when. Conventions: weft.h.
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

// What is declared here is what the shared library exports.
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/// Prints every task, by scopes: its name and function, whether it runs, is ready, or what it waits
/// for and since when, how much of its stack is used, its backtrace, and where it was started. For
/// people: the text changes from version to version.
///   fd  where to; -1: where log lines go (weft_options.log, else stderr).
/// The tasks go on meanwhile: each is printed as it is at the moment at which it is looked at. One
/// that is ready to run has no backtrace. One that computes on another worker is asked for its own
/// by SIGBUS, and has none with weft_options.no_overflow_report; of one that blocks its thread in a
/// system call, calls that are over may be among those printed.
/// From any task, which needs 8 KiB of stack for it, and any thread. Functions have names where the
/// program was not stripped, else places that addr2line(1) understands.
/// Returns 0, or
///   -ENOENT  no runtime runs
///   -ECHILD  in the child of a process that runs one
///   -ENOMEM  no memory
///   or why fd could not be written to (-EBADF, -EPIPE, ...); -EAGAIN: it is non-blocking, and
///   was full for a second.
/// Does not suspend; blocks the thread while it writes. Neither cancelled nor cut short by a
/// deadline.
int weft_dump(int fd);

#ifdef __cplusplus
} // extern "C"
#endif

#pragma GCC visibility pop

#endif

// SPDX-License-Identifier: MIT
// Names and texts of error codes: those of weft and those of errno. A table of our own, because
// strerror(3) is neither thread-safe nor in lower case, and a task may not depend on a locale.
// Not for sentences about one failed call (weft_explain).
#include <errno.h>
#include <stddef.h>
#include <weft/error.h>

struct error {
    int code;
    const char *name;
    const char *text;
};

#define ERROR(code, text)                                                                          \
    { code, #code, text }

// All of POSIX, and what Linux adds for networks. EWOULDBLOCK is EAGAIN and EOPNOTSUPP is ENOTSUP
// there; each number stands here once, under the name that weft's documentation uses.
static const struct error errors[] = {
    ERROR(EPERM, "operation not permitted"),
    ERROR(ENOENT, "no such file or directory"),
    ERROR(ESRCH, "no such process"),
    ERROR(EINTR, "interrupted system call"),
    ERROR(EIO, "input/output error"),
    ERROR(ENXIO, "no such device or address"),
    ERROR(E2BIG, "argument list too long"),
    ERROR(ENOEXEC, "not an executable format"),
    ERROR(EBADF, "not an open handle"),
    ERROR(ECHILD, "not usable in a forked child"),
    ERROR(EAGAIN, "not possible at this moment"),
    ERROR(ENOMEM, "out of memory"),
    ERROR(EACCES, "permission denied"),
    ERROR(EFAULT, "bad memory address"),
    ERROR(EBUSY, "busy"),
    ERROR(EEXIST, "exists already"),
    ERROR(EXDEV, "not on the same file system"),
    ERROR(ENODEV, "no such device"),
    ERROR(ENOTDIR, "not a directory"),
    ERROR(EISDIR, "is a directory"),
    ERROR(EINVAL, "invalid argument"),
    ERROR(ENFILE, "too many open files in the system"),
    ERROR(EMFILE, "too many open files"),
    ERROR(ENOTTY, "not a terminal"),
    ERROR(ETXTBSY, "program file is being executed"),
    ERROR(EFBIG, "file too large"),
    ERROR(ENOSPC, "no space left on device"),
    ERROR(ESPIPE, "not a file that can seek"),
    ERROR(EROFS, "read-only file system"),
    ERROR(EMLINK, "too many links"),
    ERROR(EPIPE, "broken pipe"),
    ERROR(EDOM, "argument outside the domain of the function"),
    ERROR(ERANGE, "out of range"),
    ERROR(EDEADLK, "would deadlock"),
    ERROR(ENAMETOOLONG, "file name too long"),
    ERROR(ENOLCK, "no locks available"),
    ERROR(ENOSYS, "not provided by this system"),
    ERROR(ENOTEMPTY, "directory not empty"),
    ERROR(ELOOP, "too many symbolic links"),
    ERROR(ENOMSG, "no message of the desired type"),
    ERROR(EIDRM, "identifier removed"),
    ERROR(ENOSTR, "not a stream device"),
    ERROR(ENODATA, "stream ended early"),
    ERROR(ETIME, "timer expired"),
    ERROR(ENOSR, "out of stream resources"),
    ERROR(ENONET, "not on the network"),
    ERROR(ENOLINK, "link severed"),
    ERROR(ECOMM, "communication error on send"),
    ERROR(EPROTO, "protocol error"),
    ERROR(EMULTIHOP, "multihop attempted"),
    ERROR(EBADMSG, "bad message"),
    ERROR(EOVERFLOW, "value too large for its type"),
    ERROR(ENOTUNIQ, "name not unique on the network"),
    ERROR(EBADFD, "descriptor in a bad state"),
    ERROR(EREMCHG, "remote address changed"),
    ERROR(EILSEQ, "invalid multibyte character"),
    ERROR(EUSERS, "too many users"),
    ERROR(ENOTSOCK, "not a socket"),
    ERROR(EDESTADDRREQ, "destination address required"),
    ERROR(EMSGSIZE, "message too long"),
    ERROR(EPROTOTYPE, "wrong protocol for this kind of socket"),
    ERROR(ENOPROTOOPT, "protocol option not available"),
    ERROR(EPROTONOSUPPORT, "protocol not supported"),
    ERROR(ESOCKTNOSUPPORT, "kind of socket not supported"),
    ERROR(ENOTSUP, "operation not supported"),
    ERROR(EPFNOSUPPORT, "protocol family not supported"),
    ERROR(EAFNOSUPPORT, "address family not supported"),
    ERROR(EADDRINUSE, "address already in use"),
    ERROR(EADDRNOTAVAIL, "address not available on this machine"),
    ERROR(ENETDOWN, "network is down"),
    ERROR(ENETUNREACH, "network unreachable"),
    ERROR(ENETRESET, "connection dropped by the network"),
    ERROR(ECONNABORTED, "connection aborted"),
    ERROR(ECONNRESET, "connection reset by peer"),
    ERROR(ENOBUFS, "no buffer space available"),
    ERROR(EISCONN, "already connected"),
    ERROR(ENOTCONN, "not connected"),
    ERROR(ESHUTDOWN, "cannot send after shutdown"),
    ERROR(ETOOMANYREFS, "too many references"),
    ERROR(ETIMEDOUT, "timed out"),
    ERROR(ECONNREFUSED, "connection refused"),
    ERROR(EHOSTDOWN, "host is down"),
    ERROR(EHOSTUNREACH, "no route to host"),
    ERROR(EALREADY, "already in progress"),
    ERROR(EINPROGRESS, "now in progress"),
    ERROR(ESTALE, "stale file handle"),
    ERROR(EREMOTEIO, "remote input/output error"),
    ERROR(EDQUOT, "quota exceeded"),
    ERROR(ECANCELED, "cancelled"),
    ERROR(EOWNERDEAD, "owner died"),
    ERROR(ENOTRECOVERABLE, "state not recoverable"),
    ERROR(ERFKILL, "blocked by a radio switch"),
    ERROR(WEFT_ENAME, "no such name"),
    ERROR(WEFT_ENAMEFAIL, "name lookup failed for the moment"),
    ERROR(WEFT_EADDRESS, "not an address"),
};

// NULL when the code is not in the table. The sign does not matter; the least number has no
// positive twin, hence the comparison of negated codes.
static const struct error *find(ssize_t code) {
    ssize_t negative = code < 0 ? code : -code;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (negative == -errors[i].code)
            return &errors[i];
    return NULL;
}

const char *weft_strerror(ssize_t code) {
    if (code == 0)
        return "success";
    const struct error *error = find(code);
    return error != NULL ? error->text : "unknown error";
}

const char *weft_strerrorname(ssize_t code) {
    if (code == 0)
        return "0";
    const struct error *error = find(code);
    return error != NULL ? error->name : "unknown";
}

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The captures of the simulator, read back with tshark: well-formed packets, right checksums, a TCP
that tshark finds nothing wrong with where the network is well, and the bytes that were sent."""

import datetime
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

WRITER = pathlib.Path(os.environ["WEFT_BUILD"]) / "tests/unit/test_sim_capture"
CHECKED = [word for protocol in ("ip", "tcp", "udp")
           for word in ("-o", f"{protocol}.check_checksum:TRUE")]
CLEAN = ["clean", "bulk", "loopback"]  # on a network that loses nothing
ALL = CLEAN + ["lossy", "wild", "wild_lossy"]
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc).timestamp()


def tshark(folder, name, *arguments):
    """What tshark says of one capture."""
    command = ["tshark", "-n", *CHECKED, "-r", f"{folder}/{name}.pcapng", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=150)
    if run.returncode != 0:
        sys.exit(f"FAILED: {' '.join(command)}: {run.stderr}")
    return run.stdout


def fields(folder, name, *names, wanted=None):
    """These fields of every packet, or of those wanted: a list of strings for each."""
    arguments = ["-T", "fields", *(word for field in names for word in ("-e", field))]
    if wanted:
        arguments += ["-Y", wanted]
    return [line.split("\t") for line in tshark(folder, name, *arguments).splitlines()]


def frames(folder, name, wanted):
    """How many packets match a filter."""
    return len(fields(folder, name, "frame.number", wanted=wanted))


def followed(folder, name, stream):
    """The bytes of a TCP stream: what who connected sent, and what the other one did."""
    ways = [b"", b""]
    for line in tshark(folder, name, "-q", "-z", f"follow,tcp,raw,{stream}").splitlines():
        digits = line.strip()
        if digits and not set(digits) - set("0123456789abcdef"):
            ways[line.startswith("\t")] += bytes.fromhex(digits)
    return ways


def pattern(size):
    """What the writer pumps through a connection, each way."""
    period = bytes((i * 31 + i // 251) % 256 for i in range(70001))
    return (period * (size // len(period) + 1))[:size]


def check_well_formed(folder):
    for name in ALL:
        bad = ("_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || "
               "udp.checksum.status == 0 || icmp.checksum.status == 0 || "
               "icmpv6.checksum.status == 0 || _ws.expert.severity == error")
        yield f"{name}: nothing is malformed", frames(folder, name, bad) == 0
        count = frames(folder, name, "ip || ipv6")
        yield f"{name}: all are IP packets", count > 0 and count == frames(folder, name, "frame")
        good = ("tcp.checksum.status == 1 || udp.checksum.status == 1 || "
                "icmp.checksum.status == 1 || icmpv6.checksum.status == 1 || "
                "frame.len > frame.cap_len")
        yield f"{name}: every checksum was looked at", frames(folder, name, good) == count


def check_tcp(folder):
    for name in CLEAN:
        strange = ("tcp.analysis.flags && !tcp.analysis.window_update && !tcp.analysis.window_full "
                   "&& !tcp.analysis.zero_window")
        if name == "clean":
            strange = "tcp.analysis.flags"
        yield f"{name}: tshark finds nothing to remark", frames(folder, name, strange) == 0
    yield "lossy: segments are sent again", frames(folder, "lossy",
                                                   "tcp.analysis.retransmission") > 10
    unknown = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"
    yield "lossy: nothing is missing", frames(folder, "lossy", unknown) == 0
    too_far = [row for name in ("bulk", "lossy", "loopback") for row in
               fields(folder, name, "tcp.analysis.bytes_in_flight", "tcp.window_size")
               if row[0] and int(row[0]) > 131072]
    yield "nobody goes beyond the window", not too_far


def check_contents(folder):
    talk = [b"question", b"answermore"]
    yield "clean: IPv4 reads as it was written", followed(folder, "clean", 0) == talk
    yield "clean: IPv6 does, too", followed(folder, "clean", 3) == talk
    for name in ("bulk", "lossy", "loopback"):
        expected = pattern(1000003)
        yield f"{name}: every byte is there", followed(folder, name, 0) == [expected, expected]
    handshake = fields(folder, "clean", "tcp.flags.str", "tcp.options.mss_val",
                       "tcp.options.wscale.shift", wanted="tcp.stream == 0 && tcp.flags.syn == 1")
    yield "SYN has its options", [row[1:] for row in handshake] == [["1460", "2"], ["1460", "2"]]
    refused = fields(folder, "clean", "tcp.flags.reset", "tcp.len", wanted="tcp.stream == 1")
    yield "a refused connect is SYN and RST", [row[0] for row in refused] == ["0", "1"]
    sizes = fields(folder, "clean", "udp.length", wanted="udp && !icmp && !icmpv6")
    expected = [["8"], ["15"], ["65515"], ["17"], ["1008"]]
    yield "datagrams have their lengths", sizes == 2 * expected
    yield "a refusal quotes its datagram", fields(
        folder, "clean", "udp.dstport", wanted="icmp.type == 3 && icmp.code == 3") == 2 * [["7880"]]


def check_times(folder):
    times = [row[0] for row in fields(folder, "clean", "frame.time_epoch")]
    yield "time is virtual, and begins with the run", times[0] == f"{int(START)}.000000000"
    yield "and in nanoseconds", times[1] == f"{int(START)}.000100000"


def main():
    if not shutil.which("tshark"):
        print("skipped: no tshark on this machine (Debian: tshark)")
        return 77
    if not WRITER.exists():
        print("skipped: the unit tests are not built (Debian: libcmocka-dev)")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([WRITER, "--write", folder], check=True, timeout=150)
        count = 0
        for check in (check_well_formed, check_tcp, check_contents, check_times):
            for sentence, is_true in check(folder):
                print(f"{'ok' if is_true else 'FAILED'}: {sentence}", flush=True)
                if not is_true:
                    return 1
                count += 1
    print(f"{count} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

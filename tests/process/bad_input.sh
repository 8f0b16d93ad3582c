#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What people get wrong: each mistake gets one line with its cause and its cure, and exit status 1
# (it did not work) or 2 (it was asked for wrongly). No stack dump, nothing on stdout.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need setpriv nc

# ---- The command line ----
check "no arguments: says where help is" refuses 2 "no command.*--help" "$weft"
check "an unknown command is named" refuses 2 "unknown command 'ecko'.*--help" "$weft" ecko
check "an unknown option is named" refuses 2 "unknown option '--tpc'.*--help" "$weft" echo --tpc x
check "an unknown letter is named" refuses 2 "unknown option '-x'" "$weft" doctor -x
check "an unknown first option is named" refuses 2 "unknown option '--bogus'" "$weft" --bogus
check "a value that is missing is missed" refuses 2 "'--tcp' needs a value" "$weft" echo --tcp
check "a value too many is refused" refuses 2 "takes no value '--raw=1'" "$weft" hello --raw=1
check "an operand too many is refused" refuses 2 "unexpected argument 'more'" "$weft" doctor more
check "connect wants a URL" refuses 2 "a URL is missing" "$weft" connect
check "connect names another scheme" refuses 2 "'http://x' is no URL" "$weft" connect http://x
check "an empty URL is refused" refuses 2 "is no URL" "$weft" connect ''
check "a time without a unit is refused" refuses 2 "'5' is no time" "$weft" connect --timeout 5 x
check "a scheme may be written in capitals" refuses 1 "connect 127.0.0.1:1: connection refused" \
    "$weft" connect TCP://127.0.0.1:1
check "a negative time is refused" refuses 2 "is no time" "$weft" connect --timeout=-5s x
check "a wrong escape is shown" refuses 2 "no escape" "$weft" connect --send 'a\q' tcp://127.0.0.1:1
check "a line break in an argument stays one line" refuses 2 "a.b" "$weft" $'a\nb'

# ---- Addresses ----
for address in 127.0.0.1 127.0.0.1: 127.0.0.1:http 127.0.0.1:65536 127.0.0.1:-1 '127.0.0.1: 80' \
    :80 '' 1.2.3.4.5:80 256.0.0.1:80 '[::1' '[::1]' '[::g]:80' ::1:80 'a b:80' \
    '127.0.0.1:99999999999'; do
    quoted=$(sed 's/[]\\.*^$+?(){}|[]/\\&/g' <<<"$address")
    check "'$address' is no address to listen on" refuses 2 "$quoted" "$weft" hello "$address"
    check "'$address' is no address to bind" refuses 2 "$quoted" \
        "$weft" echo --tcp 127.0.0.1:0 --udp "$address"
done
check "brackets do not stand in brackets" refuses 2 "\(the port is missing: write HOST:PORT\)\$" \
    "$weft" hello 127.0.0.1
check "no port to connect to is missed" refuses 2 "port" "$weft" connect tcp://127.0.0.1
check "a port out of range is refused" refuses 2 "65536|port" "$weft" connect udp://127.0.0.1:65536

# ---- Names: only in a network of our own, where the question reaches no resolver ----
unknown=does-not-exist.invalid
if [ "$WEFT_TEST_NETWORK" = own ]; then
    check "an unknown name is no server" refuses 1 "$unknown" \
        "$weft" connect --timeout 20s "tcp://$unknown:80"
    check "an unknown name is no peer" refuses 1 "$unknown" \
        "$weft" connect --timeout 20s "udp://$unknown:80"
    check "an unknown name cannot be listened on" refuses 1 "$unknown" "$weft" hello "$unknown:80"
fi

# ---- The network ----
start_server busy echo --tcp 127.0.0.1:0 --udp 127.0.0.1:0
check "a TCP port in use is named" refuses 1 "$tcp.*in use" "$weft" hello "$tcp"
check "a UDP port in use is named" refuses 1 "$udp.*in use" \
    "$weft" echo --tcp 127.0.0.1:0 --udp "$udp"
check "a refused connection suggests the cause" \
    refuses 1 "connect 127.0.0.1:1: connection refused \(is the server running\?\)" \
    "$weft" connect tcp://127.0.0.1:1
check "a refused datagram is reported" refuses 1 "127.0.0.1:1.*refused" \
    "$weft" connect --send x udp://127.0.0.1:1

if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 80 ]; then
    check "a privileged port says whose it is" refuses 1 "127.0.0.1:80: permission denied" \
        "${unprivileged[@]}" "$weft" hello 127.0.0.1:80
fi

# Only in a network of our own may an address lie outside the loopback: there it leads nowhere.
if [ "$WEFT_TEST_NETWORK" = own ]; then
    check "an unreachable network is reported" refuses 1 "192.0.2.1:80: network unreachable" \
        "$weft" connect tcp://192.0.2.1:80
    check "an unreachable IPv6 network, too" refuses 1 "2001:db8::1.*unreachable" \
        "$weft" connect 'tcp://[2001:db8::1]:80'
    check "an unreachable peer of UDP, too" refuses 1 "192.0.2.1:80.*unreachable" \
        "$weft" connect --send x udp://192.0.2.1:80
fi
check "an address of another machine cannot be listened on" \
    refuses 1 "192.0.2.1:80: cannot assign|192.0.2.1:80.*not available" "$weft" hello 192.0.2.1:80

# ---- The surroundings ----
check "an unknown driver is named, with those that exist" \
    refuses 1 'unknown driver "bogus": WEFT_DRIVER .*auto, uring and epoll' \
    env WEFT_DRIVER=bogus "$weft" hello 127.0.0.1:0
full_disk() {
    "$weft" --help >/dev/full 2>"$work/full.err"
    equal 1 $? && is_in "$work/full.err" "^weft: standard output: No space left on device$"
}
check "a full disk is a failure" full_disk
closed_files() {
    "$weft" --version <&- 2>&- | grep -q '^weft [0-9]'
}
check "closed standard files do no harm" closed_files
finish

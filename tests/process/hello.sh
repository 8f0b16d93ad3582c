#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `weft hello` against curl and wrk on each driver and with plain threads, and against requests
# written byte by byte, right and wrong ones.
# shellcheck source=tests/process/_lib.sh
. "$(dirname "$0")/_lib.sh"
need curl wrk nc

greeting='Hello, World!'

# Sends the bytes of a printf format and gives what comes back, with \r as $. The server closes.
raw() {
    # shellcheck disable=SC2059 # the format is the request
    printf "$1" | timeout "$bound_s" nc -N 127.0.0.1 "$port" | tr '\r' '$'
}
answers() { # STATUS REQUEST: the first status line
    equal "$1" "$(raw "$2" | awk 'NR == 1 { print $2 }')"
}
answers_all() { # "STATUS STATUS..." REQUEST
    equal "$1" "$(raw "$2" | awk '/^HTTP/ { print $2 }' | xargs)"
}
one_byte_at_a_time() {
    local request=$'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' i
    exec 8<>"/dev/tcp/127.0.0.1/$port"
    for ((i = 0; i < ${#request}; i++)); do
        printf %s "${request:i:1}" >&8
    done
    local answer
    answer=$(timeout "$bound_s" cat <&8 | tail -n 1)
    exec 8>&-
    equal "$greeting" "$answer"
}
by_curl() {
    equal "$greeting" "$(curl -sS --max-time "$bound_s" "http://$tcp/any/path?x=1")"
}
curl_reuses() {
    local out
    out=$(curl -sSv --max-time "$bound_s" "http://$tcp/" "http://$tcp/" "http://$tcp/" 2>&1)
    equal 2 "$(grep -ci 're-using existing.* connection' <<<"$out")" &&
        equal 3 "$(grep -c "$greeting" <<<"$out")"
}
curl_head() {
    local out
    out=$(curl -sS -I --max-time "$bound_s" "http://$tcp/" | tr -d '\r')
    grep -q '^Content-Length: 14$' <<<"$out" &&
        grep -q '^Date: ..., .. ... .... ..:..:.. GMT$' <<<"$out"
}
# curl waits for "100 Continue" before it sends a body this long; a GET may have one.
curl_body() {
    equal "$greeting" "$(head -c 100000 /dev/zero | curl -sS --max-time "$bound_s" -X GET \
        --data-binary @- -H 'Expect: 100-continue' "http://$tcp/")"
}
curl_1_0() {
    equal "$greeting" "$(curl -sS -0 --max-time "$bound_s" "http://$tcp/")"
}
by_wrk() { # CONNECTIONS
    timeout "$bound_s" wrk -t1 -c"$1" -d1s "http://$tcp/" >"$work/wrk.out" || return 1
    if grep -E 'Socket errors|Non-2xx' "$work/wrk.out"; then
        return 1
    fi
    local count
    count=$(awk '/requests in/ { print $1 }' "$work/wrk.out")
    [ "${count:-0}" -gt 0 ]
}

get='GET / HTTP/1.1\r\nHost: x\r\n'
requests() {
    check "$1: GET with the last header closes" answers 200 "${get}Connection: close\r\n\r\n"
    check "$1: three pipelined requests get three answers" \
        answers_all "200 200 200" "$get\r\n$get\r\n${get}Connection: close\r\n\r\n"
    check "$1: nothing is answered after close" \
        answers_all 200 "${get}Connection: foo, Close\r\n\r\n$get\r\n"
    check "$1: a body is passed over" answers_all "200 200" \
        "${get}Content-Length: 5\r\n\r\nGET /${get}Connection: close\r\n\r\n"
    check "$1: lines may end in LF alone" answers 200 'GET / HTTP/1.1\nHost: x\n\n'
    check "$1: empty lines before a request are passed over" answers 200 "\r\n\r\n$get\r\n"
    check "$1: HTTP/1.0 closes" answers_all 200 'GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n'
    check "$1: HTTP/1.0 keeps alive when asked" answers_all "200 200" \
        'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n'
    check "$1: HEAD has no body" \
        equal '' "$(raw 'HEAD / HTTP/1.0\r\n\r\n' | sed -n '/^\$$/,$p' | tr -d '$\n')"
    check "$1: the end of input answers nothing" equal '' "$(raw '')"
    check "$1: half a request answers nothing" equal '' "$(raw 'GET / HT')"
}
refusals() {
    local long many
    long=$(head -c 9000 /dev/zero | tr '\0' a)
    many=$(printf 'A: b\\r\\n%.0s' {1..101})
    check "$1: no Host is refused" answers 400 'GET / HTTP/1.1\r\n\r\n'
    check "$1: two Hosts are refused" answers 400 "${get}Host: y\r\n\r\n"
    check "$1: no version is refused" answers 400 'GET /\r\n\r\n'
    check "$1: two spaces are refused" answers 400 'GET  / HTTP/1.1\r\nHost: x\r\n\r\n'
    check "$1: a wrong version is refused" answers 400 'GET / HTTP/x.1\r\nHost: x\r\n\r\n'
    check "$1: another major version is refused" answers 505 'GET / HTTP/2.0\r\nHost: x\r\n\r\n'
    check "$1: a blank before a colon is refused" answers 400 "${get}A : b\r\n\r\n"
    check "$1: a folded field is refused" answers 400 "${get}A: b\r\n c\r\n\r\n"
    check "$1: a field without a colon is refused" answers 400 "${get}A\r\n\r\n"
    check "$1: a NUL is refused" answers 400 "${get}A: \0\r\n\r\n"
    check "$1: a lone CR is refused" answers 400 "${get}A: b\rc\r\n\r\n"
    check "$1: noise is refused at once" answers 400 '\026\003\001\002'
    check "$1: another method is refused" answers 405 'POST / HTTP/1.1\r\nHost: x\r\n\r\n'
    check "$1: two lengths are refused" answers 400 \
        "${get}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"
    check "$1: a signed length is refused" answers 400 "${get}Content-Length: +1\r\n\r\nx"
    check "$1: an endless length is refused" answers 400 \
        "${get}Content-Length: 99999999999999999999\r\n\r\n"
    check "$1: a long body is refused" answers 413 "${get}Content-Length: 1048577\r\n\r\n"
    check "$1: chunks are refused" answers 411 "${get}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    check "$1: chunks with a length are refused" answers 400 \
        "${get}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    check "$1: another expectation is refused" answers 417 "${get}Expect: gold\r\n\r\n"
    check "$1: a long request line is refused" answers 414 "GET /$long HTTP/1.1\r\n"
    check "$1: a long field is refused" answers 431 "${get}A: $long\r\n\r\n"
    check "$1: many fields are refused" answers 431 "$get$many\r\n"
    check "$1: a refusal closes" answers_all "200 400" "$get\r\nbroken\r\n$get\r\n"
}

for driver in $(drivers) thread; do
    args=()
    export WEFT_DRIVER=$driver
    if [ "$driver" = thread ]; then
        unset WEFT_DRIVER
        args=(--blocking)
    fi
    start_server server hello 127.0.0.1:0 "${args[@]}"
    check "$driver: curl gets the greeting" by_curl
    check "$driver: curl uses its connection again" curl_reuses
    check "$driver: curl -I gets the header" curl_head
    check "$driver: curl sends a body after 100 Continue" curl_body
    check "$driver: curl -0 is content" curl_1_0
    check "$driver: a request may come byte by byte" one_byte_at_a_time
    requests "$driver"
    refusals "$driver"
    check "$driver: wrk with one connection sees no error" by_wrk 1
    check "$driver: wrk with 100 connections sees no error" by_wrk 100
    check "$driver: it still serves after that" by_curl
    check "$driver: nothing was complained about" equal "" "$(cat "$work/server.err")"

    start_server raw hello 127.0.0.1:0 --raw "${args[@]}"
    check "$driver: --raw gives the bytes of the first example" \
        equal $'HTTP/1.1 200 OK$\n$\n'"$greeting" "$(raw "$get\r\n")"
done
finish

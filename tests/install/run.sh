#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the build in $WEFT_BUILD into a scratch folder, moves it, and uses it as others would: a
# program and an example, through pkg-config and find_package, shared and static, in C and in C++.
# Then `./dev install`, and what is told to who has not built.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/moved
consumer=$WEFT_SOURCE/tests/install/consumer.c
example=$WEFT_SOURCE/examples/tcp_client.c
[[ -e $example ]] || example=''

fail() {
    echo "install: $*" >&2
    exit 1
}

cmake --install "$WEFT_BUILD" --prefix "$scratch/first" >"$scratch/log"
mv "$scratch/first" "$prefix"
libdir=$(dirname "$(find "$prefix" -name libweft.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig

# --- what lies there ----------------------------------------------------------------------------
version=$(pkg-config --modversion weft)
for file in "$prefix/include/weft.h" "$libdir"/libweft.{a,so,"so.${version%.*}","so.$version"} \
    "$libdir/cmake/weft/weftConfig.cmake"; do
    [[ -e $file ]] || fail "${file#"$prefix"/} is missing"
done
soname=$(readelf -d "$libdir/libweft.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[[ $soname == "libweft.so.${version%.*}" ]] || fail "the soname is '$soname'"
[[ ! -e $WEFT_SOURCE/man/weft.1 || -e $prefix/share/man/man1/weft.1 ]] || fail 'no man page'
[[ -e $prefix/share/weft/weft.py ]] || fail 'no commands for gdb'
if [[ -x $WEFT_BUILD/weft ]]; then
    "$prefix/bin/weft" --help >/dev/null || fail 'the installed command does not run'
fi

# --- expect PROGRAM: it is linked in this way and prints the version of the package --------------
expect() {
    local printed
    printed=$(LD_LIBRARY_PATH=$libdir "$1")
    [[ $printed == "$version "?* ]] || fail "$1 printed '$printed', the package is $version"
    if [[ $1 == *static* ]]; then
        ! readelf -d "$1" | grep -q 'libweft' || fail "$1 is not linked statically"
    else
        readelf -d "$1" | grep -q "$soname" || fail "$1 is not linked against $soname"
    fi
    echo "ok: ${1#"$scratch"/}"
}

# --- pkg-config ---------------------------------------------------------------------------------
read -ra cflags <<<"$(pkg-config --cflags weft)"
read -ra shared <<<"$(pkg-config --libs weft)"
read -ra static <<<"$(pkg-config --static --libs weft)"
static=("${static[@]/#-lweft/-l:libweft.a}")
strict=(-Wall -Wextra -Werror)
cc -std=c17 -pedantic "${strict[@]}" "${cflags[@]}" -o "$scratch/pc_c" "$consumer" "${shared[@]}"
cc "${strict[@]}" "${cflags[@]}" -o "$scratch/pc_c_static" "$consumer" "${static[@]}"
c++ -std=c++17 "${strict[@]}" "${cflags[@]}" -o "$scratch/pc_cxx" -x c++ "$consumer" -x none \
    "${shared[@]}"
for program in pc_c pc_c_static pc_cxx; do
    expect "$scratch/$program"
done
if [[ -n $example ]]; then
    cc "${strict[@]}" "${cflags[@]}" -o "$scratch/pc_example" "$example" "${shared[@]}"
    c++ -std=c++17 "${cflags[@]}" -o "$scratch/pc_example_cxx" -x c++ "$example" -x none \
        "${shared[@]}"
    echo 'ok: an example through pkg-config, in C and in C++'
fi

# --- find_package -------------------------------------------------------------------------------
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$WEFT_BUILD/CMakeCache.txt")
cmake -G "$generator" -S "$WEFT_SOURCE/tests/install" -B "$scratch/cmake" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCONSUMER="$consumer" -DEXAMPLE="$example" \
    >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
cmake --build "$scratch/cmake" >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
for language in c cxx; do
    expect "$scratch/cmake/consumer_${language}_weft"
    expect "$scratch/cmake/consumer_${language}_weft_static"
done

# --- nothing is installed of what was not built -------------------------------------------------
cmake -G "$generator" -S "$WEFT_SOURCE" -B "$scratch/unbuilt" -DWEFT_BUILD_TESTS=OFF \
    >"$scratch/log" 2>&1 || fail "$(cat "$scratch/log")"
! cmake --install "$scratch/unbuilt" --prefix "$scratch/none" >"$scratch/log" 2>&1 ||
    fail 'what was not built was installed'
grep -q "not built: cmake --build" "$scratch/log" || fail "not the cure: $(cat "$scratch/log")"
[[ ! -e $scratch/none ]] || fail 'something was installed of what was not built'
echo 'ok: what was not built is not installed'

# --- ./dev install: what it says is what builds a program ----------------------------------------
# It shall install this build and not make another one while other tests run: cmake is a stand-in
# that does nothing else.
[[ $WEFT_BUILD == "$WEFT_SOURCE/build" ]] || exit 0
mkdir "$scratch/bin"
printf '#!/bin/sh\n[ "$1" != --install ] || exec %s "$@"\n' "$(command -v cmake)" \
    >"$scratch/bin/cmake"
chmod +x "$scratch/bin/cmake"
unset PKG_CONFIG_PATH
(cd "$scratch" && PATH=$scratch/bin:$PATH "$WEFT_SOURCE/dev" install here) >"$scratch/log" 2>&1 ||
    fail "$(cat "$scratch/log")"
cp "$consumer" "$scratch/program.c"
(cd "$scratch" && eval "$(sed -n '/To build a program/,$p' log | tail -n +2)")
readelf -d "$scratch/a.out" | grep -q 'libweft' || fail './dev install: not linked against weft'
"$scratch/a.out" >"$scratch/log" || fail './dev install: the program does not run'
echo 'ok: ./dev install, and the commands that it prints'

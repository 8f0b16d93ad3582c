// SPDX-License-Identifier: MIT
// What bench/measure.h is to the programs in C: two clocks, the process's memory, the JSON line.

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const (
	clockMonotonic = 1
	clockProcess   = 2 // the processor time of all threads
)

type span struct {
	wall, cpu float64 // nanoseconds
}

func clock(which uintptr) float64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, which, uintptr(unsafe.Pointer(&now)), 0)
	return float64(now.Nano())
}

func begin() span {
	return span{clock(clockMonotonic), clock(clockProcess)}
}

func since(s span) span {
	now := begin()
	return span{now.wall - s.wall, now.cpu - s.cpu}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// partOf is count, or a part of it when only a quick look is wanted.
func partOf(count int) int {
	if part := count / number("BENCH_DIVIDE", 1); part > 10 {
		return part
	}
	return 10
}

// memory is a line of /proc/self/status, in bytes.
func memory(what string) float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == what+":" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib * 1024
		}
	}
	return 0
}

type fact struct {
	name  string
	value float64
}

func report(row string, count int, s span, facts ...fact) {
	ops := float64(count)
	fmt.Printf("{\"row\": %q, \"who\": \"go\", \"count\": %d, \"ns_per_op\": %.2f, "+
		"\"cpu_ns_per_op\": %.2f, \"wall_ms\": %.3f, \"cpu_ms\": %.3f, \"peak_mb\": %.1f",
		row, count, s.wall/ops, s.cpu/ops, s.wall/1e6, s.cpu/1e6, memory("VmHWM")/1e6)
	for _, f := range facts {
		fmt.Printf(", %q: %.2f", f.name, f.value)
	}
	fmt.Println("}")
}

// repeat measures run(count), which does about count operations and returns how many: with as many
// as take half a second of the processor, after shorter runs that find that number and warm
// everything up.
func repeat(row string, run func(int) int) {
	enough := 5e8 / float64(number("BENCH_DIVIDE", 1))
	for count := 1000; ; {
		start := begin()
		done := run(count)
		s := since(start)
		if s.cpu >= 0.7*enough {
			report(row, done, s)
			return
		}
		factor := enough / (s.cpu + 1)
		if factor < 10 {
			factor *= 1.1
		} else {
			factor = 10
		}
		count = int(float64(count) * factor)
	}
}

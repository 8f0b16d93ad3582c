// SPDX-License-Identifier: MIT
// The rows in which many goroutines or timers are there at once.

package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	others = 100000
	spread = 500 * time.Millisecond
)

func timerCancel(row string) {
	timers := make([]*time.Timer, partOf(others))
	for i := range timers {
		timers[i] = time.NewTimer(time.Hour)
	}
	repeat(row, func(count int) int {
		for i := 0; i < count; i++ {
			time.NewTimer(10 * time.Second).Stop()
		}
		return count
	})
	runtime.KeepAlive(timers)
}

// sleepLong sleeps for an hour or until it is cancelled.
func sleepLong(asleep *sync.WaitGroup, cancelled <-chan struct{}, ended *sync.WaitGroup) {
	timer := time.NewTimer(time.Hour)
	asleep.Done()
	select {
	case <-timer.C:
	case <-cancelled:
		timer.Stop()
	}
	ended.Done()
}

func sleepCancel(row string) {
	var asleep, ended sync.WaitGroup
	count := partOf(others)
	asleep.Add(count)
	for i := 0; i < count; i++ {
		go sleepLong(&asleep, nil, &ended)
	}
	asleep.Wait()
	repeat(row, func(count int) int {
		for i := 0; i < count; i++ {
			var asleep, ended sync.WaitGroup
			cancelled := make(chan struct{})
			asleep.Add(1)
			ended.Add(1)
			go sleepLong(&asleep, cancelled, &ended)
			asleep.Wait()
			close(cancelled)
			ended.Wait()
		}
		return count
	})
}

func sleepAll(count int) (s span, startedIn time.Duration) {
	var all sync.WaitGroup
	var started int64
	all.Add(count)
	clock, start := time.Now(), begin()
	for i := 0; i < count; i++ {
		duration := spread + time.Duration(i*7919%count)*(spread/time.Duration(count))
		go func() {
			if atomic.AddInt64(&started, 1) == int64(count) {
				startedIn = time.Since(clock)
			}
			time.Sleep(duration)
			all.Done()
		}()
	}
	all.Wait()
	return since(start), startedIn
}

func sleepFired(row string) {
	count := partOf(others)
	first, _ := sleepAll(count)
	s, startedIn := sleepAll(count)
	atOnce := 0.0
	if startedIn < spread {
		atOnce = 1
	}
	report(row, count, s, fact{"first_cpu_ns", first.cpu / float64(count)},
		fact{"all_at_once", atOnce})
}

// crowd parks goroutines on a channel and sends them home; it tells the time until the last of them
// was there, and the memory then.
func crowd(count int) (s span, resident, reserved float64) {
	var parked, ended sync.WaitGroup
	bell := make(chan struct{})
	parked.Add(count)
	ended.Add(count)
	start := begin()
	for i := 0; i < count; i++ {
		go func() {
			parked.Done()
			<-bell
			ended.Done()
		}()
	}
	parked.Wait()
	s = since(start)
	resident, reserved = memory("VmRSS"), memory("VmSize")
	close(bell)
	ended.Wait()
	return s, resident, reserved
}

func parked(row string) {
	count := partOf(100000)
	crowd(10)
	before := memory("VmRSS")
	s, resident, _ := crowd(count)
	parked := resident - before
	givenBack := func() float64 { return 100 * (1 - (memory("VmRSS")-before)/parked) }
	time.Sleep(2 * time.Second)
	asIs := givenBack()
	debug.FreeOSMemory()
	report(row, count, s, fact{"bytes_per_task", parked / float64(count)},
		fact{"given_back_percent", asIs}, fact{"given_back_when_forced_percent", givenBack()})
}

func alive(row string) {
	count := partOf(1000000)
	s, resident, reserved := crowd(count)
	report(row, count, s, fact{"resident_mb", resident / 1e6}, fact{"virtual_mb", reserved / 1e6})
}

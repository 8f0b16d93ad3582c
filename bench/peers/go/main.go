// SPDX-License-Identifier: MIT
// The rows with Go: `rows ROW`. GOMAXPROCS in the environment says on how many cores.

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
)

const (
	batch    = 1000
	children = 10
)

func yieldAmong(tasks, count int) int {
	each := count/tasks + 1
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for i := 0; i < each; i++ {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	return each * tasks
}

func mutexAlone(count int) int {
	var mutex sync.Mutex
	for i := 0; i < count; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
	return count
}

// Held across a yield, so that the other one waits for it.
func mutexHanded(count int) int {
	const tasks = 2
	each := count/tasks + 1
	var mutex sync.Mutex
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for i := 0; i < each; i++ {
				mutex.Lock()
				runtime.Gosched()
				mutex.Unlock()
			}
			all.Done()
		}()
	}
	all.Wait()
	return each * tasks
}

// A channel: a WaitGroup for each was slower.
func spawnJoin(count int) int {
	done := make(chan struct{})
	for i := 0; i < count; i++ {
		go func() { done <- struct{}{} }()
		<-done
	}
	return count
}

func spawn1000(count int) int {
	var all sync.WaitGroup
	done := 0
	for ; done < count; done += batch {
		all.Add(batch)
		for i := 0; i < batch; i++ {
			go all.Done()
		}
		all.Wait()
	}
	return done
}

// grow tells its parent how many goroutines it was with those below it. Channels were slower here.
func grow(levels int, ret *int, all *sync.WaitGroup) {
	defer all.Done()
	*ret = 1
	if levels == 0 {
		return
	}
	var below [children]int
	var mine sync.WaitGroup
	mine.Add(children)
	for i := range below {
		go grow(levels-1, &below[i], &mine)
	}
	mine.Wait()
	for _, count := range below {
		*ret += count
	}
}

func treeOf(levels int) (count int) {
	var root sync.WaitGroup
	root.Add(1)
	go grow(levels, &count, &root)
	root.Wait()
	return count
}

func tree(row string) {
	treeOf(2)
	levels := 6
	if partOf(100) < 100 {
		levels = 3
	}
	start := begin()
	count := treeOf(levels)
	report(row, count, since(start))
}

func main() {
	row := ""
	if len(os.Args) > 1 {
		row = os.Args[1]
	}
	switch strings.TrimSuffix(row, "_2w") {
	case "yield_2":
		repeat(row, func(count int) int { return yieldAmong(2, count) })
	case "yield_1000":
		repeat(row, func(count int) int { return yieldAmong(1000, count) })
	case "mutex":
		repeat(row, mutexAlone)
	case "mutex_handed":
		repeat(row, mutexHanded)
	case "spawn_join":
		repeat(row, spawnJoin)
	case "spawn_1000":
		repeat(row, spawn1000)
	case "tree":
		tree(row)
	case "timer_cancel":
		timerCancel(row)
	case "sleep_cancel":
		sleepCancel(row)
	case "sleep_fired":
		sleepFired(row)
	case "parked":
		parked(row)
	case "alive":
		alive(row)
	default:
		fmt.Printf("{\"row\": %q, \"who\": \"go\", \"fails\": \"no such row\"}\n", row)
	}
}

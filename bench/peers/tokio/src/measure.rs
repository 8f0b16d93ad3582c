// SPDX-License-Identifier: MIT
// What bench/measure.h is to the programs in C: two clocks, the process's memory, the JSON line.

use std::env;
use std::fs;

#[derive(Clone, Copy)]
pub struct Span {
    pub wall_ns: f64,
    pub cpu_ns: f64, // of all threads of the process
}

fn clock(which: libc::clockid_t) -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the answer.
    unsafe { libc::clock_gettime(which, &mut now) };
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

impl Span {
    pub fn begin() -> Span {
        Span {
            wall_ns: clock(libc::CLOCK_MONOTONIC),
            cpu_ns: clock(libc::CLOCK_PROCESS_CPUTIME_ID),
        }
    }

    pub fn since(self) -> Span {
        let now = Span::begin();
        Span { wall_ns: now.wall_ns - self.wall_ns, cpu_ns: now.cpu_ns - self.cpu_ns }
    }
}

pub fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// `count`, or a part of it when only a quick look is wanted.
pub fn part_of(count: u64) -> u64 {
    (count / number("BENCH_DIVIDE", 1)).max(10)
}

/// A line of /proc/self/status, in bytes.
pub fn memory(what: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.split(':').next() == Some(what));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0.0);
    kib * 1024.0
}

pub fn print(row: &str, count: u64, span: Span, facts: &[(&str, f64)]) {
    let ops = count as f64;
    let mut line = format!(
        "{{\"row\": \"{row}\", \"who\": \"tokio\", \"count\": {count}, \"ns_per_op\": {:.2}, \
         \"cpu_ns_per_op\": {:.2}, \"wall_ms\": {:.3}, \"cpu_ms\": {:.3}, \"peak_mb\": {:.1}",
        span.wall_ns / ops,
        span.cpu_ns / ops,
        span.wall_ns / 1e6,
        span.cpu_ns / 1e6,
        memory("VmHWM") / 1e6
    );
    for (name, value) in facts {
        line += &format!(", \"{name}\": {value:.2}");
    }
    println!("{line}}}");
}

/// Measures `run(count)`, which does about `count` operations and returns how many: with as many as
/// take half a second of the processor, after shorter runs that find that number and warm
/// everything up.
pub fn repeat(run: impl Fn(u64) -> u64) -> (u64, Span) {
    let enough_ns = 5e8 / number("BENCH_DIVIDE", 1) as f64;
    let mut count = 1000;
    loop {
        let begin = Span::begin();
        let done = run(count);
        let span = begin.since();
        if span.cpu_ns >= 0.7 * enough_ns {
            return (done, span);
        }
        let factor = enough_ns / (span.cpu_ns + 1.0);
        count = (count as f64 * if factor < 10.0 { factor * 1.1 } else { 10.0 }) as u64;
    }
}

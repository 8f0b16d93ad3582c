// SPDX-License-Identifier: MIT
// The rows in which many tasks or timers are there at once.

use crate::measure::{self, Span};
use crate::World;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::{self, JoinHandle};
use tokio::time::{sleep, Sleep};

const OTHERS: u64 = 100_000;
const HOUR: Duration = Duration::from_secs(3600);
const SPREAD_NS: u64 = 500_000_000;

/// Sets a timer: it is set from its first poll on.
struct Set<'a>(Pin<&'a mut Sleep>);

impl Future for Set<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.0.as_mut().poll(cx);
        Poll::Ready(())
    }
}

pub fn timer_cancel(world: &World, row: &str) {
    let others = world.run(async {
        let mut others = Vec::new();
        for _ in 0..measure::part_of(OTHERS) {
            let mut timer = Box::pin(sleep(HOUR));
            Set(timer.as_mut()).await;
            others.push(timer);
        }
        others
    });
    let (count, span) = measure::repeat(|count| {
        world.run(async move {
            for _ in 0..count {
                let timer = sleep(Duration::from_secs(10)); // on the stack, as timeout() has it
                tokio::pin!(timer);
                Set(timer.as_mut()).await;
            }
            count
        })
    });
    measure::print(row, count, span, &[]);
    drop(others);
}

/// Spawns tasks and returns when the last of them has started.
async fn gather<F: Future<Output = ()> + Send + 'static>(
    count: u64,
    wait: impl Fn() -> F,
) -> Vec<JoinHandle<()>> {
    let started = Arc::new(AtomicU64::new(0));
    let mut all = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (started, wait) = (started.clone(), wait());
        all.push(tokio::spawn(async move {
            started.fetch_add(1, Relaxed);
            wait.await;
        }));
    }
    while started.load(Relaxed) < count {
        task::yield_now().await;
    }
    all
}

pub fn sleep_cancel(world: &World, row: &str) {
    let others = world.run(gather(measure::part_of(OTHERS), || sleep(HOUR)));
    let (count, span) = measure::repeat(|count| {
        world.run(async move {
            for _ in 0..count {
                for one in gather(1, || sleep(HOUR)).await {
                    one.abort();
                    assert!(one.await.unwrap_err().is_cancelled());
                }
            }
            count
        })
    });
    measure::print(row, count, span, &[]);
    drop(others);
}

pub fn sleep_fired(world: &World, row: &str) {
    let count = measure::part_of(OTHERS);
    let last = Arc::new(Mutex::new(Instant::now()));
    let sleep_all = || {
        let (last, started) = (last.clone(), Arc::new(AtomicU64::new(0)));
        let begin = Span::begin();
        world.run(async move {
            let mut all = Vec::with_capacity(count as usize);
            for i in 0..count {
                let (last, started) = (last.clone(), started.clone());
                let ns = SPREAD_NS + i * 7919 % count * (SPREAD_NS / count);
                all.push(tokio::spawn(async move {
                    if started.fetch_add(1, Relaxed) + 1 == count {
                        *last.lock().expect("no panic") = Instant::now();
                    }
                    sleep(Duration::from_nanos(ns)).await;
                }));
            }
            for one in all {
                one.await.expect("no panic");
            }
        });
        begin.since()
    };
    let first = sleep_all();
    let begin = Instant::now();
    let span = sleep_all();
    let started_in = *last.lock().expect("no panic") - begin;
    let facts = [
        ("first_cpu_ns", first.cpu_ns / count as f64),
        ("all_at_once", (started_in.as_nanos() < SPREAD_NS.into()) as u64 as f64),
    ];
    measure::print(row, count, span, &facts);
}

/// What a crowd of parked tasks took.
struct Crowd {
    span: Span,
    resident: f64,
    reserved: f64,
}

async fn crowd(count: u64) -> Crowd {
    let bell = Arc::new(Notify::new());
    let begin = Span::begin();
    let all = gather(count, || {
        let bell = bell.clone();
        async move { bell.notified().await }
    })
    .await;
    let crowd = Crowd {
        span: begin.since(),
        resident: measure::memory("VmRSS"),
        reserved: measure::memory("VmSize"),
    };
    bell.notify_waiters();
    for one in all {
        one.await.expect("no panic");
    }
    crowd
}

pub fn parked(world: &World, row: &str) {
    let count = measure::part_of(100_000);
    world.run(crowd(10));
    let before = measure::memory("VmRSS");
    let crowd = world.run(crowd(count));
    thread::sleep(Duration::from_secs(2));
    let (parked, kept) = (crowd.resident - before, measure::memory("VmRSS") - before);
    let facts = [
        ("bytes_per_task", parked / count as f64),
        ("given_back_percent", 100.0 * (1.0 - kept / parked)),
    ];
    measure::print(row, count, crowd.span, &facts);
}

pub fn alive(world: &World, row: &str) {
    let count = measure::part_of(1_000_000);
    let crowd = world.run(crowd(count));
    let facts = [("resident_mb", crowd.resident / 1e6), ("virtual_mb", crowd.reserved / 1e6)];
    measure::print(row, count, crowd.span, &facts);
}

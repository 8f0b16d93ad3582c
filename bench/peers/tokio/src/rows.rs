// SPDX-License-Identifier: MIT
// Yields, spawns and the tree.

use crate::measure::{self, Span};
use crate::World;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::{self, JoinHandle};

const BATCH: u64 = 1000;
const CHILDREN: usize = 10;

pub async fn yield_among(tasks: u64, count: u64) -> u64 {
    let each = count / tasks + 1;
    let all: Vec<JoinHandle<()>> = (0..tasks)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..each {
                    task::yield_now().await;
                }
            })
        })
        .collect();
    for one in all {
        one.await.expect("no panic");
    }
    each * tasks
}

pub async fn mutex(count: u64) -> u64 {
    let mutex = Mutex::new(());
    for _ in 0..count {
        drop(mutex.lock().await);
    }
    count
}

// Held across a yield, so that the other one waits for it.
pub async fn mutex_handed(count: u64) -> u64 {
    let each = count / 2 + 1;
    let mutex = Arc::new(Mutex::new(()));
    let all: Vec<JoinHandle<()>> = (0..2)
        .map(|_| {
            let mutex = mutex.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    let _held = mutex.lock().await;
                    task::yield_now().await;
                }
            })
        })
        .collect();
    for one in all {
        one.await.expect("no panic");
    }
    each * 2
}

pub async fn spawn_join(count: u64) -> u64 {
    for _ in 0..count {
        tokio::spawn(async {}).await.expect("no panic");
    }
    count
}

// A vector of handles: a JoinSet was slower here in every run.
pub async fn spawn_1000(count: u64) -> u64 {
    let mut all = Vec::with_capacity(BATCH as usize);
    let mut done = 0;
    while done < count {
        for _ in 0..BATCH {
            all.push(tokio::spawn(async {}));
        }
        for one in all.drain(..) {
            one.await.expect("no panic");
        }
        done += BATCH;
    }
    done
}

// Each task tells its parent how many it was with those below it. A recursive future must be boxed;
// the leaves, nine of ten tasks, are spared that.
fn grow(levels: u32) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        let mut children: [Option<JoinHandle<u64>>; CHILDREN] = Default::default();
        for child in &mut children {
            *child = Some(match levels {
                1 => tokio::spawn(async { 1 }),
                _ => tokio::spawn(grow(levels - 1)),
            });
        }
        let mut count = 1;
        for child in children.into_iter().flatten() {
            count += child.await.expect("no panic");
        }
        count
    })
}

pub fn tree(world: &World, row: &str) {
    world.run(grow(2));
    let levels = if measure::part_of(100) < 100 { 3 } else { 6 };
    let begin = Span::begin();
    let count = world.run(grow(levels));
    measure::print(row, count, begin.since(), &[]);
}

// SPDX-License-Identifier: MIT
// The rows with tokio: `tokio-rows ROW current|multi|current-io|multi-io`. All of a row's work runs
// in a spawned task, so that with the multi-thread runtime it is done by a worker and not handed
// over by the thread in block_on. BENCH_WORKERS says how many workers that runtime has. With -io
// its I/O driver is enabled, as in any program with a network (enable_all); without, waiting is
// cheaper, and only timers work.

mod crowd;
mod measure;
mod rows;

use std::env;
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

fn runtime(flavour: &str) -> Runtime {
    let mut builder = if flavour.starts_with("multi") {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(measure::number("BENCH_WORKERS", 1) as usize);
        builder
    } else {
        Builder::new_current_thread()
    };
    if flavour.ends_with("-io") {
        builder.enable_io();
    }
    builder.enable_time().build().expect("a runtime")
}

/// A runtime, and how a row's work is put into it.
pub struct World(Runtime);

impl World {
    pub fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.0.block_on(async { tokio::spawn(work).await.expect("no panic") })
    }

    /// A row that repeats an operation: `work(count)` as in measure::repeat.
    fn repeat<F: Future<Output = u64> + Send + 'static>(&self, row: &str, work: fn(u64) -> F) {
        let (count, span) = measure::repeat(|count| self.run(work(count)));
        measure::print(row, count, span, &[]);
    }
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let row = arguments.get(1).map_or("", |text| text.as_str());
    let world = World(runtime(arguments.get(2).map_or("current", |text| text.as_str())));
    match row.trim_end_matches("_2w") {
        "yield_2" => world.repeat(row, |count| rows::yield_among(2, count)),
        "yield_1000" => world.repeat(row, |count| rows::yield_among(1000, count)),
        "mutex" => world.repeat(row, rows::mutex),
        "mutex_handed" => world.repeat(row, rows::mutex_handed),
        "spawn_join" => world.repeat(row, rows::spawn_join),
        "spawn_1000" => world.repeat(row, rows::spawn_1000),
        "tree" => rows::tree(&world, row),
        "timer_cancel" => crowd::timer_cancel(&world, row),
        "sleep_cancel" => crowd::sleep_cancel(&world, row),
        "sleep_fired" => crowd::sleep_fired(&world, row),
        "parked" => crowd::parked(&world, row),
        "alive" => crowd::alive(&world, row),
        _ => println!("{{\"row\": \"{row}\", \"who\": \"tokio\", \"fails\": \"no such row\"}}"),
    }
}

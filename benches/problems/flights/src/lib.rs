//! End to end: many programs of a virtual machine in flight at once, on an executor that does not block for them.
//!
//! A user without raddle pairs a virtual machine with an asynchronous runtime, or with a pool of threads, by hand;
//! that is what the peers here are.

#![forbid(unsafe_code)]

use bench_harness::{Answer, Axis, Case, Metric, Request, heap_bytes, rounds};
use std::time::Instant;

/// The argument of each item of a batch: some ten thousand instructions.
pub const FIB: i32 = 15;
/// Its result.
pub const FIB_RESULT: u64 = 610;

/// The cases.
pub const CASES: &[Case] = &[
    Case {
        name: "flights/waiting",
        what: "programs that are started, wait for an event of their own, are woken when all wait, and end",
        metrics: &[
            Metric::less("time", "us per program", &[]),
            Metric::less("heap", "B per program that waits", &[]),
        ],
        axis: Axis {
            name: "programs in flight",
            usual: 10_000,
            growth: &[1, 10, 100, 1_000, 10_000, 100_000],
        },
        workers: &[1, 2],
        samples: 5,
    },
    Case {
        name: "flights/batch",
        what: "calls of fib(15), one for each item, on all workers",
        metrics: &[Metric::less("time", "us per item", &[])],
        axis: Axis { name: "items", usual: 1_000, growth: &[1, 10, 100, 1_000, 10_000] },
        workers: &[1, 2],
        samples: 9,
    },
];

/// Programs that wait. Calling it wakes all of them, and returns the sum of their results when all have ended.
pub type Waiting<'a> = Box<dyn FnOnce() -> u64 + 'a>;

/// What a peer can do; `None` where it has nothing for it.
pub trait Flights {
    /// Starts so many programs, of which each returns its index; returns when all of them wait.
    fn waiting(&self, _programs: usize) -> Option<Waiting<'_>> {
        None
    }
    /// Calls fib([`FIB`]) once for each of so many items, on all workers; returns the sum of the results.
    fn batch(&self, _items: usize) -> Option<Box<dyn FnMut() -> u64 + '_>> {
        None
    }
}

/// Measures the case that is asked for.
pub fn answer(request: &Request, peer: &impl Flights) -> Answer {
    let answer = match request.parts().1 {
        "waiting" => waiting(request, peer),
        "batch" => batch(request, peer),
        other => Some(Answer::absent(format!("no case `{other}`"))),
    };
    answer.unwrap_or_else(|| Answer::absent("it has nothing for this"))
}

fn waiting(request: &Request, peer: &impl Flights) -> Option<Answer> {
    let count = request.size as u64;
    let sum = count * (count - 1) / 2;
    // The first round counts the memory: what it leaves in pools is used again by the others.
    let heap = heap_bytes();
    let wake = peer.waiting(request.size)?;
    let bytes = (heap_bytes() - heap) as f64 / count as f64;
    assert_eq!(wake(), sum, "the results");
    let mut times = Vec::new();
    for _ in 0..request.samples {
        let start = Instant::now();
        let wake = peer.waiting(request.size)?;
        let sum_of_results = wake();
        times.push(start.elapsed().as_nanos() as f64 / 1e3 / count as f64);
        assert_eq!(sum_of_results, sum, "the results");
    }
    Some(Answer::one("time", times).and("heap", vec![bytes]))
}

fn batch(request: &Request, peer: &impl Flights) -> Option<Answer> {
    let mut run = peer.batch(request.size)?;
    let expected = request.size as u64 * FIB_RESULT;
    Some(Answer::one(
        "time",
        rounds(request.samples, request.size as f64 * 1e3, || {
            assert_eq!(run(), expected, "the results");
        }),
    ))
}

//! How things are timed: rounds, rates, wake-ups, lateness.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

/// Length of one sample of a rate.
const WINDOW: Duration = Duration::from_millis(60);
/// Before a rate is sampled, so that what ramps up has done so.
const RAMP: Duration = Duration::from_millis(150);
/// Wake-ups that are not counted.
const WARM_UPS: usize = 20;

/// Times `round` so many times after one that is not counted; nanoseconds divided by `units`.
pub fn rounds(samples: usize, units: f64, mut round: impl FnMut()) -> Vec<f64> {
    round();
    let once = || {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / units
    };
    std::iter::repeat_with(once).take(samples).collect()
}

/// Times `round` with a pause before each, so that whoever it needs is asleep. Microseconds.
pub fn spaced(samples: usize, mut round: impl FnMut()) -> Vec<f64> {
    let once = || {
        std::thread::sleep(Duration::from_millis(1));
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / 1e3
    };
    std::iter::repeat_with(once).skip(WARM_UPS).take(samples).collect()
}

/// When the last continuation ran.
#[derive(Debug, Default)]
pub struct Stamp {
    base: OnceLock<Instant>,
    at_ns: AtomicU64,
    is_done: AtomicBool,
}

impl Stamp {
    /// A stamp that lives as long as the process.
    pub fn forever() -> &'static Stamp {
        Box::leak(Box::default())
    }

    fn now(&self) -> u64 {
        self.base.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    /// What a continuation does.
    pub fn resumed(&self) {
        self.at_ns.store(self.now(), Relaxed);
        self.is_done.store(true, Release);
    }

    /// From before `signal` to the continuation, with a pause before each, so that everybody sleeps. Microseconds.
    ///
    /// The signaller sleeps while it waits: a processor that it spun on would be one that the woken thread can't have.
    pub fn wakes(&self, samples: usize, mut signal: impl FnMut()) -> Vec<f64> {
        let once = || {
            std::thread::sleep(Duration::from_millis(1));
            self.is_done.store(false, Relaxed);
            let start = self.now();
            signal();
            let begin = Instant::now();
            while !self.is_done.load(Acquire) {
                assert!(begin.elapsed() < Duration::from_secs(20), "a wake-up was lost");
                std::thread::sleep(Duration::from_micros(100));
            }
            (self.at_ns.load(Relaxed) - start) as f64 / 1e3
        };
        std::iter::repeat_with(once).skip(WARM_UPS).take(samples).collect()
    }
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

/// One counter for each program that wakes another, on cache lines of their own.
#[derive(Clone, Debug)]
pub struct Counts(Arc<[Padded]>);

impl Counts {
    /// So many counters.
    pub fn new(count: usize) -> Counts {
        Counts((0..count).map(|_| Padded::default()).collect())
    }

    /// Counts one resume of this program. Only it may.
    pub fn hit(&self, index: usize) {
        let count = &self.0[index].0;
        count.store(count.load(Relaxed) + 1, Relaxed);
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        self.0.iter().map(|count| count.0.load(Relaxed)).sum()
    }

    /// Whether every counter has moved.
    fn all_moved(&self) -> bool {
        self.0.iter().all(|count| count.0.load(Relaxed) > 0)
    }
}

/// Samples of how many million resumes a second programs come to that run by themselves.
pub fn rate(samples: usize, counts: &Counts) -> Vec<f64> {
    std::thread::sleep(RAMP);
    let rates = std::iter::repeat_with(|| {
        let (before, start) = (counts.sum(), Instant::now());
        std::thread::sleep(WINDOW);
        (counts.sum() - before) as f64 / start.elapsed().as_secs_f64() / 1e6
    })
    .take(samples)
    .collect();
    assert!(counts.all_moved(), "some programs were never resumed");
    rates
}

/// How late each of many deadlines was. What a continuation does touches no line that all of them write: the threads of a
/// peer would wait for each other there.
#[derive(Clone, Debug)]
pub struct Late(Arc<Fired>);

#[derive(Debug)]
struct Fired {
    /// [`NOT_FIRED`] until it has.
    late_us: Vec<AtomicU32>,
    /// Up to which all of them have, as far as was looked.
    count: AtomicUsize,
}

const NOT_FIRED: u32 = u32::MAX;

impl Late {
    /// For so many deadlines.
    pub fn new(count: usize) -> Late {
        let late_us = (0..count).map(|_| AtomicU32::new(NOT_FIRED)).collect();
        Late(Arc::new(Fired { late_us, count: AtomicUsize::new(0) }))
    }

    /// What the continuation of a deadline does.
    pub fn fired(&self, index: usize, deadline: Instant) {
        self.0.late_us[index].store(deadline.elapsed().as_micros() as u32, Release);
    }

    /// How many have fired, from the first on without a gap: all of them, once they have.
    pub fn count(&self) -> usize {
        let known = self.0.count.load(Relaxed);
        let fired = self.0.late_us[known..].iter().take_while(|late| late.load(Acquire) != NOT_FIRED).count();
        self.0.count.store(known + fired, Relaxed);
        known + fired
    }

    /// All of them, least first. Microseconds.
    pub fn sorted(&self) -> Vec<u32> {
        let mut late: Vec<u32> = self.0.late_us.iter().map(|late| late.load(Relaxed)).collect();
        late.sort_unstable();
        late
    }
}

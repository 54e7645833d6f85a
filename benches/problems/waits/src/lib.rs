//! Waiting: how fast a wait is over, how many are in a second, how many bytes and how much time a pending one takes.
//!
//! A continuation runs where the peer runs programs: on a worker, or on the one thread that a bare poller has. A
//! case with `others` has so many waits of the same kind outstanding that are never over.

#![forbid(unsafe_code)]

use bench_harness::{Aim, Answer, Axis, Case, Counts, Goal, Late, Metric, Request, Stamp};
use bench_harness::{cpu_s, heap_bytes, kick, rate, resident_bytes, take_heap_peak};
use std::any::Any;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pairs of programs that wake each other.
pub const PAIRS: usize = 32;

const DRAINED: &str = "raddle, drained";
const ONE_SHOT: &str = "raddle, one-shot";
const OURS: &str = "raddle";
const MEGA: f64 = 1e6;

/// The cases.
pub const CASES: &[Case] = &[
    Case {
        name: "waits/descriptor",
        what: "an eventfd is written by a thread outside, and a continuation runs; everybody sleeps before",
        metrics: &[
            Metric::less(
                "time",
                "us",
                &[
                    Aim::at_two(ONE_SHOT, Goal::Times(1.0, "mio")),
                    Aim::at_two(DRAINED, Goal::Times(1.0, "mio")),
                ],
            ),
            Metric::less(
                "p10",
                "us",
                &[
                    Aim::at_two(ONE_SHOT, Goal::Times(1.2, "mio")),
                    Aim::at_two(DRAINED, Goal::Times(1.2, "mio")),
                ],
            ),
        ],
        axis: Axis { name: "other descriptors", usual: 0, growth: &[0, 100, 1_000, 10_000, 19_000] },
        workers: &[1, 2],
        samples: 150,
    },
    Case {
        name: "waits/descriptor-pairs",
        what: "32 pairs of programs that wake each other by eventfds",
        metrics: &[Metric::more(
            "rate",
            "M resumes/s",
            &[Aim::at_two(DRAINED, Goal::Times(0.85, "mio")), Aim::at_two(ONE_SHOT, Goal::Times(0.6, "mio"))],
        )],
        axis: Axis { name: "other descriptors", usual: 0, growth: &[0, 1_000, 10_000, 19_000] },
        workers: &[1, 2],
        samples: 6,
    },
    Case {
        name: "waits/pairs",
        what: "32 pairs of programs that wake each other within the process",
        metrics: &[Metric::more("rate", "M resumes/s", &[Aim::at_two(OURS, Goal::Times(2.0, "tokio"))])],
        axis: Axis { name: "other waits", usual: 0, growth: &[0, 1_000, 10_000, 100_000, 1_000_000] },
        workers: &[1, 2],
        samples: 6,
    },
    Case {
        name: "waits/pending",
        what: "programs that each wait for an event of their own within the process",
        metrics: &[
            Metric::less("heap", "B per wait", &[Aim::at_two(OURS, Goal::Figure(200.0))]),
            Metric::less("resident", "B per wait", &[]),
            Metric::less("time", "ns per wait begun", &[]),
        ],
        axis: Axis { name: "waits", usual: 100_000, growth: &[1_000, 10_000, 100_000, 1_000_000] },
        workers: &[2],
        samples: 1,
    },
    Case {
        name: "waits/timers",
        what: "programs that each wait for a moment, in no order, all within one second",
        metrics: &[
            Metric::less("cpu", "CPU s", &[Aim::at_two(OURS, Goal::Figure(1.0))]),
            Metric::less("heap", "MB at most", &[Aim::at_two(OURS, Goal::Figure(128.0))]),
            Metric::less("late", "us, median", &[Aim::at_two(OURS, Goal::Figure(1_000.0))]),
            Metric::less("late 99 %", "us", &[]),
        ],
        axis: Axis { name: "timers", usual: 1_000_000, growth: &[1_000, 10_000, 100_000, 1_000_000] },
        workers: &[2],
        samples: 1,
    },
];

/// What keeps programs alive.
pub type Keep = Box<dyn Any>;

/// What a peer can do; `None` where it has nothing for it. What is started goes on until the process ends.
pub trait Waits {
    /// A program that waits for an eventfd, takes its signal, calls [`Stamp::resumed`], and so on for ever, with so many
    /// others that wait for theirs. Returns the eventfd.
    fn descriptor(&self, _others: usize, _stamp: &'static Stamp) -> Option<(Arc<OwnedFd>, Keep)> {
        None
    }
    /// [`PAIRS`] pairs of programs that wake each other by eventfds for ever, each resume a hit of its own counter.
    fn descriptor_pairs(&self, _others: usize, _counts: &Counts) -> Option<Keep> {
        None
    }
    /// The same with what the peer has within the process.
    fn pairs(&self, _others: usize, _counts: &Counts) -> Option<Keep> {
        None
    }
    /// Programs that wait; returns when all of them do.
    fn pending(&self, _waits: usize) -> Option<Keep> {
        None
    }
    /// A program for each of these moments, which tells `late` when it has come. Returns when all of them wait or
    /// are about to.
    fn timers(&self, _moments: &[Instant], _late: &Late) -> Option<Keep> {
        None
    }
}

/// Measures the case that is asked for.
pub fn answer(request: &Request, peer: &impl Waits) -> Answer {
    measure(request, peer).unwrap_or_else(|| Answer::absent("it has nothing for this"))
}

fn measure(request: &Request, peer: &impl Waits) -> Option<Answer> {
    let counts = Counts::new(2 * PAIRS);
    match request.parts().1 {
        "descriptor" => descriptor(request, peer),
        "descriptor-pairs" => {
            let _keep = peer.descriptor_pairs(request.size, &counts)?;
            Some(Answer::one("rate", rate(request.samples, &counts)))
        }
        "pairs" => {
            let _keep = peer.pairs(request.size, &counts)?;
            Some(Answer::one("rate", rate(request.samples, &counts)))
        }
        "pending" => pending(request, peer),
        "timers" => timers(request, peer),
        other => Some(Answer::absent(format!("no case `{other}`"))),
    }
}

fn descriptor(request: &Request, peer: &impl Waits) -> Option<Answer> {
    let stamp = Stamp::forever();
    let (fd, _keep) = peer.descriptor(request.size, stamp)?;
    let mut samples = stamp.wakes(request.samples, || kick(fd.as_fd()));
    samples.sort_by(f64::total_cmp);
    let tenth = samples[samples.len() / 10];
    Some(Answer::one("time", samples).and("p10", vec![tenth]))
}

/// Few waits first, so that what a peer sets up once is not counted.
fn pending(request: &Request, peer: &impl Waits) -> Option<Answer> {
    let _few = peer.pending(100)?;
    let (heap, resident, start) = (heap_bytes(), resident_bytes(), Instant::now());
    let _keep = peer.pending(request.size)?;
    let took = start.elapsed().as_nanos() as f64;
    let each = |bytes: f64| vec![bytes / request.size as f64];
    let answer = Answer::one("heap", each((heap_bytes() - heap) as f64));
    Some(answer.and("resident", each(resident_bytes() - resident)).and("time", each(took)))
}

fn timers(request: &Request, peer: &impl Waits) -> Option<Answer> {
    let late = Late::new(request.size);
    let (heap, cpu) = (heap_bytes(), cpu_s());
    take_heap_peak();
    // Time for a million to be armed, at 3 us each.
    let first = Instant::now() + Duration::from_micros(300_000 + 3 * request.size as u64);
    let step = 1_000_000_000 / request.size as u64;
    // Knuth's multiplicative hash: no order. Not every moment comes once, which nobody can make use of.
    let shuffled = |index: u64| index.wrapping_mul(2_654_435_761) % request.size as u64;
    let moments: Vec<Instant> =
        (0..request.size as u64).map(|index| first + Duration::from_nanos(shuffled(index) * step)).collect();
    let of_ours = (size_of::<Instant>() * moments.len()) as f64;
    let _keep = peer.timers(&moments, &late)?;
    let is_early = Instant::now() < first;
    while late.count() < request.size {
        assert!(first.elapsed() < Duration::from_secs(60), "{} of {} fired", late.count(), request.size);
        std::thread::sleep(Duration::from_millis(5));
    }
    let cpu = cpu_s() - cpu;
    let heap = take_heap_peak() as f64 - heap as f64 - of_ours;
    let sorted = late.sorted();
    let at = |part: usize| vec![f64::from(sorted[(sorted.len() - 1) * part / 100])];
    if !is_early {
        eprintln!("arming took longer than it had: lateness is that of a peer under load");
    }
    let answer = Answer::one("cpu", vec![cpu]).and("heap", vec![heap / MEGA]);
    Some(answer.and("late", at(50)).and("late 99 %", at(99)))
}

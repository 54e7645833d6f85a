//! Graphs of tasks that do nothing: what an executor costs.
//!
//! Every peer does each case in its own idiom, and each task runs a body that the optimiser can't drop. Before
//! anything is timed, the same work runs once with a body that counts, and the count must be right.
//!
//! What can be reused from one round to the next (a pool, a graph where the peer has one) is; building it is not timed.

#![forbid(unsafe_code)]

use bench_harness::{Aim, Answer, Axis, Case, Goal, Metric, Request, rounds, spaced};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Rounds with a join between.
pub const ROUNDS: usize = 1_000;
/// Tasks of a round, tiles of a dispatch.
pub const WIDTH: usize = 64;

const LENDS: &str = "raddle, caller lends";
const OURS: &str = "raddle";
const PER_TASK: &str = "ns per task";

/// The cases. Aims are figures, as `Times` of the best peer would change its meaning with who is installed; the
/// report gives the ratio to the best peer beside them.
pub const CASES: &[Case] = &[
    Case {
        name: "graphs/chain",
        what: "tasks each of which comes after the one before",
        metrics: &[Metric::less("time", PER_TASK, &[Aim::at_two(OURS, Goal::Figure(8.0))])],
        axis: Axis {
            name: "tasks",
            usual: 100_000,
            growth: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        },
        workers: &[1, 2],
        samples: 9,
    },
    Case {
        name: "graphs/fan",
        what: "tasks that may all run at once, and one that comes after all of them",
        metrics: &[Metric::less("time", PER_TASK, &[Aim::at_two(OURS, Goal::Figure(4.0))])],
        axis: Axis {
            name: "tasks",
            usual: 100_000,
            growth: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        },
        workers: &[1, 2],
        samples: 9,
    },
    Case {
        name: "graphs/rounds",
        what: "1,000 rounds of tasks that may run at once, with a join between rounds",
        metrics: &[Metric::less("time", "us per round", &[Aim::at_two(OURS, Goal::Figure(0.25))])],
        axis: Axis { name: "tasks in a round", usual: WIDTH, growth: &[1, 8, 64, 512] },
        workers: &[1, 2],
        samples: 9,
    },
    Case {
        name: "graphs/wavefront",
        what: "a square of tasks, each after its left and its upper neighbour",
        metrics: &[Metric::less("time", PER_TASK, &[Aim::at_two(OURS, Goal::Figure(22.0))])],
        axis: Axis { name: "tasks along a side", usual: 256, growth: &[16, 64, 256, 1_024] },
        workers: &[1, 2],
        samples: 9,
    },
    Case {
        name: "graphs/outside",
        what: "one task handed in by a thread outside, which waits until it has run; everybody sleeps before",
        metrics: &[Metric::less(
            "time",
            "us",
            &[
                Aim::at_two(LENDS, Goal::Figure(2.0)),
                Aim::at_two(OURS, Goal::TimesPlus(1.0, "floor, two unparks", 2.0)),
            ],
        )],
        axis: Axis { name: "tasks", usual: 1, growth: &[] },
        workers: &[1, 2],
        samples: 150,
    },
    Case {
        name: "graphs/dispatch",
        what: "1,000 grids of empty tiles, each after the one before",
        metrics: &[Metric::less("time", "us per dispatch", &[Aim::at_two(OURS, Goal::Figure(0.2))])],
        axis: Axis { name: "tiles", usual: WIDTH, growth: &[1, 8, 64, 512, 4_096] },
        workers: &[1, 2],
        samples: 9,
    },
];

/// What a task does.
pub trait Body: Copy + Send + Sync + 'static {
    /// Runs the task of this index.
    fn run(index: usize);
}

/// Nothing that the optimiser could drop.
#[derive(Clone, Copy, Debug)]
pub struct Empty;

impl Body for Empty {
    #[inline(always)]
    fn run(index: usize) {
        black_box(index);
    }
}

/// Counts, to see that the work is done.
#[derive(Clone, Copy, Debug)]
pub struct Counted;

static RUN: AtomicU64 = AtomicU64::new(0);

impl Body for Counted {
    fn run(index: usize) {
        black_box(index);
        RUN.fetch_add(1, Relaxed);
    }
}

/// One round, which can be run many times.
pub type Round<'a> = Box<dyn FnMut() + 'a>;

/// What a peer can do; `None` where it has nothing for it. A round returns when all its tasks have run.
pub trait Graphs {
    /// So many tasks in a row.
    fn chain<B: Body>(&self, _tasks: usize) -> Option<Round<'_>> {
        None
    }
    /// So many tasks at once, then a join.
    fn fan<B: Body>(&self, _tasks: usize) -> Option<Round<'_>> {
        None
    }
    /// [`ROUNDS`] times so many tasks, with a join between.
    fn rounds<B: Body>(&self, _width: usize) -> Option<Round<'_>> {
        None
    }
    /// A square of tasks.
    fn wavefront<B: Body>(&self, _side: usize) -> Option<Round<'_>> {
        None
    }
    /// One task from a thread outside, joined.
    fn outside<B: Body>(&self) -> Option<Round<'_>> {
        None
    }
    /// [`ROUNDS`] grids of so many tiles, one after the other.
    fn dispatch<B: Body>(&self, _tiles: usize) -> Option<Round<'_>> {
        None
    }
}

/// Measures the case that is asked for.
pub fn answer(request: &Request, peer: &impl Graphs) -> Answer {
    let size = request.size;
    let by_round = ROUNDS as f64 * 1e3;
    // What counts is gone before what is timed is built: graphs can be large.
    macro_rules! timed {
        ($tasks:expr, $units:expr, $case:ident($($size:expr)?)) => {
            match checked($tasks, peer.$case::<Counted>($($size)?)).then(|| peer.$case::<Empty>($($size)?)).flatten() {
                Some(round) => time(request, $units, round),
                None => Answer::absent("it has no idiom of its own for this"),
            }
        };
    }
    match request.parts().1 {
        "chain" => timed!(size, size as f64, chain(size)),
        "fan" => timed!(size, size as f64, fan(size)),
        "rounds" => timed!(ROUNDS * size, by_round, rounds(size)),
        "wavefront" => timed!(size * size, (size * size) as f64, wavefront(size)),
        "dispatch" => timed!(ROUNDS * size, by_round, dispatch(size)),
        "outside" => timed!(1, 1.0, outside()),
        other => Answer::absent(format!("no case `{other}`")),
    }
}

fn time(request: &Request, units: f64, round: Round<'_>) -> Answer {
    match request.parts().1 {
        "outside" => Answer::one("time", spaced(request.samples, round)),
        _ => Answer::one("time", rounds(request.samples, units, round)),
    }
}

/// Runs the round that counts twice: a graph that can be run once only is no graph that can be reused.
fn checked(tasks: usize, round: Option<Round<'_>>) -> bool {
    let Some(mut round) = round else { return false };
    for _ in 0..2 {
        RUN.store(0, Relaxed);
        round();
        assert_eq!(RUN.load(Relaxed), tasks as u64, "tasks that ran, of those that were asked for");
    }
    true
}

/// The counters with which a peer without a graph makes a wavefront by hand: how many neighbours are still to come.
#[derive(Debug)]
pub struct Square {
    side: usize,
    left: Box<[std::sync::atomic::AtomicU8]>,
}

impl Square {
    /// A square of this side, ready to be run.
    pub fn new(side: usize) -> Square {
        let square = Square { side, left: (0..side * side).map(|_| Default::default()).collect() };
        square.reset();
        square
    }

    /// Makes it ready for another run. Part of a round: a graph resets itself, too.
    pub fn reset(&self) {
        for (at, left) in self.left.iter().enumerate() {
            left.store(u8::from(at >= self.side) + u8::from(!at.is_multiple_of(self.side)), Relaxed);
        }
    }

    /// The neighbours that the end of the task at `at` makes ready: below, to the right.
    #[inline]
    pub fn next(&self, at: usize) -> [Option<usize>; 2] {
        use std::sync::atomic::Ordering::AcqRel;
        let ready = |at: usize| (self.left[at].fetch_sub(1, AcqRel) == 1).then_some(at);
        let below = (at + self.side < self.left.len()).then_some(at + self.side);
        let right = (!(at + 1).is_multiple_of(self.side)).then_some(at + 1);
        [below.and_then(ready), right.and_then(ready)]
    }

    /// Whether this task is the last of all.
    pub fn is_last(&self, at: usize) -> bool {
        at + 1 == self.left.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_makes_each_task_ready_once() {
        let square = Square::new(7);
        for _ in 0..2 {
            square.reset();
            let (mut ready, mut seen) = (vec![0], vec![]);
            while let Some(at) = ready.pop() {
                seen.push(at);
                ready.extend(square.next(at).into_iter().flatten());
            }
            assert_eq!(seen.last(), Some(&48));
            seen.sort_unstable();
            assert_eq!(seen, (0..49).collect::<Vec<_>>());
        }
    }
}

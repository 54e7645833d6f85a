//! Programs that iree-compile has compiled, with the processor as their device: what a call costs beyond its kernels.
//!
//! Both sides run the same bytes. Inputs are filled with one number each, so that both can be given them on a command line
//! or in a line of code, and the first number of the result is known.

#![forbid(unsafe_code)]

mod start;

pub use start::Start;

use bench_harness::{Aim, Answer, Axis, Case, Goal, Metric, Request, rounds};

const WAITED: &str = "raddle";
const TURNED: &str = "raddle, turned";
const CALLBACK: &str = "raddle, callback";
const SYNC: &str = "IREE, local-sync";
const TASK: &str = "IREE, local-task";
const TWO: &str = "IREE, two processes";
const HAND_OFF: &str = "floor, two unparks";

/// What a second worker may lose against a second process. Unit: ratio of times.
const SCALED: f64 = 1.0 / 0.95;

/// A compiled program and its inputs.
#[derive(Debug)]
pub struct Program {
    /// The name of its case.
    pub name: &'static str,
    /// The function that is called.
    pub function: &'static str,
    /// Its inputs: shape, and the number that each element is.
    pub inputs: &'static [(&'static [u64], f32)],
    /// The first number of the result, as stock IREE prints it.
    pub first: f32,
    /// Compiled to be called and waited for.
    pub sync: &'static [u8],
    /// Compiled for fences.
    pub coarse: &'static [u8],
}

macro_rules! program {
    ($name:literal, $folder:literal, $function:literal, $first:literal, $inputs:expr) => {
        Program {
            name: concat!("programs/", $name),
            function: $function,
            inputs: &$inputs,
            first: $first,
            sync: include_bytes!(concat!($folder, $name, ".sync.vmfb")),
            coarse: include_bytes!(concat!($folder, $name, ".async.vmfb")),
        }
    };
}

/// All of them.
pub const PROGRAMS: &[Program] = &[
    program!("abs", "../../../../tests/programs/hal/", "abs", 5.0, [(&[], -5.0)]),
    program!("perceptron", "../../../../tests/programs/hal/", "predict", 0.0985666, [(&[1, 28, 28, 1], 0.5)]),
    program!("layers", "../modules/", "layers", 0.0999999, [(&[1, 32], 0.1), (&[32, 32], 0.03125)]),
    program!(
        "attention",
        "../modules/",
        "attention",
        0.5,
        [(&[32, 64], 0.5), (&[32, 64], 0.5), (&[32, 64], 0.5)]
    ),
    program!("halving", "../modules/", "halving", 0.78125, [(&[32], 100.0)]),
    program!(
        "convolution",
        "../modules/",
        "convolution",
        243.0,
        [(&[1, 18, 18, 3], 1.0), (&[3, 3, 3, 8], 0.5), (&[3, 3, 8, 8], 0.25)]
    ),
    program!("wide", "../modules/", "wide", 10.0, [(&[1_048_576], 3.0), (&[1_048_576], 1.0)]),
];

/// What is called with many calls in flight.
const IN_FLIGHT: &str = "programs/in-flight";
/// The same with few.
const FEW: &str = "programs/few-in-flight";

/// Calls of one round, where one is too short to be timed.
const CALLS: usize = 100;

const fn of(name: &'static str, what: &'static str, metrics: &'static [Metric]) -> Case {
    Case {
        name,
        what,
        metrics,
        axis: Axis { name: "calls at once", usual: 1, growth: &[] },
        workers: &[1, 2],
        samples: 15,
    }
}

/// A caller that lends its thread, one that turns, and one that sleeps until it is called back.
const fn against_sync(times: f64) -> [Aim; 3] {
    [
        Aim::always(WAITED, Goal::Times(times, SYNC)),
        Aim::always(TURNED, Goal::Times(times, SYNC)),
        Aim::at_two(CALLBACK, Goal::SumPlus(HAND_OFF, SYNC, 3.0)),
    ]
}

const PER_CALL: &str = "us per call";

/// The cases. The worker count is raddle's and local-task's; local-sync has the caller alone.
pub const CASES: &[Case] = &[
    of(
        "programs/abs",
        "the absolute value of a number: one kernel of one tile",
        &[Metric::less("time", PER_CALL, const { &against_sync(0.4) })],
    ),
    of(
        "programs/perceptron",
        "two products and a softmax, of the shape of MNIST",
        &[Metric::less("time", PER_CALL, const { &against_sync(0.8) })],
    ),
    of(
        "programs/layers",
        "a chain of 24 small layers",
        &[Metric::less("time", PER_CALL, const { &against_sync(1.0) })],
    ),
    of(
        "programs/attention",
        "one head of attention, 32 x 64",
        &[Metric::less("time", PER_CALL, const { &against_sync(1.0) })],
    ),
    of(
        "programs/halving",
        "a loop of 7 rounds that the data decide, with a number read back before each",
        &[Metric::less("time", PER_CALL, const { &against_sync(1.0) })],
    ),
    of(
        "programs/convolution",
        "two convolutions of a small image",
        &[Metric::less("time", PER_CALL, const { &against_sync(1.0) })],
    ),
    of(
        "programs/wide",
        "one operation on a million numbers: large tiles",
        &[Metric::less(
            "time",
            PER_CALL,
            &[Aim::at_two(WAITED, Goal::Times(1.0, TASK)), Aim::at_two(WAITED, Goal::Times(SCALED, TWO))],
        )],
    ),
    Case {
        name: IN_FLIGHT,
        what: "calls of the perceptron, many in flight",
        metrics: &[Metric::less("time", PER_CALL, &[Aim::at_two(WAITED, Goal::Times(SCALED, TWO))])],
        axis: Axis { name: "calls in flight", usual: 64, growth: &[1, 4, 16, 64, 256] },
        workers: &[1, 2],
        samples: 15,
    },
    Case {
        name: FEW,
        what: "calls of the perceptron, few in flight",
        metrics: &[Metric::less("time", PER_CALL, &[Aim::at_two(WAITED, Goal::Times(1.0, TASK))])],
        axis: Axis { name: "calls in flight", usual: 4, growth: &[] },
        workers: &[1, 2],
        samples: 15,
    },
    start::case("programs/start-small", "a process that loads the perceptron and calls it once"),
    start::case(start::LARGE, "a process that loads a model with 21 MB of weights and calls it once"),
];

/// What a peer can do; `None` where it has nothing for it.
pub trait Programs {
    /// One call after the other: returns the first number of the result.
    fn call(&self, _program: &Program) -> Option<Box<dyn FnMut() -> f32 + '_>> {
        None
    }
    /// So many calls that are in flight at once; returns when all have ended, with the first numbers added up.
    fn at_once(&self, _program: &Program, _calls: usize) -> Option<Box<dyn FnMut() -> f32 + '_>> {
        None
    }
    /// What starts a process that loads a module and calls it once, and prints the result.
    fn start(&self, _start: &Start) -> Option<std::process::Command> {
        None
    }
}

/// Whether many calls are in flight in this case.
pub fn is_flight(request: &Request) -> bool {
    [IN_FLIGHT, FEW].contains(&&*request.case)
}

/// The program of a case.
pub fn find(request: &Request) -> Option<&'static Program> {
    let name = if is_flight(request) { "programs/perceptron" } else { &request.case };
    PROGRAMS.iter().find(|program| program.name == name)
}

/// Measures the case that is asked for.
pub fn answer(request: &Request, peer: &impl Programs) -> Answer {
    measure(request, peer).unwrap_or_else(|| Answer::absent("it has nothing for this"))
}

fn measure(request: &Request, peer: &impl Programs) -> Option<Answer> {
    if request.case.starts_with("programs/start-") {
        return start::measure(request, |start| peer.start(start));
    }
    let program = find(request)?;
    let is_near = |result: f32, count: usize| {
        let expected = program.first * count as f32;
        assert!((result - expected).abs() <= expected.abs() * 1e-4, "{result} is not {expected}");
    };
    if is_flight(request) {
        let count = request.size;
        let mut call = peer.at_once(program, count)?;
        // Few calls at once are over too soon to be timed.
        let times = CALLS.div_ceil(count);
        let units = (times * count) as f64 * 1e3;
        let round = || (0..times).for_each(|_| is_near(call(), count));
        return Some(Answer::one("time", rounds(request.samples, units, round)));
    }
    let mut call = peer.call(program)?;
    let round = || (0..CALLS).for_each(|_| is_near(call(), 1));
    Some(Answer::one("time", rounds(request.samples, CALLS as f64 * 1e3, round)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_program() {
        for case in CASES {
            let request = Request::parse([case.name.to_owned()]).unwrap();
            let is_start = case.name.starts_with("programs/start-");
            assert!(is_start || find(&request).is_some(), "{}", case.name);
        }
    }
}

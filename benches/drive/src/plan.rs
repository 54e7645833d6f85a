//! Which cases are measured, at which sizes, how often.

use crate::options::Options;
use crate::peers::{self, Peer, Program};
use bench_harness::{Case, Request};

/// One point: a case at a size and a worker count, on each of its peers.
#[derive(Debug)]
pub struct Point {
    /// The case.
    pub case: &'static Case,
    /// The size.
    pub size: usize,
    /// Worker threads.
    pub workers: usize,
    /// Samples of one process.
    pub samples: usize,
    /// Processes of each peer.
    pub processes: usize,
}

/// What one run measures.
#[derive(Debug)]
pub struct Plan {
    /// `quick`, `full`, `grow`: in the name of the file of results.
    pub name: &'static str,
    /// In order.
    pub points: Vec<Point>,
    /// Who is measured at each.
    pub peers: Vec<&'static Peer>,
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let problems = [
        bench_graphs::CASES,
        bench_waits::CASES,
        bench_machines::CASES,
        bench_flights::CASES,
        bench_programs::CASES,
    ];
    problems.into_iter().flatten()
}

/// Prints them.
pub fn print() {
    for case in cases() {
        println!("{:24} {}", case.name, case.what);
    }
}

impl Plan {
    /// A look: the largest worker count, three processes.
    pub fn quick(options: &Options) -> Plan {
        let points = usual(options, false, options.processes.unwrap_or(3), 3);
        Plan { name: "quick", points, peers: admitted(options, options.with_heavy) }
    }

    /// What is quoted: every worker count, ten processes.
    pub fn full(options: &Options) -> Plan {
        let points = usual(options, true, options.processes.unwrap_or(10), 1);
        Plan { name: "full", points, peers: admitted(options, true) }
    }

    /// How cost grows with size.
    pub fn grow(options: &Options) -> Plan {
        let mut points = Vec::new();
        for case in cases().filter(|case| options.admits_case(case)) {
            for &size in case.axis.growth {
                let workers = worker_counts(case).last().copied().unwrap_or(1);
                let (samples, processes) = (fewer(case.samples, 3), options.processes.unwrap_or(3));
                points.push(Point { case, size, workers, samples, processes });
            }
        }
        Plan { name: "grow", points, peers: admitted(options, false) }
    }
}

/// Every admitted case at its usual size.
fn usual(options: &Options, is_full: bool, processes: usize, part: usize) -> Vec<Point> {
    let mut points = Vec::new();
    for case in cases().filter(|case| options.admits_case(case)) {
        let counts = worker_counts(case);
        let first = if is_full { 0 } else { counts.len() - 1 };
        for &workers in &counts[first..] {
            let samples = fewer(case.samples, part);
            // What has one sample takes seconds for it.
            let processes = if case.samples == 1 && !is_full { 1 } else { processes };
            points.push(Point { case, size: case.axis.usual, workers, samples, processes });
        }
    }
    points
}

fn fewer(samples: usize, part: usize) -> usize {
    samples.div_ceil(part)
}

/// The worker counts that this machine has processors for: more would measure the scheduler of the kernel.
fn worker_counts(case: &Case) -> &'static [usize] {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let few = case.workers.iter().take_while(|&&workers| workers <= processors).count();
    &case.workers[..few.max(1)]
}

fn admitted(options: &Options, with_heavy: bool) -> Vec<&'static Peer> {
    let is_light = |peer: &&Peer| with_heavy || !matches!(peer.program, Program::Heavy(_));
    peers::ALL.iter().filter(|peer| options.admits_peer(peer.name)).filter(is_light).collect()
}

impl Point {
    /// Whether this peer answers the case's problem.
    pub fn concerns(&self, peer: &Peer) -> bool {
        peer.problems
            .iter()
            .any(|problem| self.case.name.split_once('/').is_some_and(|(own, _)| own == *problem))
    }

    /// What its program is asked.
    pub fn request(&self, peer: &Peer) -> Request {
        Request {
            case: self.case.name.to_owned(),
            form: peer.form.to_owned(),
            workers: self.workers,
            size: self.size,
            samples: self.samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_cover_every_case() {
        let options = Options::default();
        for plan in [Plan::quick(&options), Plan::full(&options)] {
            for case in cases() {
                let points = plan.points.iter().filter(|point| point.case.name == case.name);
                let peers = |point: &Point| plan.peers.iter().filter(|peer| point.concerns(peer)).count();
                assert!(points.map(peers).min() > Some(0), "{} in {}", case.name, plan.name);
            }
        }
        assert!(Plan::full(&options).points.iter().all(|point| point.processes >= 10));
    }

    #[test]
    fn growth_passes_the_usual_size() {
        for case in cases().filter(|case| !case.axis.growth.is_empty()) {
            assert!(case.axis.growth.is_sorted(), "{}", case.name);
            assert!(case.axis.growth.contains(&case.axis.usual), "{}", case.name);
        }
    }
}

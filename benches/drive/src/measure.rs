//! Runs the peers of each point in turn: A B C, A B C, so that they share the machine's moods.

use crate::figures::Figures;
use crate::machine::{self, Machine};
use crate::options::Options;
use crate::peers::Peer;
use crate::plan::{Plan, Point};
use crate::record::{Head, Record, Results, Writer};
use crate::{Result, building, process, report, root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The load of a machine that has nothing else to do. Unit: processes that want to run. Guess.
const QUIET: f64 = 0.3;

/// Measures what the plans say, and prints it.
///
/// # Errors
/// Something of ours does not build or can't be written, or the machine is too busy for results to be kept. A peer
/// that fails is part of the results.
pub fn run(plans: &[Plan], options: &Options) -> Result<()> {
    let load = machine::load();
    if options.keep && load > QUIET && !options.is_busy {
        return Err(format!(
            "the load is {load}, above {QUIET}: what is kept is quoted, so it wants a quiet machine"
        ));
    }
    let peers: Vec<&Peer> = {
        let all = plans.iter().flat_map(|plan| plan.peers.iter().filter(|peer| plan.uses(peer)).copied());
        let mut peers: Vec<&Peer> = all.collect();
        peers.sort_by_key(|peer| peer.name);
        peers.dedup_by_key(|peer| peer.name);
        peers
    };
    let missing = building::build(&peers)?;
    for plan in plans {
        let begin = Instant::now();
        let (path, results) = measure(plan, options, load, &missing)?;
        print!("{}", report::tables(&Figures::new(&results)));
        println!("{} s; raw results: {}", begin.elapsed().as_secs(), path.display());
    }
    if options.keep { report::write(&root()) } else { Ok(()) }
}

impl Plan {
    fn uses(&self, peer: &Peer) -> bool {
        self.points.iter().any(|point| point.concerns(peer))
    }
}

fn measure(
    plan: &Plan,
    options: &Options,
    load: f64,
    missing: &BTreeMap<String, String>,
) -> Result<(PathBuf, Results)> {
    let machine = Machine { load, ..Machine::here(&root()) };
    let programs = building::folder()?;
    // What was filtered is no whole run, and must not take the place of one.
    let is_kept = options.keep && options.is_whole();
    let base = if is_kept { root().join("results") } else { programs.join("results") };
    let folder = base.join(machine.folder());
    let head = Head { plan: plan.name.to_owned(), start: machine::now(), machine, left_out: missing.clone() };
    let mut writer = Writer::new(&folder, &head)?;
    let mut records = Vec::new();
    for (index, point) in plan.points.iter().enumerate() {
        eprintln!("{}/{} {}", index + 1, plan.points.len(), describe(point));
        for record in at_point(plan, point, &programs, missing) {
            writer.line(&record)?;
            records.push(record);
        }
    }
    Ok((writer.path, Results { head, records }))
}

fn describe(point: &Point) -> String {
    let Point { case, size, workers, processes, .. } = point;
    format!("{}: {size} {}, {workers} workers, {processes} processes", case.name, case.axis.name)
}

/// All processes of one point. A peer that does not do the case, or that failed at it, is not asked again.
fn at_point(plan: &Plan, point: &Point, programs: &Path, missing: &BTreeMap<String, String>) -> Vec<Record> {
    let concerned = |peer: &&&Peer| point.concerns(peer) && !missing.contains_key(peer.name);
    let mut left: Vec<&Peer> = plan.peers.iter().filter(concerned).copied().collect();
    let mut records = Vec::new();
    for process in 0..point.processes {
        let mut gone = Vec::new();
        // Another begins each time: nobody always comes after the same neighbour.
        if process > 0 && !left.is_empty() {
            left.rotate_left(1);
        }
        for peer in &left {
            let request = point.request(peer);
            let result = process::ask(&programs.join(peer.program.name()), &request);
            let (answer, failed) = match result {
                Ok(answer) => (answer, None),
                Err(text) => {
                    eprintln!("{}: {request}: {text}", peer.name);
                    (Default::default(), Some(text))
                }
            };
            if answer.absent.is_some() || failed.is_some() {
                gone.push(peer.name);
            }
            records.push(Record {
                case: request.case,
                peer: peer.name.to_owned(),
                workers: request.workers,
                size: request.size,
                process,
                answer,
                failed,
            });
        }
        left.retain(|peer| !gone.contains(&peer.name));
    }
    records
}

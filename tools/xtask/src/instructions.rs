//! `cargo xtask instructions`: how many instructions the key paths take, against `docs/instructions.txt`.
//!
//! A program (`tests/src/bin/paths.rs`) runs a path so many times; callgrind counts its instructions at two counts, and
//! the difference is the path's. Counts don't depend on how busy a machine is. They do, a little, on the compiler
//! and on which of its functions the C library takes for a processor: hence the margins.

use crate::options::Options;
use crate::process::{self, Fate};
use crate::{Result, table, tree};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const FILE: &str = "docs/instructions.txt";

const HEAD: &str = "\
# Instructions of the key paths, once each, as callgrind counts them; `cargo xtask instructions --record` writes the
# numbers. A path that takes more than its number and its margin (15 %, or 80 % where time decides) fails. Who raises a number says why in the commit.
#
# path | instructions | what is done once
";

/// How much less than its number is worth a note. Unit: per cent.
const SLACK: f64 = 15.0;

/// How long one run may take. Unit: seconds. They take one or two.
const LIMIT_S: u64 = 60;

/// One row of the file.
struct Path {
    name: &'static str,
    /// How often it is run in the two processes that are compared.
    counts: [u64; 2],
    /// Into how many parts one time is divided: tasks of a graph.
    parts: u64,
    /// What it may take beyond its number. Unit: per cent.
    margin: f64,
    /// What is done once.
    what: &'static str,
}

const fn path(name: &'static str, counts: [u64; 2], what: &'static str) -> Path {
    // A guess of what another processor's functions of the C library make; the same machine repeats itself to 1 %.
    Path { name, counts, parts: 1, margin: 15.0, what }
}

const PATHS: [Path; 19] = [
    Path {
        parts: 1_000,
        ..path("chain-task", [20, 120], "a task of a chain of 1,000, with its share of the run")
    },
    Path {
        parts: 1_000,
        // How many of the tasks a worker runs before it offers the others goes by time, too.
        margin: 80.0,
        ..path("fan-task", [20, 120], "a task of a fan-out of 1,000, with its share of run and join")
    },
    path("graph-run", [200, 2_200], "a graph of one task is run by its caller"),
    path(
        "event-wake",
        [200, 2_200],
        "an event is set, the host turns, the program goes on and waits again, beside a descriptor",
    ),
    path("event-wake-among", [200, 20_200], "the same among 19,000 watched descriptors and 100,000 waits"),
    path("pair-wake", [2_000, 22_000], "a program sets an event for which another waits, and waits itself"),
    path(
        "descriptor-wake",
        [200, 2_200],
        "the same with a drained eventfd; the kernel's part is not counted",
    ),
    path("watch-wake", [200, 2_200], "the same with a descriptor that is armed for each wait"),
    path("watch-wake-among", [200, 20_200], "the same among 19,000 watched descriptors and 100,000 waits"),
    path("timer-wake", [200, 2_200], "the same with a moment that comes as soon as it is waited for"),
    path(
        "wait-cancel",
        [200, 2_200],
        "a run begins to wait for an event beside a descriptor, and is cancelled",
    ),
    path("wait-cancel-among", [200, 20_200], "the same while 100,000 others wait for the same event"),
    path(
        "watch-add",
        [200, 2_200],
        "a wait for a new descriptor begins, is cancelled, and the descriptor closed",
    ),
    path("watch-add-among", [200, 20_200], "the same among 19,000 watched descriptors and 100,000 waits"),
    path("vm-loop", [10_000, 110_000], "an iteration of `fma, add, cmp, cond_br`"),
    path("vm-call", [5_000, 25_000], "the same loop with a call of a function in it"),
    path("vm-suspend", [1_000, 6_000], "a call of the host suspends the program, and the host resumes it"),
    path("vm-empty", [1_000, 6_000], "a warm call of a function that does nothing"),
    path(
        "invocation",
        [200, 2_200],
        "an invocation of the runtime on its caller's thread, with a wait that is over",
    ),
];

/// Paths that cost the same alone and among many: the first, and the second.
const FLAT: [(&str, &str); 4] = [
    ("event-wake", "event-wake-among"),
    ("watch-wake", "watch-wake-among"),
    ("wait-cancel", "wait-cancel-among"),
    ("watch-add", "watch-add-among"),
];

/// How much more the second may cost: where time decides how often a path looks around, either may be the cheaper one. Unit: per
/// cent.
const FLAT_MARGIN: f64 = 2.0;

/// How often the second is counted, at most, until it costs no more.
const FLAT_COUNTS: u32 = 3;

/// Counts, and compares or records.
///
/// # Errors
/// Paths that take too much, by name; those that cost more among many; valgrind is missing; a path fails.
pub fn run(root: &std::path::Path, options: &Options) -> Result<()> {
    let program = build(root)?;
    let mut known = parse(&fs::read_to_string(root.join(FILE)).unwrap_or_default())?;
    let jobs = options.number("jobs", process::cores()) as usize;
    let paths: Vec<&Path> = PATHS.iter().filter(|path| options.admits(&[path.name])).collect();
    options.expect_any(paths.len(), "path")?;
    let scratch = tree::target(root).join("output");
    let count = |path: &Path| {
        let [few, many] = path.counts.map(|count| count_instructions(&program, path.name, count, &scratch));
        Ok::<f64, String>((many? - few?) as f64 / ((path.counts[1] - path.counts[0]) * path.parts) as f64)
    };
    let counts = process::parallel(jobs, &paths, |path| count(path));
    let (mut rows, mut faults, mut counted) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (path, count) in paths.iter().zip(counts) {
        let count = count?;
        let number = known.get(path.name).copied();
        let verdict = judge(count, number, path.margin);
        if let (false, Err(text)) = (options.has("record"), &verdict) {
            faults.push(format!("{}: {text}", path.name));
        }
        let cell = number.map_or(String::new(), |number| format!("{number:.1}"));
        let word = verdict.unwrap_or_else(|text| text);
        rows.push(vec![path.name.to_owned(), format!("{count:.1}"), cell, word, path.what.to_owned()]);
        known.insert(path.name.to_owned(), count);
        counted.insert(path.name, count);
    }
    table::print(&["path", "instructions", "number", "", "what is done once"], &rows);
    for pair in &FLAT {
        // A machine that is busy makes a path look around more often: what it takes is the least of a few counts.
        for path in paths.iter().filter(|path| path.name == pair.1) {
            for _ in 1..FLAT_COUNTS {
                if difference(pair, &counted).is_some_and(|percent| percent > FLAT_MARGIN) {
                    let least = counted[path.name].min(count(path)?);
                    counted.insert(path.name, least);
                }
            }
        }
        faults.extend(judge_pair(pair, &counted));
    }
    if options.has("record") {
        let path = root.join(FILE);
        return fs::write(&path, render(&known)).map_err(|error| format!("{}: {error}", path.display()));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// Whether valgrind can be run.
pub fn is_installed() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn build(root: &std::path::Path) -> Result<PathBuf> {
    if !is_installed() {
        return Err("valgrind is not installed (Debian has it)".to_owned());
    }
    let mut command = process::cargo(root);
    command.args(["build", "--quiet", "--release", "--package", "raddle-tests", "--bin", "paths"]);
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    let program = tree::target(root).join("release/paths");
    if status.success() { Ok(program) } else { Err(format!("{status}: {command:?}")) }
}

/// What a judge says: a note, or a fault.
fn judge(count: f64, number: Option<f64>, margin: f64) -> std::result::Result<String, String> {
    match number {
        None => Err("has no number: add `--record`, and look at it".to_owned()),
        Some(number) if count > number * (1.0 + margin / 100.0) => Err(format!(
            "{count:.1} instructions, {:.0} % more than its number",
            (count / number - 1.0) * 100.0
        )),
        Some(number) if count < number * (1.0 - SLACK / 100.0) => {
            Ok("fewer: `--record` keeps that".to_owned())
        }
        Some(_) => Ok("ok".to_owned()),
    }
}

/// How much more the second of a pair costs, if both were counted. Unit: per cent.
fn difference((alone, among): &(&str, &str), counted: &BTreeMap<&str, f64>) -> Option<f64> {
    Some((counted.get(among)? / counted.get(alone)? - 1.0) * 100.0)
}

/// A fault, if both of a pair were counted and the second costs more.
fn judge_pair(pair: &(&str, &str), counted: &BTreeMap<&str, f64>) -> Option<String> {
    let (alone, among) = pair;
    let percent = difference(pair, counted)?;
    println!("{among} costs {percent:+.2} % of {alone}; at most {FLAT_MARGIN} % are allowed");
    (percent > FLAT_MARGIN)
        .then(|| format!("{among} costs {:.1} instructions, {percent:+.1} % of {alone}", counted[among]))
}

/// All instructions of one process.
fn count_instructions(
    program: &std::path::Path,
    path: &str,
    count: u64,
    scratch: &std::path::Path,
) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command.args([path, &count.to_string()]);
    let ended = process::run_limited(&mut command, Duration::from_secs(LIMIT_S), scratch)?;
    let line = ended.output.lines().find_map(|line| line.split_once("Collected : "));
    match (ended.fate, line.and_then(|(_, number)| number.trim().parse().ok())) {
        (Fate::Exited(true), Some(number)) => Ok(number),
        (fate, _) => Err(format!("{path} {count}: {fate:?}\n{}", ended.tail(20))),
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, f64>> {
    let mut numbers = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = cells.get(1).and_then(|cell| cell.parse::<f64>().ok());
        let (name, number) =
            cells.first().zip(number).ok_or(format!("{FILE}: not `path | number | …`: {line}"))?;
        if !PATHS.iter().any(|path| path.name == *name) {
            return Err(format!("{FILE}: there is no path `{name}`"));
        }
        numbers.insert((*name).to_owned(), number);
    }
    Ok(numbers)
}

fn render(numbers: &BTreeMap<String, f64>) -> String {
    let line = |path: &Path| {
        numbers.get(path.name).map(|number| format!("{} | {number:.1} | {}\n", path.name, path.what))
    };
    HEAD.chars().chain(PATHS.iter().filter_map(line).collect::<String>().chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_margin_is_a_fault() {
        assert_eq!(judge(100.0, Some(100.0), 15.0), Ok("ok".to_owned()));
        assert_eq!(judge(114.0, Some(100.0), 15.0), Ok("ok".to_owned()));
        assert!(judge(116.0, Some(100.0), 15.0).unwrap_err().contains("16 % more"));
        assert!(judge(50.0, Some(100.0), 15.0).unwrap().contains("fewer"));
        assert!(judge(1.0, None, 15.0).is_err());
    }

    #[test]
    fn what_costs_more_among_many_is_a_fault() {
        let pair = ("alone", "among");
        let counted = |among: f64| BTreeMap::from([("alone", 1000.0), ("among", among)]);
        assert_eq!(judge_pair(&pair, &counted(1019.0)), None);
        assert_eq!(judge_pair(&pair, &counted(981.0)), None);
        assert!(judge_pair(&pair, &counted(1021.0)).unwrap().contains("+2.1 %"));
        assert_eq!(judge_pair(&pair, &BTreeMap::from([("alone", 1.0)])), None);
    }

    #[test]
    fn the_file_says_what_was_recorded() {
        let numbers = BTreeMap::from([("chain-task".to_owned(), 41.5), ("vm-empty".to_owned(), 80.0)]);
        assert_eq!(parse(&render(&numbers)), Ok(numbers));
        assert!(parse("nothing | 5 | x").unwrap_err().contains("no path `nothing`"));
        assert!(parse("chain-task | x").is_err());
    }

    #[test]
    fn every_path_has_a_number() {
        let root = tree::root().unwrap();
        let numbers = parse(&fs::read_to_string(root.join(FILE)).unwrap()).unwrap();
        assert!(PATHS.iter().all(|path| numbers.contains_key(path.name)), "{numbers:?}");
    }
}

//! Runs a program within a limit of time and of output, and many of them beside each other.
//!
//! Output goes to a file rather than through pipes: one handle keeps both streams in order, and a program that
//! is killed leaves what it had printed.

use crate::Result;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a program may print before it is taken for one that never ends. Unit: bytes. Guess.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// By itself; whether with success.
    Exited(bool),
    /// Killed: the time was up.
    OutOfTime,
    /// Killed: it printed without end.
    OutOfBounds,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub fate: Fate,
    /// Both streams, in order.
    pub output: String,
    /// From start to end.
    pub took: Duration,
}

impl Ended {
    /// The last `count` lines that say something, indented.
    pub fn tail(&self, count: usize) -> String {
        let lines: Vec<&str> = self.output.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            return "    (no output)".to_owned();
        }
        let tail = &lines[lines.len().saturating_sub(count)..];
        tail.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// How much longer than its processor time a program may take. Guess: on a machine that others use too, it may have to
/// wait this many times as long as it runs.
const PATIENCE: u32 = 8;

/// A program that is killed when it has used `limit` of processor time, so that a busy machine makes no program look
/// endless. `ulimit` is the shell's word for RLIMIT_CPU.
pub fn with_limit(program: &Path, limit: Duration) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -t {} && exec \"$0\" \"$@\"", limit.as_secs().max(1));
    command.args(["-c", &script]).arg(program);
    command
}

/// Runs `command` to its end; it was made by [`with_limit`]. `scratch` is a folder for the output.
pub fn run_limited(command: &mut Command, limit: Duration, scratch: &Path) -> Result<Ended> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("output-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let path = scratch.join(name);
    fs::create_dir_all(scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let twin = file.try_clone().map_err(|error| error.to_string())?;
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(twin)
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let fate = await_end(&mut child, start + limit * PATIENCE, &path);
    let took = start.elapsed();
    let output = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
    let _ = fs::remove_file(&path);
    Ok(Ended { fate: fate?, output, took })
}

fn await_end(child: &mut Child, end: Instant, output: &Path) -> Result<Fate> {
    let mut nap = Duration::from_millis(1);
    loop {
        if let Some(status) = poll(child)? {
            return Ok(fate_of(status));
        }
        let is_endless = fs::metadata(output).is_ok_and(|data| data.len() > OUTPUT_BYTES_MAX);
        if is_endless || Instant::now() >= end {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            return Ok(if is_endless { Fate::OutOfBounds } else { Fate::OutOfTime });
        }
        // A wait for a child with a limit needs either this or unsafe code; 20 ms are lost at most.
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(20));
    }
}

/// The system ends a program that is over its limit with one of two signals; a model ends itself, with this code, and says
/// where it was.
fn fate_of(status: ExitStatus) -> Fate {
    const OUT_OF_TIME: i32 = 124;
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    match status.signal() {
        Some(SIGKILL | SIGXCPU) => Fate::OutOfTime,
        _ if status.code() == Some(OUT_OF_TIME) => Fate::OutOfTime,
        _ => Fate::Exited(status.success()),
    }
}

fn poll(child: &mut Child) -> Result<Option<ExitStatus>> {
    child.try_wait().map_err(|error| error.to_string())
}

/// The results of `work` on each item, in order; `jobs` at a time.
pub fn parallel<T: Sync, R: Send>(jobs: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some((index, item)) = claim(&next, items) {
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn claim<'a, T>(next: &AtomicUsize, items: &'a [T]) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Relaxed);
    items.get(index).map(|item| (index, item))
}

/// The cargo that runs this tool, in the root.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// How many programs to run at once unless told otherwise.
pub fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;
    use std::path::PathBuf;

    fn shell(script: &str, limit: Duration) -> Ended {
        run_limited(Command::new("sh").args(["-c", script]), limit, &scratch()).unwrap()
    }

    fn scratch() -> PathBuf {
        tree::target(&tree::root().unwrap()).join("output")
    }

    #[test]
    fn both_streams_are_kept_in_order() {
        let ended = shell("echo one; echo two >&2; exit 3", Duration::from_secs(60));
        assert_eq!((ended.fate, ended.output.as_str()), (Fate::Exited(false), "one\ntwo\n"));
    }

    #[test]
    fn a_program_that_hangs_is_killed_and_its_output_kept() {
        let ended = shell("echo here; exec sleep 600", Duration::from_millis(300));
        assert_eq!((ended.fate, ended.tail(5).as_str()), (Fate::OutOfTime, "    here"));
    }

    #[test]
    fn a_program_that_computes_without_end_is_killed_by_its_processor_time() {
        let mut command = with_limit(Path::new("sh"), Duration::from_secs(1));
        command.args(["-c", "echo here; while :; do :; done"]);
        let ended = run_limited(&mut command, Duration::from_secs(600), &scratch()).unwrap();
        assert_eq!((ended.fate, ended.tail(5).as_str()), (Fate::OutOfTime, "    here"));
    }

    #[test]
    fn a_program_that_says_itself_that_its_time_is_up_is_believed() {
        let ended = shell("echo at step 7; exit 124", Duration::from_secs(60));
        assert_eq!((ended.fate, ended.tail(5).as_str()), (Fate::OutOfTime, "    at step 7"));
    }

    #[test]
    fn a_program_that_prints_without_end_is_killed() {
        let ended = shell("exec yes", Duration::from_secs(60));
        assert_eq!(ended.fate, Fate::OutOfBounds);
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(
            parallel(4, &items, |item| item * 2),
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
        assert!(parallel(4, &[0; 0], |item| *item).is_empty());
    }
}

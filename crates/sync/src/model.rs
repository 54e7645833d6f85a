//! How a model is declared and run.
//!
//! A model is a `#[test]` that calls [`Model::check`]. One process runs one model, so that a mutant
//! (`RADDLE_MUTANT`) and its failure belong to nobody else. With `RADDLE_MODEL_DESCRIBE` set the test prints what it
//! claims and kills, and runs nothing; the runner (`cargo xtask models`) collects these lines.

use crate::steps;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Once, mpsc};
use std::time::{Duration, Instant};

/// With which code the process ends when a model has not ended within its limit. Source: timeout(1).
const EXIT_OUT_OF_TIME: i32 = 124;

/// How often a limit is looked at. Unit: seconds.
const LOOK_S: u64 = 1;

/// How much longer than its processor time a model may take by the clock: a busy machine makes none look endless.
const PATIENCE: u32 = 8;

/// Threads of the present schedule so far, and the most that any schedule had.
static THREADS: AtomicUsize = AtomicUsize::new(1);
static THREADS_MAX: AtomicUsize = AtomicUsize::new(1);

loom::thread_local! {
    /// 0 is the main thread.
    static NUMBER: Cell<usize> = Cell::new(0);
}

/// The number of a thread that is about to be started.
pub(crate) fn note_thread() -> usize {
    let number = THREADS.fetch_add(1, Relaxed);
    THREADS_MAX.fetch_max(number + 1, Relaxed);
    number
}

pub(crate) fn set_thread_number(number: usize) {
    NUMBER.with(|own| own.set(number));
}

pub(crate) fn thread_number() -> usize {
    NUMBER.try_with(Cell::get).unwrap_or(0)
}

/// Of this thread: all threads of a model are this one of the system. Source: proc(5).
fn own_folder() -> PathBuf {
    let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    Path::new("/proc").join(own)
}

/// What a thread has used of a processor, so that a busy machine makes no model look slow. Unit: seconds.
/// Source: proc(5), `schedstat`.
fn processor_seconds(folder: &Path) -> f64 {
    let text = std::fs::read_to_string(folder.join("schedstat")).unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

/// Ends the process when a model takes too long, and says at which step it is. `RADDLE_MODEL_LIMIT` is the limit in seconds
/// of processor time; without it there is none.
fn watch(name: &'static str) -> Option<mpsc::Sender<()>> {
    let limit: u64 = std::env::var("RADDLE_MODEL_LIMIT").ok()?.parse().ok()?;
    let (done, is_done) = mpsc::channel::<()>();
    let (folder, start) = (own_folder(), Instant::now());
    std::thread::spawn(move || {
        let wait = || is_done.recv_timeout(Duration::from_secs(LOOK_S));
        while wait() == Err(mpsc::RecvTimeoutError::Timeout) {
            let used = processor_seconds(&folder);
            if used > limit as f64 || start.elapsed() > Duration::from_secs(limit) * PATIENCE {
                eprintln!(
                    "model {name} has not ended after {used:.0} s of processor time, its limit is {limit} s;"
                );
                eprintln!("{}", steps::report());
                std::process::exit(EXIT_OUT_OF_TIME);
            }
        }
    });
    Some(done)
}

/// Has the first panic followed by the steps that led to it.
fn report_steps() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        static IS_TOLD: AtomicBool = AtomicBool::new(false);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            if !IS_TOLD.swap(true, Relaxed) {
                eprintln!("{}", steps::report());
            }
        }));
    });
}

/// One claim about a protocol, with the bounds under which it is explored.
#[derive(Debug)]
pub struct Model {
    name: &'static str,
    claim: &'static str,
    preemptions: Option<usize>,
    because: Option<&'static str>,
    kills: Vec<(&'static str, &'static str)>,
}

impl Model {
    /// A model; `name` is that of the test function.
    pub fn new(name: &'static str, claim: &'static str) -> Model {
        Model { name, claim, preemptions: None, because: None, kills: Vec::new() }
    }

    /// Explores only schedules with at most this many preemptions; without it the exploration is exhaustive.
    /// `RADDLE_MODEL_BOUND` replaces a smaller number (a deeper run by hand); `none` takes the bound away.
    pub fn preemptions(mut self, bound: usize) -> Model {
        self.preemptions = Some(bound);
        self
    }

    /// Why a model of two threads has a bound: what it takes without.
    pub fn because(mut self, reason: &'static str) -> Model {
        self.because = Some(reason);
        self
    }

    /// The mutant of this name makes the model fail with a message that contains `text`.
    pub fn kills(mut self, mutant: &'static str, text: &'static str) -> Model {
        self.kills.push((mutant, text));
        self
    }

    /// Explores every schedule of `body` within the bound and prints how many there were, on how many threads.
    ///
    /// # Panics
    /// When a schedule fails; the steps that led to it are printed.
    pub fn check(self, body: impl Fn() + Sync + Send + 'static) {
        if std::env::var_os("RADDLE_MODEL_DESCRIBE").is_some() {
            self.describe();
            return;
        }
        static ITERATIONS: AtomicU64 = AtomicU64::new(0);
        let mut builder = loom::model::Builder::new();
        let asked = std::env::var("RADDLE_MODEL_BOUND").unwrap_or_default();
        let deeper = |own: usize| asked.parse().map_or(own, |asked| own.max(asked));
        builder.preemption_bound = self.preemptions.filter(|_| asked != "none").map(deeper);
        builder.max_branches = 20_000;
        builder.max_duration = None;
        builder.max_permutations = None;
        report_steps();
        let watch = watch(self.name);
        let folder = own_folder();
        let start = processor_seconds(&folder);
        builder.check(move || {
            ITERATIONS.fetch_add(1, Relaxed);
            THREADS.store(1, Relaxed);
            steps::clear();
            body();
        });
        drop(watch);
        let iterations = ITERATIONS.load(Relaxed);
        assert!(iterations > 1, "model {} explored a single schedule: it has no race", self.name);
        let (threads, seconds) = (THREADS_MAX.load(Relaxed), processor_seconds(&folder) - start);
        println!("model {} iterations {iterations} threads {threads} seconds {seconds:.2}", self.name);
    }

    fn describe(&self) {
        let bound = self.preemptions.map_or("exhaustive".to_owned(), |bound| bound.to_string());
        println!("describe {} bound {bound} claim {}", self.name, self.claim);
        if let Some(reason) = self.because {
            println!("because {reason}");
        }
        for (mutant, text) in &self.kills {
            println!("kills {mutant} text {text}");
        }
    }
}

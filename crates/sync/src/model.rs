//! How a model is declared and run.
//!
//! A model is a `#[test]` that calls [`Model::check`]. One process runs one model, so that a mutant
//! (`RADDLE_MUTANT`) and its failure belong to nobody else. With `RADDLE_MODEL_DESCRIBE` set the test prints what it
//! claims and kills, and runs nothing; the runner (`cargo xtask models`) collects these lines.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Threads of the present schedule so far, and the most that any schedule had.
static THREADS: AtomicU64 = AtomicU64::new(1);
static THREADS_MAX: AtomicU64 = AtomicU64::new(1);

pub(crate) fn note_thread() {
    THREADS_MAX.fetch_max(THREADS.fetch_add(1, Relaxed) + 1, Relaxed);
}

/// What this thread has used of a processor, so that a busy machine makes no model look slow. Unit: seconds.
///
/// All threads of a model are this one of the system. Source: proc(5), `schedstat`.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e9
}

/// One claim about a protocol, with the bounds under which it is explored.
#[derive(Debug)]
pub struct Model {
    name: &'static str,
    claim: &'static str,
    preemptions: Option<usize>,
    kills: Vec<(&'static str, &'static str)>,
}

impl Model {
    /// A model; `name` is that of the test function.
    pub fn new(name: &'static str, claim: &'static str) -> Model {
        Model { name, claim, preemptions: None, kills: Vec::new() }
    }

    /// Explores only schedules with at most this many preemptions; without it the exploration is exhaustive.
    /// `RADDLE_MODEL_BOUND` replaces the number (a deeper run by hand).
    pub fn preemptions(mut self, bound: usize) -> Model {
        self.preemptions = Some(bound);
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
    /// When a schedule fails.
    pub fn check(self, body: impl Fn() + Sync + Send + 'static) {
        if std::env::var_os("RADDLE_MODEL_DESCRIBE").is_some() {
            self.describe();
            return;
        }
        static ITERATIONS: AtomicU64 = AtomicU64::new(0);
        let mut builder = loom::model::Builder::new();
        let bound = std::env::var("RADDLE_MODEL_BOUND").ok().and_then(|text| text.parse().ok());
        builder.preemption_bound = self.preemptions.map(|own| bound.unwrap_or(own));
        builder.max_branches = 20_000;
        builder.max_duration = None;
        builder.max_permutations = None;
        let start = processor_seconds();
        builder.check(move || {
            ITERATIONS.fetch_add(1, Relaxed);
            THREADS.store(1, Relaxed);
            body();
        });
        let iterations = ITERATIONS.load(Relaxed);
        assert!(iterations > 1, "model {} explored a single schedule: it has no race", self.name);
        let (threads, seconds) = (THREADS_MAX.load(Relaxed), processor_seconds() - start);
        println!("model {} iterations {iterations} threads {threads} seconds {seconds:.2}", self.name);
    }

    fn describe(&self) {
        let bound = self.preemptions.map_or("exhaustive".to_owned(), |bound| bound.to_string());
        println!("describe {} bound {bound} claim {}", self.name, self.claim);
        for (mutant, text) in &self.kills {
            println!("kills {mutant} text {text}");
        }
    }
}

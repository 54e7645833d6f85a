//! How a model is declared and run.
//!
//! A model is a `#[test]` that calls [`Model::check`]. One process runs one model, so that a mutant
//! (`RADDLE_MUTANT`) and its failure belong to nobody else. With `RADDLE_MODEL_DESCRIBE` set the test prints what it
//! claims and kills, and runs nothing; the runner (`cargo xtask models`) collects these lines.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

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

    /// Explores every schedule of `body` within the bound and prints how many there were.
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
        let start = Instant::now();
        builder.check(move || {
            ITERATIONS.fetch_add(1, Relaxed);
            body();
        });
        let iterations = ITERATIONS.load(Relaxed);
        assert!(iterations > 1, "model {} explored a single schedule: it has no race", self.name);
        println!("model {} iterations {iterations} seconds {:.2}", self.name, start.elapsed().as_secs_f64());
    }

    fn describe(&self) {
        let bound = self.preemptions.map_or("exhaustive".to_owned(), |bound| bound.to_string());
        println!("describe {} bound {bound} claim {}", self.name, self.claim);
        for (mutant, text) in &self.kills {
            println!("kills {mutant} text {text}");
        }
    }
}

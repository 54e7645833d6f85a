//! Cases, their samples, and the table they are printed in.

use std::time::Instant;

/// Collects rows for the cases that the words admit.
pub struct Table {
    words: Vec<String>,
    rows: Vec<[String; 6]>,
}

impl Table {
    /// A table of the cases whose names contain one of these words; of all, if there are none.
    pub fn new(words: &[String]) -> Table {
        Table { words: words.to_vec(), rows: Vec::new() }
    }

    /// Whether a case is to be measured.
    pub fn admits(&self, case: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| case.contains(word.as_str()))
    }

    /// Adds the least and the middle of samples.
    pub fn add(&mut self, case: &str, workers: usize, unit: &str, samples: &mut [f64], aim: &str) {
        samples.sort_by(f64::total_cmp);
        let (least, middle) = (samples[0], samples[samples.len() / 2]);
        self.add_row(
            [case, &workers.to_string(), &short(least), &short(middle), unit, aim].map(str::to_owned),
        );
    }

    /// Adds the best and the middle of samples of which more is better.
    pub fn add_pair(&mut self, case: &str, workers: usize, unit: &str, [best, middle]: [f64; 2], aim: &str) {
        self.add_row(
            [case, &workers.to_string(), &short(best), &short(middle), unit, aim].map(str::to_owned),
        );
    }

    /// Adds a figure that is not a distribution.
    pub fn add_one(&mut self, case: &str, workers: usize, unit: &str, value: f64, aim: &str) {
        self.add_row([case, &workers.to_string(), "", &short(value), unit, aim].map(str::to_owned));
    }

    fn add_row(&mut self, row: [String; 6]) {
        eprintln!("{}", row.join(" | "));
        self.rows.push(row);
    }

    /// Prints the rows, if there are any.
    pub fn print(&self, title: &str) {
        if self.rows.is_empty() {
            return;
        }
        println!("## {title}\n");
        println!("| case | workers | best | median | unit | aim |");
        println!("|---|---|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        println!();
    }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Times `run` so many times after two warm-up rounds; samples in nanoseconds divided by `units`.
pub fn sample(repetitions: usize, units: f64, mut run: impl FnMut()) -> Vec<f64> {
    for _ in 0..2 {
        run();
    }
    let once = || {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64 / units
    };
    std::iter::repeat_with(once).take(repetitions).collect()
}

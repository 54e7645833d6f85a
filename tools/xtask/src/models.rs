//! `cargo xtask models`: every model, each in a process of its own, within a limit, its count compared.

use crate::catalogue::{Catalogue, Model};
use crate::options::Options;
use crate::process::{self, Ended, Fate};
use crate::record::{self, DEEP, Record, Seen};
use crate::{Result, heads, table};
use std::path::Path;
use std::time::{Duration, Instant};

/// What one model may take at its own bound. Unit: seconds of processor time. Three times what the record may say, for machines
/// that are slower than the one that recorded.
const LIMIT_S: u64 = 90;

/// What one model may take at the deep bound. Unit: seconds of processor time. Guess.
const LIMIT_DEEP_S: u64 = 1800;

/// What is shown of a model that failed: its message, and the steps that led to it.
const OUTPUT_LINES: usize = 50;

const HEAD: [&str; 6] = ["model", "bound", "threads", "iterations", "seconds", "claim"];

/// Runs the models that the filter admits.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let start = Instant::now();
    let catalogue = Catalogue::collect(root, options)?;
    let mut record = Record::read(root)?;
    let is_meant = |model: &&Model| {
        options.admits(&[&model.about.name, &model.path])
            && (!options.has("deep") || record::is_below_deep(&model.about.bound))
    };
    let chosen: Vec<&Model> = catalogue.models.iter().filter(is_meant).collect();
    options.expect_any(chosen.len(), "model")?;
    let rows = explore(&chosen, options)?;
    let names: Vec<(&str, &str)> = catalogue
        .models
        .iter()
        .map(|model| (model.about.name.as_str(), model.about.bound.as_str()))
        .collect();
    let mut faults = catalogue.faults.clone();
    if options.has("record") {
        rows.iter().for_each(|row| row.note(&mut record));
        if catalogue.faults.is_empty() {
            record.retain(&names);
        }
        record.write(root)?;
    }
    faults.extend(rows.iter().filter_map(|row| row.fault(&record)));
    faults.extend(
        record.strangers(&names).iter().map(|name| format!("docs/models.txt records {name}: no such model")),
    );
    faults.extend(heads::settle(root, &catalogue.models, &record, !options.has("record"))?);
    let slowest = rows.iter().max_by_key(|row| row.ended.took);
    println!(
        "\n{} models, {} faults, {:.1} s; longest: {}",
        rows.len(),
        faults.len(),
        start.elapsed().as_secs_f64(),
        slowest.map_or("none".to_owned(), |row| format!(
            "{} {:.1} s",
            row.name,
            row.ended.took.as_secs_f64()
        ))
    );
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// Runs the models and prints a row as each ends, so that a run that is cut short shows how far it came.
fn explore(models: &[&Model], options: &Options) -> Result<Vec<Row>> {
    let is_deep = options.has("deep");
    let limit = Duration::from_secs(options.number("limit", if is_deep { LIMIT_DEEP_S } else { LIMIT_S }));
    let variables: &[(&str, &str)] = if is_deep { &[("RADDLE_MODEL_BOUND", DEEP)] } else { &[] };
    let name = models.iter().map(|model| model.about.name.len()).max().unwrap_or(0);
    let widths = [name, "exhaustive".len(), "threads".len(), "iterations".len(), "seconds".len(), 0];
    print!("{}", table::line(&HEAD.map(str::to_owned), &widths));
    let rows = process::parallel(options.number("jobs", process::cores()) as usize, models, |model| {
        let row = Row::new(model, is_deep, model.run(variables, limit)?);
        print!("{}", table::line(&row.cells(), &widths));
        Ok(row)
    });
    rows.into_iter().collect()
}

/// One model that was run.
struct Row {
    name: String,
    claim: String,
    bound: String,
    /// Whether it may have its bound with two threads.
    has_reason: bool,
    seen: Option<Seen>,
    limit_hit: bool,
    ended: Ended,
}

impl Row {
    fn new(model: &Model, is_deep: bool, ended: Ended) -> Row {
        let about = &model.about;
        let bound = if is_deep { DEEP } else { about.bound.as_str() };
        Row {
            name: about.name.clone(),
            claim: about.claim.clone(),
            bound: bound.to_owned(),
            has_reason: about.bound == "exhaustive" || about.because.is_some(),
            seen: parse_seen(&about.name, &ended.output),
            limit_hit: ended.fate != Fate::Exited(true) && ended.fate != Fate::Exited(false),
            ended,
        }
    }

    fn cells(&self) -> Vec<String> {
        let took = format!("{:.2}", self.ended.took.as_secs_f64());
        let (threads, count, seconds) = match &self.seen {
            Some(seen) if self.ended.fate == Fate::Exited(true) => {
                (seen.threads.to_string(), seen.schedules.to_string(), seen.seconds.clone())
            }
            _ if self.limit_hit => (String::new(), "KILLED".to_owned(), took),
            _ => (String::new(), "FAILED".to_owned(), took),
        };
        vec![self.name.clone(), self.bound.clone(), threads, count, seconds, self.claim.clone()]
    }

    fn note(&self, record: &mut Record) {
        if let (Fate::Exited(true), Some(seen)) = (self.ended.fate, &self.seen) {
            record.set(&self.name, &self.bound, seen.clone());
        }
    }

    fn fault(&self, record: &Record) -> Option<String> {
        let what = match (self.ended.fate, &self.seen) {
            (Fate::Exited(true), Some(seen)) if seen.threads <= 2 && !self.has_reason => {
                "has two threads, a bound, and no reason for it: `because`".to_owned()
            }
            (Fate::Exited(true), Some(seen)) => record.judge(&self.name, &self.bound, seen.schedules)?,
            (Fate::Exited(true), None) => "ended well without the line that counts schedules".to_owned(),
            (Fate::Exited(false), _) => "failed".to_owned(),
            (Fate::OutOfTime, _) => format!("did not end within {:.0} s", self.ended.took.as_secs_f64()),
            (Fate::OutOfBounds, _) => "printed without end".to_owned(),
        };
        let tail = match self.ended.fate {
            Fate::Exited(true) => String::new(),
            _ => format!("; last output:\n{}", self.ended.tail(OUTPUT_LINES)),
        };
        Some(format!("{} {what}{tail}", self.name))
    }
}

/// The counts in the line `model NAME iterations N threads T seconds S`.
fn parse_seen(name: &str, output: &str) -> Option<Seen> {
    let (_, rest) = output.split_once(&format!("model {name} iterations "))?;
    let words: Vec<&str> = rest.lines().next()?.split(' ').collect();
    let [count, "threads", threads, "seconds", seconds] = words[..] else { return None };
    Some(Seen { threads: threads.parse().ok()?, schedules: count.parse().ok()?, seconds: seconds.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fate: Fate, output: &str) -> Row {
        let ended = Ended { fate, output: output.to_owned(), took: Duration::from_secs(1) };
        Row {
            name: "fire".to_owned(),
            claim: String::new(),
            bound: "2".to_owned(),
            has_reason: true,
            seen: parse_seen("fire", output),
            limit_hit: false,
            ended,
        }
    }

    #[test]
    fn the_count_is_read_behind_the_harness_words() {
        let line = "test fire ... model fire iterations 12 threads 3 seconds 0.10\nok";
        let seen = Seen { threads: 3, schedules: 12, seconds: "0.10".to_owned() };
        assert_eq!(parse_seen("fire", line), Some(seen));
        for line in ["model fires iterations 12 threads 3 seconds 0.10", "model fire iterations 12"] {
            assert_eq!(parse_seen("fire", line), None);
        }
    }

    #[test]
    fn every_way_to_end_but_the_good_one_is_a_fault() {
        let mut record = Record::default();
        let line = "model fire iterations 12 threads 3 seconds 0.10";
        row(Fate::Exited(true), line).note(&mut record);
        assert_eq!(row(Fate::Exited(true), line).fault(&record), None);
        let bounded =
            Row { has_reason: false, ..row(Fate::Exited(true), &line.replace("threads 3", "threads 2")) };
        assert!(bounded.fault(&record).unwrap().contains("no reason"));
        for (fate, output, text) in [
            (Fate::Exited(true), "", "without the line"),
            (Fate::Exited(false), line, "failed"),
            (Fate::OutOfTime, "step 7", "did not end within 1 s; last output:\n    step 7"),
            (Fate::OutOfBounds, "", "printed without end"),
        ] {
            let fault = row(fate, output).fault(&record).unwrap();
            assert!(fault.contains(text), "{fault}");
        }
    }
}

//! `docs/models.txt`: how many schedules each model explored when it was last looked at, on how many threads, and how
//! long that took.
//!
//! A model that suddenly explores far fewer schedules has lost its race, or its bound; nothing else would show it.

use crate::Result;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const HEAD: &str = "\
# Schedules that each model explores, by bound; `cargo xtask models --record` writes this file.
# A model that explores less than half of its number fails.
# Seconds are those of a processor, on one machine and day: they are for orientation and are not compared.
#
# model | bound (preemptions) | threads | schedules | seconds
";

/// The bound of the run by hand, of models whose own is smaller. Unit: preemptions.
pub const DEEP: &str = "3";

/// What a model may take at its own bound, on the machine that recorded it. Unit: seconds of processor time.
const SECONDS_MAX: f64 = 30.0;

/// What a run of a model came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Threads of the model, the main one included.
    pub threads: u64,
    /// Schedules.
    pub schedules: u64,
    /// Seconds of processor time, as printed.
    pub seconds: String,
}

/// The file, by model and bound.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    runs: BTreeMap<(String, String), Seen>,
}

impl Record {
    /// Reads the file; a missing one is empty.
    pub fn read(root: &Path) -> Result<Record> {
        match fs::read_to_string(path(root)) {
            Ok(text) => Record::parse(&text),
            Err(_) => Ok(Record::default()),
        }
    }

    /// Writes the file.
    pub fn write(&self, root: &Path) -> Result<()> {
        let path = path(root);
        fs::write(&path, self.render()).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Record> {
        let mut record = Record::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells.as_slice() {
                [name, bound, threads, schedules, seconds] => {
                    let number = |text: &str| {
                        text.parse().map_err(|error| format!("docs/models.txt: {text:?}: {error}: {line}"))
                    };
                    let (threads, schedules) = (number(threads)?, number(schedules)?);
                    record.set(name, bound, Seen { threads, schedules, seconds: (*seconds).to_owned() });
                }
                _ => return Err(format!("docs/models.txt: not five cells: {line}")),
            }
        }
        Ok(record)
    }

    fn render(&self) -> String {
        let lines = self.runs.iter().map(|((name, bound), seen)| {
            format!("{name} | {bound} | {} | {} | {}\n", seen.threads, seen.schedules, seen.seconds)
        });
        HEAD.chars().chain(lines.collect::<String>().chars()).collect()
    }

    /// Notes a run.
    pub fn set(&mut self, name: &str, bound: &str, seen: Seen) {
        self.runs.insert((name.to_owned(), bound.to_owned()), seen);
    }

    /// What is noted of a model at a bound.
    pub fn get(&self, name: &str, bound: &str) -> Option<&Seen> {
        self.runs.get(&(name.to_owned(), bound.to_owned()))
    }

    /// Forgets what is not of these models, by name and own bound.
    pub fn retain(&mut self, models: &[(&str, &str)]) {
        self.runs.retain(|run, _| is_of(run, models));
    }

    /// Records that are not of these models, by name and own bound.
    pub fn strangers(&self, models: &[(&str, &str)]) -> Vec<String> {
        let strangers = self.runs.keys().filter(|run| !is_of(run, models));
        strangers.map(|(name, bound)| format!("{name} at bound {bound}")).collect()
    }

    /// What is wrong with a run that explored `seen` schedules.
    pub fn judge(&self, name: &str, bound: &str, seen: u64) -> Option<String> {
        match self.get(name, bound).map(|run| (run.schedules, run.seconds.parse().unwrap_or(f64::MAX))) {
            _ if seen <= 1 => Some("explored a single schedule: it has no race".to_owned()),
            None => Some(format!("is not recorded at bound {bound}; add `--record` and look at the number")),
            Some((_, seconds)) if seconds > SECONDS_MAX && bound != DEEP => {
                Some(format!("took {seconds} s when it was recorded, more than {SECONDS_MAX} s"))
            }
            Some((count, _)) if seen.saturating_mul(2) < count => {
                Some(format!("explored {seen} schedules, less than half of the recorded {count}"))
            }
            Some(_) => None,
        }
    }
}

/// Whether a run is one of a model at its own bound, or a deep one of a model with a smaller bound.
fn is_of((name, bound): &(String, String), models: &[(&str, &str)]) -> bool {
    models.iter().any(|(model, own)| model == name && (own == bound || (bound == DEEP && is_below_deep(own))))
}

/// Whether the run by hand goes deeper than this bound.
pub fn is_below_deep(bound: &str) -> bool {
    bound != "exhaustive" && bound < DEEP
}

fn path(root: &Path) -> PathBuf {
    root.join("docs/models.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::parse("# head\nfire | 2 | 2 | 100 | 0.10\n\nfire | 3 | 2 | 1000 | 0.90\n").unwrap()
    }

    #[test]
    fn a_record_survives_writing_and_reading() {
        assert_eq!(Record::parse(&record().render()).unwrap(), record());
        for text in ["fire 2 100", "fire | 2 | two | 100 | 0.10", "fire | 2 | 2 | | 0.10"] {
            assert!(Record::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_that_shrink_or_miss_are_faults() {
        let record = record();
        assert_eq!(record.judge("fire", "2", 50), None);
        assert!(record.judge("fire", "2", 49).unwrap().contains("less than half"));
        assert!(record.judge("fire", "2", 1).unwrap().contains("single schedule"));
        assert!(record.judge("fire", "exhaustive", 50).unwrap().contains("not recorded"));
        assert_eq!(record.judge("fire", "3", 2000), None);
    }

    #[test]
    fn models_that_went_and_bounds_that_changed_are_noticed() {
        let mut record = record();
        assert!(record.strangers(&[("fire", "2")]).is_empty());
        assert_eq!(record.strangers(&[("fire", "3")]), ["fire at bound 2"]);
        assert_eq!(record.strangers(&[("fire", "exhaustive")]).len(), 2);
        assert_eq!(record.strangers(&[("other", "2")]).len(), 2);
        record.retain(&[("fire", "3")]);
        assert_eq!(record.strangers(&[]), ["fire at bound 3"]);
    }

    #[test]
    fn a_model_that_took_too_long_is_a_fault() {
        let record = Record::parse("fire | 2 | 2 | 100 | 30.10\nfire | 3 | 2 | 1000 | 90.00\n").unwrap();
        assert!(record.judge("fire", "2", 100).unwrap().contains("more than 30 s"));
        assert_eq!(record.judge("fire", "3", 1000), None);
    }
}

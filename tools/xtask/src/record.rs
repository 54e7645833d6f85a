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

    /// Forgets models that are not among `names`.
    pub fn retain(&mut self, names: &[&str]) {
        self.runs.retain(|(name, _), _| names.contains(&name.as_str()));
    }

    /// Recorded models that are not among `names`.
    pub fn strangers(&self, names: &[&str]) -> Vec<&str> {
        let mut strangers: Vec<&str> =
            self.runs.keys().map(|(name, _)| name.as_str()).filter(|name| !names.contains(name)).collect();
        strangers.dedup();
        strangers
    }

    /// What is wrong with a run that explored `seen` schedules.
    pub fn judge(&self, name: &str, bound: &str, seen: u64) -> Option<String> {
        let recorded = self.runs.get(&(name.to_owned(), bound.to_owned())).map(|run| run.schedules);
        match recorded {
            _ if seen <= 1 => Some("explored a single schedule: it has no race".to_owned()),
            None => Some(format!("is not recorded at bound {bound}; add `--record` and look at the number")),
            Some(count) if seen.saturating_mul(2) < count => {
                Some(format!("explored {seen} schedules, less than half of the recorded {count}"))
            }
            Some(_) => None,
        }
    }
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
    fn models_that_went_are_noticed() {
        let mut record = record();
        assert_eq!(record.strangers(&["other"]), ["fire"]);
        record.retain(&["other"]);
        assert!(record.strangers(&["other"]).is_empty());
    }
}

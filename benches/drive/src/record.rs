//! Raw results: files of lines, the first about the machine, the others one process each.

use crate::Result;
use crate::machine::Machine;
use bench_harness::Answer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// `quick`, `full`, `grow`.
    pub plan: String,
    /// UTC, `2026-01-31-1200`.
    pub start: String,
    /// On what.
    pub machine: Machine,
    /// Who could not be measured, and why.
    #[serde(default)]
    pub left_out: BTreeMap<String, String>,
}

/// One process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// `problem/case`.
    pub case: String,
    /// By name.
    pub peer: String,
    /// Worker threads.
    pub workers: usize,
    /// On the case's axis.
    pub size: usize,
    /// Which process of this peer at this point, from 0.
    pub process: usize,
    /// What it said.
    #[serde(default)]
    pub answer: Answer,
    /// Or why it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A file of results.
#[derive(Debug)]
pub struct Results {
    /// What it was measured on.
    pub head: Head,
    /// In the order in which they were run.
    pub records: Vec<Record>,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Writer {
    file: fs::File,
    /// Where.
    pub path: PathBuf,
}

impl Writer {
    /// Starts a file in `folder`.
    ///
    /// # Errors
    /// It can't be written.
    pub fn new(folder: &Path, head: &Head) -> Result<Writer> {
        let path = folder.join(format!("{}-{}.jsonl", head.start, head.plan));
        let file = fs::create_dir_all(folder).and_then(|()| fs::File::create(&path));
        let mut writer = Writer { file: file.map_err(|error| format!("{}: {error}", path.display()))?, path };
        writer.line(head)?;
        Ok(writer)
    }

    /// Adds a line.
    ///
    /// # Errors
    /// It can't be written.
    pub fn line(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
        writeln!(self.file, "{text}").map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// Reads a file.
///
/// # Errors
/// It can't be read, or a line is none of ours.
pub fn read(path: &Path) -> Result<Results> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let mut lines = text.lines();
    let head = lines.next().ok_or_else(|| wrong(&"it is empty"))?;
    let head = serde_json::from_str(head).map_err(|error| wrong(&error))?;
    let records: serde_json::Result<Vec<Record>> = lines.map(serde_json::from_str).collect();
    Ok(Results { head, records: records.map_err(|error| wrong(&error))? })
}

/// For each machine the last file of each plan, by the machine's folder.
///
/// # Errors
/// As of [`read`].
pub fn latest(folder: &Path) -> Result<BTreeMap<String, BTreeMap<String, Results>>> {
    let mut all: BTreeMap<String, BTreeMap<String, Results>> = BTreeMap::new();
    for machine in entries(folder) {
        for path in
            entries(&machine).into_iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        {
            let results = read(&path)?;
            let name = machine.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // In order of time: a later file takes the place of an earlier one.
            all.entry(name).or_default().insert(results.head.plan.clone(), results);
        }
    }
    Ok(all)
}

/// What is in a folder, sorted; nothing if it is not there.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

//! The heads of the files of models: what each model claims, under which bound, what it took, and which mutants make it fail.
//!
//! The section `# Models`, the last of a head, is written by `cargo xtask models --record` from what the models say about
//! themselves and from `docs/models.txt`; `cargo xtask models` compares.

use crate::Result;
use crate::catalogue::Model;
use crate::record::{DEEP, Record, Seen};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const TITLE: &str = "//! # Models";

const COLUMNS: usize = 120;

/// Writes the heads, or says which are stale.
pub fn settle(root: &Path, models: &[Model], record: &Record, is_check: bool) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for model in models {
        files.entry(&model.path).or_default().push_str(&item(model, record));
    }
    for (path, items) in files {
        let file = root.join(path);
        let text = fs::read_to_string(&file).map_err(|error| format!("{path}: {error}"))?;
        let fresh = with_section(&text, &items);
        if is_check && fresh != text {
            faults.push(format!("the head of {path} is stale: run `cargo xtask models --record`"));
        } else if fresh != text {
            fs::write(&file, fresh).map_err(|error| format!("{path}: {error}"))?;
        }
    }
    Ok(faults)
}

/// What the head says of one model.
fn item(model: &Model, record: &Record) -> String {
    let about = &model.about;
    let took = |seen: &Seen| format!("{} schedules, {} s", seen.schedules, seen.seconds);
    let own = record.get(&about.name, &about.bound);
    let bound = match about.bound.as_str() {
        "exhaustive" => "exhaustive".to_owned(),
        number => format!("at most {number} preemptions"),
    };
    let bound = match &about.because {
        Some(reason) => format!("{bound} ({reason})"),
        None => bound,
    };
    let mut text = format!("- `{}`: {}.", about.name, about.claim);
    match own {
        Some(seen) => text.push_str(&format!(" {} threads, {bound}: {}", seen.threads, took(seen))),
        None => text.push_str(&format!(" {bound}: not recorded")),
    }
    if let Some(seen) = record.get(&about.name, DEEP).filter(|_| about.bound != DEEP) {
        text.push_str(&format!("; {DEEP}: {}", took(seen)));
    }
    let mutants: Vec<&str> = about.kills.iter().map(|kill| kill.mutant.as_str()).collect();
    text.push_str(&format!(". Fails under {}.", mutants.join(", ")));
    wrap(&text)
}

fn wrap(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), "//!".to_owned());
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > COLUMNS {
            lines.push_str(&line);
            lines.push('\n');
            line = "//!  ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    format!("{lines}{line}\n")
}

/// The file with this section at the end of its head.
fn with_section(text: &str, items: &str) -> String {
    let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let rest: String = text.lines().skip(head.len()).map(|line| format!("{line}\n")).collect();
    let own = head.iter().take_while(|line| **line != TITLE).copied().collect::<Vec<_>>().join("\n");
    let own = own.trim_end_matches("\n//!");
    format!("{own}\n//!\n{TITLE}\n{items}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_replaced_and_kept() {
        let added = with_section("//! A.\n//!\n//! B.\n\nfn f() {}\n", "//! - `m`: x.\n");
        assert_eq!(added, "//! A.\n//!\n//! B.\n//!\n//! # Models\n//! - `m`: x.\n\nfn f() {}\n");
        assert_eq!(with_section(&added, "//! - `m`: x.\n"), added);
        assert_eq!(with_section(&added, "//! - `n`: y.\n"), added.replace("`m`: x", "`n`: y"));
    }

    #[test]
    fn long_items_are_wrapped() {
        let text = format!("- `m`: {}.", ["word"; 60].join(" "));
        let lines = wrap(&text);
        assert!(lines.lines().count() > 2);
        assert!(lines.lines().all(|line| line.len() <= COLUMNS && line.starts_with("//! ")), "{lines}");
        assert_eq!(lines.replace("\n//!   ", " ").trim(), format!("//! {text}"));
    }
}

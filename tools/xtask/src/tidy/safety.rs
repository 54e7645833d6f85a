//! What SAFETY comments say, and where citations of invariants lead.

use super::Finding;
use crate::invariants::{is_label, labels};
use crate::source::Source;
use crate::tree::{File, Tree};
use std::collections::BTreeMap;

/// Words that look like a reason and are none.
const FILLER: [&str; 8] = [
    "trust me",
    "this is safe",
    "it is safe",
    "is fine",
    "is sound",
    "obviously",
    "should be safe",
    "see above",
];

/// In the product a SAFETY comment cites an invariant by its label, or gives a reason of at least three words.
pub fn comments(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| file.is_product()) {
        for index in (0..source.comments.len()).filter(|&index| source.comments[index].contains("SAFETY:")) {
            let reason = reason(source, index);
            let words = reason.split_whitespace().count();
            let cites = cited(&reason).next().is_some() || reason.to_lowercase().contains("as above");
            let is_filler = FILLER.iter().any(|filler| reason.to_lowercase().contains(filler));
            if !cites && (words < 3 || is_filler) {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("cites nothing: {:?}", reason.trim()),
                ));
            }
        }
    }
    findings
}

/// The text after `SAFETY:`, with the comment lines that continue it.
fn reason(source: &Source, index: usize) -> String {
    let mut text = source.comments[index].split("SAFETY:").nth(1).unwrap_or_default().to_owned();
    for at in index + 1..source.comments.len() {
        let next = source.comments[at].trim().trim_start_matches('/');
        if next.is_empty() || next.contains("SAFETY:") || !source.code[at].trim().is_empty() {
            break;
        }
        text.push(' ');
        text.push_str(next.trim());
    }
    text
}

/// The labels in a text: `I3`, `V12`.
fn cited(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| is_label(word))
}

/// A SAFETY comment's `I3` is stated in the head of its file, or of the file that the comment names; other letters
/// (`S2`, `V7`) are stated once somewhere in the package.
pub fn citations(tree: &Tree) -> Vec<Finding> {
    let mut stated: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (file, _) in tree.rust() {
        stated.insert(&file.path, labels(tree, file));
    }
    let mut findings = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| file.is_product()) {
        for index in (0..source.comments.len()).filter(|&index| source.comments[index].contains("SAFETY:")) {
            let reason = reason(source, index);
            let homes: Vec<&str> =
                stated.keys().copied().filter(|path| is_home(path, file, &reason)).collect();
            let package = format!("{}/", file.package());
            for label in cited(&reason) {
                let is_stated = |path: &str| stated[path].iter().any(|known| known == label);
                let is_known = if label.starts_with('I') {
                    homes.iter().any(|path| is_stated(path))
                } else {
                    stated.keys().any(|path| path.starts_with(&package) && is_stated(path))
                };
                if !is_known {
                    findings.push(Finding::new(
                        &file.path,
                        index + 1,
                        format!("cites {label}, which no head states"),
                    ));
                }
            }
        }
    }
    findings
}

/// Whether the invariants of `path` may be meant: the file itself, or a file of the package that is named.
fn is_home(path: &str, file: &File, reason: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.trim_end_matches(".rs");
    let is_named = reason.contains(&format!("`{name}`")) || reason.contains(&format!("`crate::{stem}`"));
    path == file.path || (is_named && path.starts_with(&format!("{}/", file.package())))
}

#[cfg(test)]
mod tests {
    use super::super::{check, check_tree};
    use super::*;

    const FILE: &str = "crates/a/src/a.rs";

    #[test]
    fn a_reason_cites_or_explains() {
        for text in ["I3.", "as above.", "the caller's promise.", "I1 and the assertion."] {
            check(comments, FILE, &format!("// SAFETY: {text}\nx"), &[]);
        }
        check(comments, FILE, "// SAFETY:\n// the caller's promise.\nx", &[]);
        for text in ["", "scheduled.", "trust me, it works", "This is safe here."] {
            check(comments, FILE, &format!("// SAFETY: {text}\n// SAFETY: I1"), &[(1, "cites nothing")]);
        }
        check(comments, "crates/a/tests/a.rs", "// SAFETY: scheduled.", &[]);
    }

    #[test]
    fn citations_lead_to_a_head() {
        let head = "//! # Invariants\n//! - I1: one,\n//!   two.\n//! - S1: three.\n";
        let cite = |text| format!("//! B.\n// SAFETY: {text}\nx");
        check(citations, FILE, &format!("{head}// SAFETY: I1 and S1.\n"), &[]);
        check(citations, FILE, &format!("{head}// SAFETY: I2.\n"), &[(5, "cites I2")]);
        let check_other = |text, expected: &[(usize, &str)]| {
            check_tree(citations, &[(FILE, head), ("crates/a/src/b.rs", &cite(text))], expected);
        };
        check_other("I1 of `a.rs`.", &[]);
        check_other("I1.", &[(2, "cites I1")]);
        check_other("S1.", &[]);
        check_other("S2.", &[(2, "cites S2")]);
    }
}

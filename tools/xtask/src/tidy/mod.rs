//! `cargo xtask tidy`: the house rules that can be checked by looking at text.
//!
//! | module | rules |
//! |---|---|
//! | `length` | files of at most 500 lines without tests, functions of at most 70; exceptions only shrink |
//! | `allowed` | unsafe code, std's atomics and `cfg(raddle_loom)` only where they are allowed |
//! | `orderings` | orderings that protocols rest on have names |
//! | `words` | heads of modules, words that stay out of code, sleeps, machine paths |
//! | `manifest` | what published packages say of themselves |
//! | `safety` | what a SAFETY comment cites, and that citations lead somewhere |
//!
//! Each rule is a function from the tree to findings, and has a test that shows it firing.

mod allowed;
mod length;
mod manifest;
mod orderings;
mod safety;
mod words;

use crate::Result;
use crate::options::Options;
use crate::tree::Tree;
use std::path::Path;

/// Something to repair.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    /// From 1; 0 is the whole file.
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into() }
    }
}

/// From the tree to what is wrong with it.
type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [(&str, Rule); 12] = [
    ("length", length::check),
    ("unsafe", allowed::unsafe_code),
    ("atomics", allowed::atomics),
    ("cfg", allowed::model_cfg),
    ("orderings", orderings::named),
    ("head", words::module_head),
    ("words", words::banned),
    ("sleep", words::sleeps),
    ("paths", words::machine_paths),
    ("manifest", manifest::complete),
    ("safety", safety::comments),
    ("citation", safety::citations),
];

/// Applies every rule to the repository.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let mut tree = Tree::read(root)?;
    if options.has("shrink") && length::shrink(root, &tree)? {
        tree = Tree::read(root)?;
    }
    let mut count = 0;
    for (name, rule) in RULES {
        let mut findings = rule(&tree);
        findings.sort();
        for Finding { path, line, text } in &findings {
            let line = if *line == 0 { String::new() } else { format!(":{line}") };
            println!("{path}{line}: {name}: {text}");
        }
        count += findings.len();
    }
    println!("{} files, {} rules, {count} findings", tree.files.len(), RULES.len());
    if count == 0 { Ok(()) } else { Err("not tidy".to_owned()) }
}

/// Expects these findings, by line and a part of the text, of one rule on one file.
#[cfg(test)]
fn check(rule: Rule, path: &str, text: &str, expected: &[(usize, &str)]) {
    check_tree(rule, &[(path, text)], expected);
}

#[cfg(test)]
fn check_tree(rule: Rule, files: &[(&str, &str)], expected: &[(usize, &str)]) {
    let mut findings = rule(&Tree::of(files));
    findings.sort();
    assert_eq!(findings.len(), expected.len(), "{findings:#?}");
    for (finding, (line, text)) in findings.iter().zip(expected) {
        assert!(finding.line == *line && finding.text.contains(text), "{finding:?} is not {line}: {text}");
    }
}

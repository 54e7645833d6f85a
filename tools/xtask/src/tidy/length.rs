//! Files and functions that are too long, and the list of those that were and may only shrink.
//!
//! The list has lines `file PATH LINES` and `fn PATH::NAME LINES`. A number that is larger than the truth is a
//! finding as well, so that what was gained is not lost again; `cargo xtask tidy --shrink` lowers the numbers.

use super::Finding;
use crate::Result;
use crate::tree::Tree;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The longest file, tests not counted. Unit: lines.
const FILE_LINES_MAX: usize = 500;

/// The longest function. Unit: lines, signature and braces included.
const FUNCTION_LINES_MAX: usize = 70;

const LIST: &str = "tools/xtask/red-zone.txt";

const HEAD: &str = "\
# What is longer than the rules allow, with its present number of lines. Numbers only go down:
# `cargo xtask tidy --shrink` lowers them and drops what is short enough.
";

/// Everything too long, and every number that is not true.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let actual = measure(tree);
    let listed = listed(tree);
    let mut findings = Vec::new();
    for (name, &(lines, line, max)) in &actual {
        let path = name.split([' ', ':']).nth(1).unwrap_or_default();
        let text = match listed.get(name) {
            None => format!("{name}: {lines} lines, at most {max}"),
            Some(&known) if lines > known => format!("{name} has grown from {known} to {lines} lines"),
            Some(&known) if lines < known => {
                format!("{name} shrank from {known} to {lines} lines: `cargo xtask tidy --shrink`")
            }
            Some(_) => continue,
        };
        findings.push(Finding::new(path, line, text));
    }
    for name in listed.keys().filter(|name| !actual.contains_key(*name)) {
        findings.push(Finding::new(
            LIST,
            0,
            format!("{name} is not too long any more: `cargo xtask tidy --shrink`"),
        ));
    }
    findings
}

/// Lowers the numbers of the list; says whether the file changed.
pub fn shrink(root: &Path, tree: &Tree) -> Result<bool> {
    let (actual, listed) = (measure(tree), listed(tree));
    let mut text = HEAD.to_owned();
    for (name, known) in &listed {
        if let Some(&(lines, ..)) = actual.get(name) {
            text.push_str(&format!("{name} {}\n", lines.min(*known)));
        }
    }
    let is_new = tree.get(LIST).is_none_or(|file| file.text != text);
    if is_new {
        fs::write(root.join(LIST), text).map_err(|error| format!("{LIST}: {error}"))?;
    }
    Ok(is_new)
}

/// What is too long: lines, the line it starts at, and the limit.
fn measure(tree: &Tree) -> BTreeMap<String, (usize, usize, usize)> {
    let mut long = BTreeMap::new();
    for (file, source) in tree.rust() {
        let lines = source.product_lines();
        if lines > FILE_LINES_MAX && !file.is_test() {
            long.insert(format!("file {}", file.path), (lines, 0, FILE_LINES_MAX));
        }
        for function in source.functions().iter().filter(|function| function.lines() > FUNCTION_LINES_MAX) {
            let name = format!("fn {}::{}", file.path, function.name);
            long.insert(name, (function.lines(), function.first + 1, FUNCTION_LINES_MAX));
        }
    }
    long
}

fn listed(tree: &Tree) -> BTreeMap<String, usize> {
    let lines = tree.get(LIST).map_or("", |file| file.text.as_str()).lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, lines)| Some((name.to_owned(), lines.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{check as expect, check_tree};
    use super::*;

    fn file(lines: usize) -> String {
        "// x\n".repeat(lines)
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    x;\n".repeat(lines - 2))
    }

    #[test]
    fn long_files_are_found_unless_they_are_tests() {
        expect(check, "crates/a/src/a.rs", &file(500), &[]);
        expect(check, "crates/a/src/a.rs", &file(501), &[(0, "501 lines, at most 500")]);
        expect(check, "crates/a/tests/a.rs", &file(501), &[]);
        let with_tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", file(400), file(300));
        expect(check, "crates/a/src/a.rs", &with_tests, &[]);
    }

    #[test]
    fn long_functions_are_found() {
        expect(check, "crates/a/src/a.rs", &function(70), &[]);
        expect(check, "crates/a/src/a.rs", &function(71), &[(1, "long: 71 lines, at most 70")]);
    }

    #[test]
    fn the_list_only_shrinks() {
        let path = "crates/a/src/a.rs";
        let check_list = |lines, known, expected: &[(usize, &str)]| {
            let list = format!("# head\nfile {path} {known}\n");
            check_tree(check, &[(path, &file(lines)), (LIST, &list)], expected);
        };
        check_list(600, 600, &[]);
        check_list(601, 600, &[(0, "has grown from 600 to 601")]);
        check_list(599, 600, &[(0, "shrank from 600 to 599")]);
        check_list(500, 600, &[(0, "not too long any more")]);
    }

    #[test]
    fn shrinking_writes_the_truth_but_never_a_larger_number() {
        let root = std::env::temp_dir().join(format!("xtask-shrink-{}", std::process::id()));
        fs::create_dir_all(root.join("tools/xtask")).unwrap();
        let list = "file b.rs 700\nfile c.rs 510\nfile d.rs 510\n";
        let tree = Tree::of(&[("b.rs", &file(600)), ("c.rs", &file(10)), ("d.rs", &file(520)), (LIST, list)]);
        assert!(shrink(&root, &tree).unwrap());
        assert_eq!(
            fs::read_to_string(root.join(LIST)).unwrap(),
            format!("{HEAD}file b.rs 600\nfile d.rs 510\n")
        );
        fs::remove_dir_all(&root).unwrap();
    }
}

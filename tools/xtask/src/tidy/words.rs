//! Words that must be there, and words that must not.

use super::Finding;
use super::allowed::states;
use crate::tree::Tree;

/// Every file of Rust says in its first lines what it owns.
pub fn module_head(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust() {
        let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let says = first.strip_prefix("//!").is_some_and(|text| !text.trim().is_empty());
        // An attribute may come first: `#![cfg(...)]`, or a text included from a sibling.
        let is_included = source.plain.iter().any(|line| line.contains("#![doc = include_str!("));
        if !says && !is_included {
            findings.push(Finding::new(&file.path, 1, "opens without a `//!` sentence"));
        }
    }
    findings
}

/// Notes to oneself, debugging leftovers, and tests that don't run or that pass by failing.
pub fn banned(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust() {
        for (index, (code, comment)) in source.code.iter().zip(&source.comments).enumerate() {
            let in_code = ["dbg!(", "todo!(", "unimplemented!(", "#[ignore", "should_panic"];
            let in_comment = ["TODO", "FIXME", "XXX"];
            let words = in_code.iter().filter(|word| code.contains(**word));
            for word in words.chain(in_comment.iter().filter(|word| has_word(comment, word))) {
                findings.push(Finding::new(&file.path, index + 1, format!("`{word}`")));
            }
        }
    }
    findings
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|part| part == word)
}

/// A test that sleeps is slow or flaky; one that must says why: `// sleep: reason`.
pub fn sleeps(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust() {
        let is_stated = source.comments.iter().any(|line| states(line, "// sleep: "));
        for (index, line) in source.code.iter().enumerate() {
            let sleeps =
                line.contains("thread::sleep") || (line.contains("thread::{") && has_word(line, "sleep"));
            if sleeps && !is_stated && (file.is_test() || source.in_test[index]) {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    "a test sleeps, and no `// sleep: reason` says why",
                ));
            }
        }
    }
    findings
}

/// Paths of somebody's machine, and package sources other than the public ones.
pub fn machine_paths(tree: &Tree) -> Vec<Finding> {
    // In two parts, so that this file does not find itself.
    const FOLDERS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    const SOURCES: [&str; 6] = [
        concat!("replace", "-with"),
        concat!("[sou", "rce."),
        concat!("[regi", "stries"),
        concat!("index", "-url"),
        concat!("sparse", "+http"),
        concat!("registry", "+http"),
    ];
    const PUBLIC: &str = concat!("registry", "+https://github.com/rust-lang/crates.io-index");
    let mut findings = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            let rest = line.replace(PUBLIC, "");
            for word in FOLDERS.iter().chain(&SOURCES).filter(|word| starts_path(&rest, word)) {
                findings.push(Finding::new(&file.path, index + 1, format!("`{word}` is of one machine")));
            }
        }
    }
    findings
}

/// Whether `line` has `word`; a folder only at the start of a path: `network/` is not a machine's folder.
fn starts_path(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !word.starts_with('/')
            || !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    const FILE: &str = "crates/a/src/a.rs";

    #[test]
    fn a_file_opens_with_a_sentence() {
        check(module_head, FILE, "//! What it owns.\nfn f() {}", &[]);
        check(module_head, FILE, "\n//! What it owns.", &[]);
        check(module_head, FILE, "#![doc = include_str!(\"a.md\")]", &[]);
        for text in ["", "fn f() {}", "// A comment.", "//!\nfn f() {}", "use x;\n//! Late."] {
            check(module_head, FILE, text, &[(1, "without")]);
        }
    }

    #[test]
    fn notes_and_leftovers_are_found() {
        check(
            banned,
            FILE,
            "// a TODO: later\n/* FIXME */\nf(); // XXX",
            &[(1, "TODO"), (2, "FIXME"), (3, "XXX")],
        );
        check(
            banned,
            FILE,
            "dbg!(x);\n#[ignore]\n#[should_panic]\ntodo!()",
            &[(1, "dbg!"), (2, "#[ignore"), (3, "should_panic"), (4, "todo!")],
        );
        check(banned, FILE, "let a = \"TODO dbg!( #[ignore]\"; // TODOS are XXXL", &[]);
    }

    #[test]
    fn tests_that_sleep_say_why() {
        let found = &[(1, "sleeps")];
        check(sleeps, "crates/a/tests/a.rs", "std::thread::sleep(d);", found);
        check(sleeps, "crates/a/tests/a.rs", "use std::thread::{self, sleep};", found);
        check(sleeps, FILE, "#[cfg(test)]\nmod tests {\n    thread::sleep(d);\n}", &[(3, "sleeps")]);
        check(sleeps, FILE, "std::thread::sleep(d);", &[]);
        check(
            sleeps,
            "crates/a/tests/a.rs",
            "// sleep: real time is the claim.\nstd::thread::sleep(d);",
            &[],
        );
        check(sleeps, "crates/a/tests/a.rs", "// sleep: \nstd::thread::sleep(d);", &[(2, "sleeps")]);
    }

    #[test]
    fn paths_of_a_machine_are_found_in_any_file() {
        let folder = ["/wo", "rk/x"].concat();
        check(machine_paths, "a.md", &format!("see {folder}"), &[(1, "of one machine")]);
        check(machine_paths, "a.sh", &format!("cd \"{folder}\""), &[(1, "of one machine")]);
        check(machine_paths, "a.md", &format!("the net{folder}, $HOME{folder}"), &[]);
        check(machine_paths, "a.toml", &["[sou", "rce.crates-io]"].concat(), &[(1, "of one machine")]);
        let lock = |host: &str| ["source = \"registry", "+https://", host, "\""].concat();
        check(machine_paths, "Cargo.lock", &lock("github.com/rust-lang/crates.io-index"), &[]);
        check(machine_paths, "Cargo.lock", &lock("mirror.example/index"), &[(1, "of one machine")]);
    }
}

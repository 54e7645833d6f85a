//! Things that are allowed in few places: unsafe code, std's atomics, the model checker's cfg.

use super::Finding;
use crate::source::Source;
use crate::tree::{File, Tree};
use std::collections::BTreeSet;

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// The product's files that allow unsafe code are those that ARCHITECTURE lists, and every crate denies it elsewhere.
pub fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let listed = listed(tree);
    let mut found = BTreeSet::new();
    for (file, source) in tree.rust().filter(|(file, _)| file.is_product()) {
        let line = source.code.iter().position(|line| allows_unsafe(line));
        if let Some(line) = line {
            found.insert(file.path.clone());
            if !listed.contains(&file.path) {
                findings.push(Finding::new(
                    &file.path,
                    line + 1,
                    "allows unsafe code, and ARCHITECTURE.md does not list it",
                ));
            }
        }
        let is_root = ["/src/lib.rs", "/src/main.rs"].iter().any(|end| file.path.ends_with(end));
        let is_denied = source
            .code
            .iter()
            .any(|line| line.contains("#![deny(unsafe_code") || line.contains("#![forbid(unsafe_code"));
        if is_root && !is_denied {
            findings.push(Finding::new(&file.path, 0, "the crate does not deny unsafe code"));
        }
    }
    for path in listed.difference(&found) {
        findings.push(Finding::new(
            ARCHITECTURE,
            0,
            format!("lists {path} under Unsafe code, which allows none"),
        ));
    }
    findings
}

fn allows_unsafe(line: &str) -> bool {
    ["allow(", "expect("].iter().any(|head| {
        line.match_indices(head)
            .any(|(at, _)| line[at..].split(')').next().is_some_and(|list| list.contains("unsafe_code")))
    })
}

/// The paths of Rust files in the section `## Unsafe code`.
fn listed(tree: &Tree) -> BTreeSet<String> {
    let text = tree.get(ARCHITECTURE).map_or("", |file| file.text.as_str());
    let section =
        text.split("## Unsafe code").nth(1).unwrap_or_default().split("\n## ").next().unwrap_or_default();
    section.split('`').filter(|word| word.ends_with(".rs") && word.contains('/')).map(str::to_owned).collect()
}

/// Protocols take atomics, cells and parking from `crates/sync`, so that the model checker sees them. A file whose
/// atomics are no part of a protocol says why: `// std atomics: reason`.
pub fn atomics(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let files = tree.rust().filter(|(file, _)| file.is_product() && file.path.starts_with("crates/"));
    for (file, source) in files.filter(|(file, _)| file.package() != "crates/sync") {
        if source.comments.iter().any(|line| states(line, "// std atomics: ")) {
            continue;
        }
        each_product_line(source, |number, line| {
            let line: String = line.split_whitespace().collect();
            let is_atomic =
                ["std::sync::atomic", "core::sync::atomic", "loom::"].iter().any(|path| line.contains(path))
                    || (line.contains("std::sync::{") && line.contains("atomic"));
            let is_park = line.contains("std::thread::park")
                || (line.contains("std::thread::{") && line.contains("park"));
            if is_atomic || is_park {
                findings.push(Finding::new(&file.path, number, "atomics and parking come from raddle_sync"));
            }
        });
    }
    findings
}

/// Types change under the model checker in `crates/sync` alone. Elsewhere the cfg may shrink constants
/// (`tuning.rs`, `word.rs`), open `internals`, keep native unit tests out of the models' build, and state a layout
/// that only the product has. The stand-in of the deque is declared, and switched to in `deque.rs`.
pub fn model_cfg(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| !file.is_test() && file.package() != "crates/sync") {
        for (index, line) in source.code.iter().enumerate() {
            if line.contains("raddle_loom") && !is_cfg_allowed(file, source, index) {
                findings.push(Finding::new(&file.path, index + 1, "`raddle_loom` belongs into crates/sync"));
            }
        }
    }
    findings
}

fn is_cfg_allowed(file: &File, source: &Source, index: usize) -> bool {
    let line = &source.code[index];
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let mut after = source.code[index + 1..].iter().map(|line| line.trim());
    let next = after.find(|line| !line.is_empty() && !line.starts_with("#[")).unwrap_or_default();
    name == "tuning.rs"
        || file.path == "crates/task/src/deque.rs"
        || next.starts_with("mod chase_lev")
        || (name == "word.rs" && line.contains("cfg!(raddle_loom)"))
        || line.contains("cfg_attr(not(raddle_loom), repr(")
        || line.trim_start().starts_with("#[cfg(all(test, not(raddle_loom)))]")
        || next.starts_with("pub mod internals")
        || file.path == "crates/task/src/deque.rs"
        || next.starts_with("mod chase_lev;")
        || next.starts_with("const _: () = assert!")
}

/// Whether a comment has this head and a reason behind it.
pub fn states(comment: &str, head: &str) -> bool {
    comment.split_once(head).is_some_and(|(_, reason)| !reason.trim().is_empty())
}

fn each_product_line(source: &Source, mut visit: impl FnMut(usize, &str)) {
    let lines = source.code.iter().zip(&source.in_test).enumerate();
    lines.filter(|(_, (_, is_test))| !**is_test).for_each(|(index, (line, _))| visit(index + 1, line));
}

#[cfg(test)]
mod tests {
    use super::super::{check, check_tree};
    use super::*;

    #[test]
    fn unsafe_files_and_the_list_agree() {
        let file = ("crates/a/src/a.rs", "#![allow(dead_code, unsafe_code)]");
        let list = |paths| format!("# A\n## Unsafe code\n- {paths}: why\n\n## Next\n`crates/x/src/x.rs`\n");
        check_tree(unsafe_code, &[file, (ARCHITECTURE, &list("`crates/a/src/a.rs`"))], &[]);
        check_tree(unsafe_code, &[file], &[(1, "does not list it")]);
        let gone = list("`crates/a/src/a.rs`, `crates/a/src/gone.rs`");
        check_tree(unsafe_code, &[file, (ARCHITECTURE, &gone)], &[(0, "lists crates/a/src/gone.rs")]);
        check(unsafe_code, "crates/a/tests/a.rs", file.1, &[]);
    }

    #[test]
    fn a_crate_denies_unsafe_code() {
        check(unsafe_code, "crates/a/src/lib.rs", "#![deny(unsafe_code)]", &[]);
        check(unsafe_code, "crates/a/src/lib.rs", "// #![deny(unsafe_code)]", &[(0, "does not deny")]);
    }

    #[test]
    fn atomics_come_from_the_shim() {
        for line in [
            "use std::sync::atomic::AtomicBool;",
            "use std::sync::{Arc, atomic::AtomicBool};",
            "std::thread::park();",
            "use std::thread::{park, spawn};",
            "use loom::sync::Arc;",
        ] {
            check(atomics, "crates/a/src/a.rs", line, &[(1, "raddle_sync")]);
            check(atomics, "crates/sync/src/a.rs", line, &[]);
            check(atomics, "crates/a/tests/a.rs", line, &[]);
            check(atomics, "crates/a/src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{line}\n}}"), &[]);
            check(atomics, "crates/a/src/a.rs", &format!("// {line}"), &[]);
            check(atomics, "crates/a/src/a.rs", &format!("// std atomics: a counter.\n{line}"), &[]);
        }
    }

    #[test]
    fn the_cfg_has_few_places() {
        let found = &[(1, "crates/sync")];
        check(model_cfg, "crates/a/src/a.rs", "#[cfg(raddle_loom)]\nuse x::Y;", found);
        check(model_cfg, "crates/a/src/a.rs", "const N: u32 = if cfg!(raddle_loom) { 1 } else { 2 };", found);
        check(
            model_cfg,
            "crates/a/src/word.rs",
            "const N: u32 = if cfg!(raddle_loom) { 1 } else { 2 };",
            &[],
        );
        check(model_cfg, "crates/a/src/word.rs", "#[cfg(raddle_loom)]\nuse x::Y;", found);
        for (path, text) in [
            ("crates/sync/src/a.rs", "#[cfg(raddle_loom)]\nuse x::Y;"),
            ("crates/a/src/tuning.rs", "const N: u32 = if cfg!(raddle_loom) { 1 } else { 2 };"),
            ("crates/a/src/lib.rs", "#[cfg(raddle_loom)]\n#[doc(hidden)]\npub mod internals {}"),
            ("crates/task/src/lib.rs", "#[cfg(raddle_loom)]\nmod chase_lev;"),
            ("crates/task/src/deque.rs", "#[cfg(raddle_loom)]\npub use x::Y;"),
            ("crates/a/src/a.rs", "#[cfg_attr(not(raddle_loom), repr(align(64)))]"),
            ("crates/a/src/a.rs", "#[cfg(not(raddle_loom))]\nconst _: () = assert!(true);"),
            ("crates/a/src/a.rs", "#[cfg(all(test, not(raddle_loom)))]\nmod tests {}"),
            ("crates/a/tests/loom_a.rs", "#![cfg(raddle_loom)]"),
        ] {
            check(model_cfg, path, text, &[]);
        }
    }
}

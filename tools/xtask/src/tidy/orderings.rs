//! Orderings that a protocol rests on have names.

use super::Finding;
use super::allowed::states;
use crate::tree::Tree;

const STRONG: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];

/// How many lines rustfmt puts between `ord!(` and its ordering.
const SPLIT_LINES: usize = 2;

/// An ordering that is stronger than Relaxed is written as `ord!` or `fence!`, so that a mutant can weaken it and a model
/// is seen to fail, or the file says why not: `// orderings: reason`. Files with atomics of std's own say so already.
pub fn named(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let files = tree.rust().filter(|(file, _)| file.is_product() && file.path.starts_with("crates/"));
    for (file, source) in files.filter(|(file, _)| file.package() != "crates/sync") {
        let heads = ["// orderings: ", "// std atomics: "];
        if source.comments.iter().any(|line| heads.iter().any(|head| states(line, head))) {
            continue;
        }
        for (index, line) in source.code.iter().enumerate().filter(|(index, _)| !source.in_test[*index]) {
            let before = &source.code[index.saturating_sub(SPLIT_LINES)..=index];
            let is_named = before.iter().any(|line| line.contains("ord!(") || line.contains("fence!("));
            let is_import = line.trim_start().starts_with("use ") || line.trim_end().ends_with("},");
            if has_strong(line) && !is_named && !is_import {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    "an ordering without a name: write `ord!`",
                ));
            }
        }
    }
    findings
}

fn has_strong(line: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| STRONG.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    const FILE: &str = "crates/a/src/a.rs";

    #[test]
    fn strong_orderings_have_names() {
        for line in
            ["x.load(Acquire);", "x.store(1, Ordering::Release);", "fence(SeqCst);", "y(AcqRel, Relaxed)"]
        {
            check(named, FILE, line, &[(1, "without a name")]);
            check(named, "crates/sync/src/a.rs", line, &[]);
            check(named, "crates/a/tests/a.rs", line, &[]);
            check(named, FILE, &format!("// {line}"), &[]);
            check(named, FILE, &format!("#[cfg(test)]\nmod tests {{\n{line}\n}}"), &[]);
            check(named, FILE, &format!("// orderings: a counter.\n{line}"), &[]);
        }
        for line in [
            "x.load(ord!(\"a.b\", Acquire));",
            "x.load(ord!(\n\"a.b\",\nAcquire\n));",
            "fence!(\"a.b\", Release);",
            "use raddle_sync::atomic::Ordering::Acquire;",
            "x.load(Relaxed);",
            "let release = AcquireGuard::new();",
        ] {
            check(named, FILE, line, &[]);
        }
    }
}

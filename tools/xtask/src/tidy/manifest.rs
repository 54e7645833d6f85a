//! What the manifests of published packages say, and what lies beside them.
//!
//! Not here: that they can be packaged at all, which the stage `clippy` shows (`../ci.rs`).

use super::Finding;
use crate::tree::Tree;

/// A registry shows these; each package gives them, or takes them from the workspace.
const KEYS: [&str; 7] =
    ["description", "license", "rust-version", "version", "authors", "categories", "keywords"];

/// Files beside a manifest, and what they say at least.
const BESIDE: [(&str, &str); 2] = [("README.md", ""), ("LICENSE", "Apache License")];

/// Each package that is published says what it is, in its manifest and its README, and carries its licence.
pub fn complete(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { continue };
        let is_ours = folder.starts_with("crates/") || folder.starts_with("tools/");
        let lines = package(&file.text);
        if !is_ours || lines.iter().any(|line| line.replace(' ', "") == "publish=false") {
            continue;
        }
        let gives = |key: &&str| lines.iter().any(|line| line.split([' ', '=', '.']).next() == Some(*key));
        for key in KEYS.iter().filter(|key| !gives(key)) {
            findings.push(Finding::new(&file.path, 0, format!("is published without `{key}`")));
        }
        for (name, says) in BESIDE {
            let beside = tree.get(&format!("{folder}/{name}"));
            if beside.is_none_or(|beside| beside.text.is_empty() || !beside.text.contains(says)) {
                findings.push(Finding::new(&file.path, 0, format!("is published without a {name}")));
            }
        }
    }
    findings
}

/// The lines of the section `[package]`.
fn package(text: &str) -> Vec<&str> {
    let section = text.lines().map(str::trim).skip_while(|line| *line != "[package]").skip(1);
    section.take_while(|line| !line.starts_with('[')).collect()
}

#[cfg(test)]
mod tests {
    use super::super::check_tree;
    use super::complete;

    const WHOLE: &str = "[package]\nname = \"a\"\ndescription = \"b\"\nlicense.workspace = true\nrust-version = \"1\"\n\
                         version.workspace = true\nauthors.workspace = true\ncategories.workspace = true\nkeywords.workspace = true\n";

    #[test]
    fn published_packages_say_what_they_are() {
        let beside = [("crates/a/README.md", "a"), ("crates/a/LICENSE", "Apache License")];
        let of = |text| [beside[0], beside[1], ("crates/a/Cargo.toml", text)];
        check_tree(complete, &of(WHOLE), &[]);
        let without = WHOLE.replace("description", "[lints]\ndescription");
        check_tree(
            complete,
            &of(&without),
            &[
                (0, "`authors`"),
                (0, "`categories`"),
                (0, "`description`"),
                (0, "`keywords`"),
                (0, "`license`"),
                (0, "`rust-version`"),
                (0, "`version`"),
            ],
        );
        let empty = [("crates/a/README.md", ""), ("crates/a/LICENSE", "another"), of(WHOLE)[2]];
        check_tree(complete, &empty, &[(0, "a LICENSE"), (0, "a README.md")]);
        check_tree(complete, &[("tools/a/Cargo.toml", WHOLE)], &[(0, "a LICENSE"), (0, "a README.md")]);
        check_tree(complete, &[("tools/a/Cargo.toml", "[package]\npublish = false\n")], &[]);
        check_tree(complete, &[("tests/fuzz/Cargo.toml", "[package]\n")], &[]);
    }
}

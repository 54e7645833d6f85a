//! `docs/migration.md` names every public function of IREE's that a host calls, and nothing of ours that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect()
}

#[test]
fn every_function_of_iree_s_has_a_row() {
    let (list, page) = (read("tests/iree_functions.txt"), read("../../docs/migration.md"));
    let named = words(&page);
    let known: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(known.len() > 200, "the list is there");
    let missing: Vec<&&str> = known.iter().filter(|name| !named.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/migration.md does not name {missing:?}");
    for line in page.lines().filter(|line| line.starts_with("| `iree_")) {
        let cells: Vec<&str> = line.split('|').collect();
        assert!(
            cells.len() == 4 && cells[2].trim().len() > 3,
            "a row says what it is here, or why not: {line}"
        );
    }
}

#[test]
fn every_function_of_ours_that_the_pages_name_is_there() {
    let header = read("include/raddle.h");
    let declared = words(&header);
    for page in ["../../docs/migration.md", "../../docs/embedding.md"] {
        let text = read(page);
        for name in words(&text).into_iter().filter(|word| word.to_lowercase().starts_with("raddle_")) {
            let is_pattern = name.ends_with('_') || name == "RADDLE_0";
            assert!(is_pattern || declared.contains(name), "{page}: {name} is not in raddle.h");
        }
    }
}

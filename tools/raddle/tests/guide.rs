//! The README's main job, and every command of the guide to batches, run as they stand there.

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A folder from which the repository's tests are reached as in the guide, and in which it leaves its files.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    let root = Path::new(ROOT).canonicalize().unwrap();
    std::os::unix::fs::symlink(root.join("tests"), path.join("tests")).unwrap();
    path
}

/// Runs a script of the shell there; `raddle` is this build's. What it wrote to standard output.
fn run(folder: &Path, script: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_raddle")).parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    let output = command.current_dir(folder).env("PATH", &path).args(["-euc", script]).output().unwrap();
    let [out, told] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{script}\n{out}\n{told}");
    out
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of a kind in a page.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let begin = format!("```{kind}\n");
    page.split(&*begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_main_job_of_the_readme_does_what_it_says() {
    let folder = folder("readme");
    std::fs::create_dir(folder.join("target")).unwrap();
    let readme = read(&Path::new(ROOT).join("README.md"));
    let command = blocks(&readme, "sh")[0];
    let rest =
        command.strip_prefix("cargo run --release --package raddle-cli -- ").expect("it runs this program");
    let out = run(&folder, &format!("raddle {rest}"));
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!((number("succeeded"), number("failed")), (3000, 0), "{out}");
    // How many depends on the machine; more than threads, and more than none.
    assert!(number("in_flight_most") > 2 && number("suspended_awaits") > 0, "{out}");
    assert!(number("waits") >= 3000, "each image arrives later: {out}");
    let expected = read(&Path::new(ROOT).join("tests/inputs/digits.expected.jsonl"));
    assert!(read(&folder.join("target/digits.jsonl")) == expected, "other digits than expected");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn every_command_of_the_guide_works() {
    let folder = folder("guide");
    let guide = read(&Path::new(ROOT).join("docs/batch.md"));
    let (mut blocks, tables) = (blocks(&guide, "sh"), blocks(&guide, "sh tables"));
    assert!(blocks.len() >= 6, "the guide has {} blocks of commands", blocks.len());
    assert_eq!(
        guide.matches("```").count(),
        2 * (blocks.len() + tables.len()),
        "a block is of no known kind"
    );
    // They begin with how to build what this test runs.
    let built = |block: &&str| block.lines().next().unwrap().ends_with("--features parquet");
    assert!(!tables.is_empty() && tables.iter().all(built));
    if cfg!(feature = "parquet") {
        blocks.extend(tables.iter().map(|block| block.split_once('\n').unwrap().1));
    }
    for block in blocks {
        run(&folder, block);
    }
    let _ = std::fs::remove_dir_all(&folder);
}

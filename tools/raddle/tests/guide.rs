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

/// The blocks of commands in a page.
fn blocks(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_main_job_of_the_readme_does_what_it_says() {
    let folder = folder("readme");
    std::fs::create_dir(folder.join("target")).unwrap();
    let command = blocks("README.md").swap_remove(0);
    let rest =
        command.strip_prefix("cargo run --release --package raddle-cli -- ").expect("it runs this program");
    let out = run(&folder, &format!("raddle {rest}"));
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!((number("succeeded"), number("failed")), (3000, 0), "{out}");
    // How many depends on the machine; more than threads, and more than none.
    assert!(number("in_flight_most") > 2 && number("suspended_awaits") > 0, "{out}");
    assert!(number("waits") >= 3000, "each image arrives later: {out}");
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let expected = read(Path::new(ROOT).join("tests/inputs/digits.expected.jsonl"));
    assert!(read(folder.join("target/digits.jsonl")) == expected, "other digits than expected");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn every_command_of_the_guide_works() {
    let folder = folder("guide");
    let blocks = blocks("docs/batch.md");
    assert!(blocks.len() >= 6, "the guide has {} blocks of commands", blocks.len());
    for block in blocks {
        run(&folder, &block);
    }
    let _ = std::fs::remove_dir_all(&folder);
}

//! Every command of the guide to batches, run as it stands there.

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A folder from which the repository's tests are reached as in the guide, and in which it leaves its files.
fn folder() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guide-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    let root = Path::new(ROOT).canonicalize().unwrap();
    std::os::unix::fs::symlink(root.join("tests"), path.join("tests")).unwrap();
    path
}

#[test]
fn every_command_of_the_guide_works() {
    let guide = std::fs::read_to_string(Path::new(ROOT).join("docs/batch.md")).unwrap();
    let folder = folder();
    let programs = Path::new(env!("CARGO_BIN_EXE_raddle")).parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let of = |kind: &str| -> Vec<&str> {
        let begin = format!("```{kind}\n");
        guide.split(&*begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
    };
    let (mut blocks, tables) = (of("sh"), of("sh tables"));
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
        let mut command = Command::new("sh");
        command.current_dir(&folder).env("PATH", &path).args(["-euc", block]);
        let output = command.output().unwrap();
        let [out, told] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "{block}\n{out}\n{told}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}

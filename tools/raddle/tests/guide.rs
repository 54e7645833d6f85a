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
    let blocks: Vec<&str> =
        guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 6, "the guide has {} blocks of commands", blocks.len());
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

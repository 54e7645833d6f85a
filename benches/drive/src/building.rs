//! Builds the peers' programs, beside the driver.

use crate::peers::{Peer, Program};
use crate::{Result, root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where executables are: where the driver is.
pub fn folder() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    own.parent().map(Path::to_path_buf).ok_or_else(|| "the driver lies in no folder".to_owned())
}

/// Builds what answers for these peers; returns why some can't be measured, by name.
///
/// # Errors
/// A package of ours does not build. What comes from elsewhere (a C++ library) may be missing.
pub fn build(peers: &[&Peer]) -> Result<BTreeMap<String, String>> {
    let mut packages: Vec<&str> = peers.iter().filter_map(|peer| package(peer.program)).collect();
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        cargo(&packages)?;
    }
    let mut missing = BTreeMap::new();
    for peer in peers {
        let built = match peer.program {
            Program::Cpp(stem, libraries) => compile(stem, libraries),
            Program::Fragile(package) => cargo(&[package]),
            Program::Cargo(_) | Program::Heavy(_) => Ok(()),
        };
        if let Err(reason) = built {
            eprintln!("{} is left out: {reason}", peer.name);
            missing.insert(peer.name.to_owned(), reason);
        }
    }
    Ok(missing)
}

fn package(program: Program) -> Option<&'static str> {
    match program {
        Program::Cargo(package) | Program::Heavy(package) => Some(package),
        Program::Cpp(..) | Program::Fragile(_) => None,
    }
}

fn cargo(packages: &[&str]) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--manifest-path"]).arg(root().join("Cargo.toml"));
    command.args(packages.iter().flat_map(|package| ["--package", package]));
    let status = command.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} does not build here: {status}", packages.join(", ")))
    }
}

/// Compiles one source, unless it is older than its executable. The folders of `BENCH_INCLUDE` (with `:` between) are
/// searched for headers as well.
fn compile(stem: &str, libraries: &[&str]) -> Result<()> {
    let folder_of_sources = root().join("peers/cpp");
    let source = folder_of_sources.join(format!("{stem}.cpp"));
    let target = folder()?.join(Program::Cpp("", &[]).name() + stem);
    let header = folder_of_sources.join("peer.hpp");
    if age(&target).is_some_and(|age| [&source, &header].iter().all(|path| self::age(path) > Some(age))) {
        return Ok(());
    }
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let mut command = Command::new(&compiler);
    command.args(["-std=c++20", "-O3", "-DNDEBUG", "-pthread", "-Wall", "-o"]).arg(&target).arg(&source);
    let include = std::env::var("BENCH_INCLUDE").unwrap_or_default();
    command.args(include.split(':').filter(|folder| !folder.is_empty()).map(|folder| format!("-I{folder}")));
    command.args(libraries.iter().map(|library| format!("-l{library}")));
    let output = command.output().map_err(|error| format!("{compiler}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().find(|line| line.contains("error")).unwrap_or("it does not compile");
    // Without the path of whoever runs this.
    Err(first.rsplit_once("error: ").map_or(first, |(_, rest)| rest).trim().to_owned())
}

fn age(path: &Path) -> Option<std::time::Duration> {
    std::fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

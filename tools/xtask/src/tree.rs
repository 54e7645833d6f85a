//! The files of the repository, as text.

use crate::Result;
use crate::source::Source;
use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the repository.
#[derive(Debug)]
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Taken apart, if it is Rust.
    pub source: Option<Source>,
}

impl File {
    /// A file with this text.
    pub fn new(path: &str, text: &str) -> File {
        let source = path.ends_with(".rs").then(|| Source::new(text));
        File { path: path.to_owned(), text: text.to_owned(), source }
    }

    /// Whether the whole file is a test: an integration test, a model, a `tests.rs`, a fuzz target.
    pub fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        parts.iter().any(|part| matches!(*part, "tests" | "fuzz")) || parts.last() == Some(&"tests.rs")
    }

    /// Whether the file is part of what a user runs or links: not a test, an example, a benchmark or this tool.
    pub fn is_product(&self) -> bool {
        self.path.contains("/src/")
            && !self.is_test()
            && (self.path.starts_with("crates/") || self.path.starts_with("tools/raddle/"))
    }

    /// The folder of the package that the file belongs to: `crates/wait`.
    pub fn package(&self) -> String {
        self.path.split('/').take(2).collect::<Vec<_>>().join("/")
    }
}

/// All text files, sorted by path.
#[derive(Debug, Default)]
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the repository at `root`, without build outputs and hidden folders that are not ours.
    pub fn read(root: &Path) -> Result<Tree> {
        let mut paths = Vec::new();
        walk(root, &mut paths)?;
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File::new(&relative(root, &path), &text));
            }
        }
        Ok(Tree { files })
    }

    /// A tree of these files, for tests of rules.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| Some((file, file.source.as_ref()?)))
    }

    /// The file of this path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(|error| error.to_string())?;
        let is_ours = !name.starts_with('.') || matches!(name.as_str(), ".ci" | ".cargo" | ".github");
        if kind.is_dir() && is_ours && name != "target" {
            walk(&entry.path(), paths)?;
        } else if name != ".git" && entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

/// A path below the root as this tool writes it.
pub fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The repository's root: the nearest folder upwards whose `Cargo.toml` holds the workspace.
pub fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    here.ancestors()
        .find(|folder| {
            fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]\n"))
                && folder.join("crates").is_dir()
        })
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("{} is not inside the workspace", here.display()))
}

/// Where build outputs go: `CARGO_TARGET_DIR`, or `target` in the root.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), |folder| root.join(folder))
}

/// The folders of the library crates, sorted: `crates/status`, ….
pub fn crates(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join("crates");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut crates: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("Cargo.toml").is_file())
        .collect();
    crates.sort();
    Ok(crates)
}

/// The name in the manifest of the package at `folder`.
pub fn package_name(folder: &Path) -> Result<String> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| format!("{} names no package", path.display()))
}

/// The stems of the `.rs` files directly in `folder`, sorted; none if there is no such folder.
pub fn stems(folder: &Path) -> Vec<String> {
    let mut stems: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    stems.sort();
    stems
}

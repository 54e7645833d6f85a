//! `cargo xtask install-capi`: the C library as its users get it.
//!
//! rustc can't give a shared library symbol versions, so `cc` links it from the static one, which has the same code.
//!
//! | installed | |
//! |---|---|
//! | `lib/libraddle.so.X.Y.Z` | the shared library, with links `libraddle.so.X` (its soname) and `libraddle.so` |
//! | `lib/libraddle.a` | the static library |
//! | `include/raddle.h`, `raddle.hpp` | the headers |
//! | `lib/pkgconfig/raddle.pc`, `lib/cmake/raddle/` | for pkg-config and CMake |

use crate::options::Options;
use crate::{Result, tree};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the code of Rust's standard library needs.
const SYSTEM_LIBRARIES: &str = "-lgcc_s -lpthread -lm -ldl -lc";

/// Builds and installs.
pub fn install(root: &Path, options: &Options) -> Result<()> {
    let prefix = options.word().ok_or("install-capi wants a folder, such as /usr/local")?;
    let prefix = std::path::absolute(prefix).map_err(|error| format!("{prefix}: {error}"))?;
    let site = Site { source: root.join("crates/capi"), version: version(root)?, prefix };
    let is_debug = options.has("debug");
    let archive = build(root, is_debug)?;
    site.install_libraries(&archive, is_debug)?;
    for header in ["raddle.h", "raddle.hpp"] {
        site.copy(&site.source.join("include").join(header), &format!("include/{header}"))?;
    }
    site.fill("raddle.pc.in", "lib/pkgconfig/raddle.pc")?;
    site.fill("raddle-config.cmake.in", "lib/cmake/raddle/raddle-config.cmake")?;
    site.fill("raddle-config-version.cmake.in", "lib/cmake/raddle/raddle-config-version.cmake")?;
    println!("installed raddle {} below {}", site.version, site.prefix.display());
    Ok(())
}

/// The version of the workspace.
fn version(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).map_err(|error| format!("Cargo.toml: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    line.map(str::to_owned).ok_or_else(|| "Cargo.toml states no version".to_owned())
}

/// Builds the static library. `RADDLE_ARCHIVE` names one that has been built already.
fn build(root: &Path, is_debug: bool) -> Result<PathBuf> {
    if let Some(archive) = std::env::var_os("RADDLE_ARCHIVE") {
        return Ok(archive.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "raddle-capi", "--lib"]).current_dir(root);
    if !is_debug {
        command.arg("--release");
    }
    run(&mut command)?;
    let profile = if is_debug { "debug" } else { "release" };
    Ok(tree::target(root).join(profile).join("libraddle_capi.a"))
}

struct Site {
    source: PathBuf,
    prefix: PathBuf,
    version: String,
}

impl Site {
    fn place(&self, path: &str) -> Result<PathBuf> {
        let place = self.prefix.join(path);
        let folder = place.parent().unwrap_or(&self.prefix);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(place)
    }

    fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let place = self.place(to)?;
        let copied = fs::copy(from, &place);
        copied.map(|_| ()).map_err(|error| format!("{} to {}: {error}", from.display(), place.display()))
    }

    /// Copies a file with `@PREFIX@` and `@VERSION@` filled in.
    fn fill(&self, from: &str, to: &str) -> Result<()> {
        let path = self.source.join(from);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let prefix = self.prefix.display().to_string();
        let text = text.replace("@PREFIX@", &prefix).replace("@VERSION@", &self.version);
        let text = text.replace("@LIBRARIES@", SYSTEM_LIBRARIES);
        let place = self.place(to)?;
        fs::write(&place, text).map_err(|error| format!("{}: {error}", place.display()))
    }

    fn install_libraries(&self, archive: &Path, is_debug: bool) -> Result<()> {
        self.copy(archive, "lib/libraddle.a")?;
        let major = self.version.split('.').next().unwrap_or_default();
        let (full, soname) = (format!("libraddle.so.{}", self.version), format!("libraddle.so.{major}"));
        let place = self.place(&format!("lib/{full}"))?;
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(compiler);
        command.arg("-shared").arg("-o").arg(&place).arg(format!("-Wl,-soname,{soname}"));
        command.arg(format!("-Wl,--version-script={}", self.source.join("raddle.map").display()));
        command.args(["-Wl,--gc-sections", "-Wl,-z,defs,-z,now,-z,relro", "-Wl,--whole-archive"]);
        command.arg(archive).arg("-Wl,--no-whole-archive").args(SYSTEM_LIBRARIES.split_whitespace());
        if !is_debug {
            // Five sixths of the file, and of use to nobody who has not built it.
            command.arg("-Wl,--strip-debug");
        }
        run(&mut command)?;
        for (link, target) in [(&soname, &full), (&"libraddle.so".to_owned(), &soname)] {
            let link = self.place(&format!("lib/{link}"))?;
            let _ = fs::remove_file(&link);
            symlink(target, &link).map_err(|error| format!("{}: {error}", link.display()))?;
        }
        Ok(())
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{status}: {command:?}")) }
}

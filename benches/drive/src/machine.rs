//! What is said about the machine: enough to tell two figures apart, nothing that names its owner.

use serde::{Deserialize, Serialize};
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

/// A machine at the time of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model.
    pub processor: String,
    /// How many this process may use.
    pub processors: usize,
    /// Whether there is a hypervisor below.
    pub is_virtual: bool,
    /// Unit: MiB.
    pub memory_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// `rustc --version`.
    pub rustc: String,
    /// The first line of `c++ --version`.
    pub cxx: String,
    /// The commit, with `+` if there are changes on top.
    pub commit: String,
    /// The load of the last minute when the run began.
    pub load: f64,
}

impl Machine {
    /// This one, now.
    pub fn here(root: &Path) -> Machine {
        let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| cpu.lines().find_map(|line| line.strip_prefix(name)?.split_once(": "));
        let memory = read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = memory.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
        let git = |words: &[&str]| output(Command::new("git").arg("-C").arg(root).args(words));
        let is_changed = !git(&["status", "--porcelain"]).is_empty();
        Machine {
            processor: field("model name").map_or("an unknown processor", |(_, name)| name).trim().to_owned(),
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            is_virtual: field("flags").is_some_and(|(_, flags)| flags.contains("hypervisor")),
            memory_mib: kib.unwrap_or_default() / 1024,
            kernel: read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            rustc: output(Command::new("rustc").arg("--version")),
            cxx: output(Command::new("c++").arg("--version")),
            commit: git(&["rev-parse", "--short", "HEAD"]) + if is_changed { "+" } else { "" },
            load: load(),
        }
    }

    /// Its folder: `amd-epyc-2`.
    pub fn folder(&self) -> String {
        let letters = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
        let words: String = self.processor.chars().map(letters).collect();
        let mut parts: Vec<&str> = words.split_whitespace().take(6).collect();
        let count = self.processors.to_string();
        parts.push(&count);
        parts.join("-")
    }

    /// One sentence.
    pub fn describe(&self) -> String {
        format!(
            "{}, {} processors{}, {} GiB, Linux {}, {}, {}, commit {}, load {:.2} at the start",
            self.processor,
            self.processors,
            if self.is_virtual { " (virtual)" } else { "" },
            (self.memory_mib + 512) / 1024,
            self.kernel,
            self.rustc,
            self.cxx,
            self.commit,
            self.load
        )
    }
}

/// The load of the last minute.
pub fn load() -> f64 {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(f64::MAX)
}

/// The time, as file names have it.
pub fn now() -> String {
    output(Command::new("date").args(["-u", "+%Y-%m-%d-%H%M"]))
}

fn output(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    output.unwrap_or_default().lines().next().unwrap_or_default().trim().to_owned()
}

//! On what a page of figures was measured.

use std::fs::read_to_string;
use std::process::Command;

/// One paragraph.
pub fn describe() -> String {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "Measured on {} ({processors} processors), Linux {}, {}, commit {}. Minimum and median over repetitions in one \
         process; on a machine that is shared or virtual the minimum is the better figure, and cross-thread wake-ups vary by \
         a factor of seven with where the hypervisor puts the processors.\n",
        model(),
        kernel.trim(),
        output("rustc", &["--version"]),
        output("git", &["rev-parse", "--short", "HEAD"]),
    )
}

fn model() -> String {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    line.map_or("an unknown processor", |(_, name)| name).to_owned()
}

fn output(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

//! Stock IREE, timed by its own `iree-benchmark-module`, on the same bytes as raddle.
//!
//! The tool is the one that `BENCH_IREE` names, or the one in the PATH. It can't bring functions of a host's, and
//! waits by blocking its thread: imports and suspension have no counterpart.

#![forbid(unsafe_code)]

use bench_harness::{Answer, Counting, Request, serve};
use bench_machines::raddle_alone;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[global_allocator]
static MEMORY: Counting = Counting;

fn tool() -> OsString {
    std::env::var_os("BENCH_IREE").unwrap_or_else(|| "iree-benchmark-module".into())
}

fn is_installed() -> bool {
    Command::new(tool()).arg("--help").output().is_ok_and(|output| output.status.success())
}

/// The version, which the Python package has in a file beside the tool.
fn version(executable: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(executable).parent()?.join("version.py")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION = "))?;
    Some(line.trim_matches('"').to_owned())
}

/// A module file that goes with the process's end or soon after: the caller removes it.
struct Module(PathBuf);

impl Module {
    fn write() -> Module {
        let bytes = raddle_vm::assemble(&raddle_alone()).expect("the programs are right").build();
        let path = std::env::temp_dir().join(format!("bench-iree-{}.vmfb", std::process::id()));
        std::fs::write(&path, bytes).expect("the temporary folder can be written");
        Module(path)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // What stays behind is a small file in the temporary folder.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Nanoseconds of one call, so many times, and the tool's version.
type Timed = (Vec<f64>, Option<String>);

fn times(module: &Path, function: &str, argument: Option<usize>, samples: usize) -> Result<Timed, String> {
    let mut command = Command::new(tool());
    command.arg(format!("--module={}", module.display())).arg(format!("--function={function}"));
    command.args(argument.map(|argument| format!("--input={argument}")));
    command.args(["--benchmark_format=json", "--benchmark_min_time=0.03s"]);
    command.arg(format!("--benchmark_repetitions={samples}"));
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let json: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let runs = json["benchmarks"].as_array().ok_or("no benchmarks in its output")?;
    let runs = runs.iter().filter(|run| run["run_type"] == "iteration");
    let times: Result<_, _> =
        runs.map(|run| nanoseconds(run).ok_or_else(|| format!("not understood: {run}"))).collect();
    Ok((times?, json["context"]["executable"].as_str().and_then(version)))
}

fn nanoseconds(run: &Value) -> Option<f64> {
    let unit = match run["time_unit"].as_str()? {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    Some(run["real_time"].as_f64()? * unit)
}

fn answer(request: &Request) -> Answer {
    let size = request.size as f64;
    let (function, argument, units) = match request.case.as_str() {
        "machines/loop" => ("loop", Some(request.size), size),
        "machines/fused-loop" => ("fused_loop", Some(request.size), size),
        "machines/fib" => ("fib", Some(request.size), 1e6),
        "machines/empty" => ("empty", None, 1.0),
        _ => return Answer::absent("its tools can't do this"),
    };
    let module = Module::write();
    let times = times(&module.0, function, argument, request.samples);
    drop(module);
    match times {
        Ok((times, version)) => Answer {
            version: version.unwrap_or_default(),
            ..Answer::one("time", times.into_iter().map(|time| time / units).collect())
        },
        Err(text) => panic!("{text}"),
    }
}

fn main() -> ExitCode {
    let text = "iree-benchmark-module is not installed (it is in the Python package iree-base-runtime)";
    serve("", |request| if is_installed() { answer(request) } else { Answer::absent(text) })
}

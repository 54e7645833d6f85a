//! Stock IREE, timed by its own `iree-benchmark-module`, on the same bytes as raddle: the VM alone, and compiled programs
//! on its devices `local-sync` and `local-task` (the form). The form `two-processes` is `local-sync` in two processes at
//! once, each on its own: what two processors can do that have nothing to agree on.
//!
//! The tool is the one that `BENCH_IREE` names, or the one in the PATH. It can't bring functions of a host's, and
//! waits by blocking its thread: imports and suspension have no counterpart.

#![forbid(unsafe_code)]

use bench_harness::{Answer, Counting, Request, serve};
use bench_machines::raddle_alone;
use bench_programs::{Programs, Start};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

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

/// A module in a file, since the tool reads nothing else.
struct Module(PathBuf);

impl Module {
    fn write(bytes: &[u8]) -> Module {
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

/// Calls `function` of a module, with the tool's flags for inputs and devices.
fn times(bytes: &[u8], function: &str, flags: &[String], samples: usize) -> Result<Timed, String> {
    let module = Module::write(bytes);
    timed(benchmark(&module, function, flags, samples).output())
}

/// The same in two processes at once: a call of either counts.
fn times_of_two(bytes: &[u8], function: &str, flags: &[String], samples: usize) -> Result<Timed, String> {
    let module = Module::write(bytes);
    let start =
        || benchmark(&module, function, flags, samples).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let both = [start(), start()];
    let mut results = Vec::new();
    for child in both {
        results.push(timed(child.and_then(|child| child.wait_with_output()))?);
    }
    let [(one, version), (other, _)] = <[Timed; 2]>::try_from(results).map_err(|_| "two were started")?;
    Ok((one.iter().zip(&other).map(|(one, other)| 1.0 / (1.0 / one + 1.0 / other)).collect(), version))
}

fn benchmark(module: &Module, function: &str, flags: &[String], samples: usize) -> Command {
    let mut command = Command::new(tool());
    command.arg(format!("--module={}", module.0.display())).arg(format!("--function={function}")).args(flags);
    command.args(["--benchmark_format=json", "--benchmark_min_time=0.03s"]);
    command.arg(format!("--benchmark_repetitions={samples}"));
    command
}

fn timed(output: std::io::Result<Output>) -> Result<Timed, String> {
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let json: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let runs = json["benchmarks"].as_array().ok_or("no benchmarks in its output")?;
    let runs = runs.iter().filter(|run| run["run_type"] == "iteration");
    let times: Result<_, String> =
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
    if request.case.starts_with("programs/start-") {
        return bench_programs::answer(request, &Runner { device: request.form.clone() });
    }
    let timed = match request.parts().0 {
        "machines" => machine(request),
        "programs" => program(request),
        _ => None,
    };
    match timed {
        None => Answer::absent("its tools can't do this"),
        Some(Err(text)) => panic!("{text}"),
        Some(Ok((times, version))) => {
            Answer { version: version.unwrap_or_default(), ..Answer::one("time", times) }
        }
    }
}

/// In the case's unit.
fn scaled(timed: Result<Timed, String>, units: f64) -> Result<Timed, String> {
    timed.map(|(times, version)| (times.into_iter().map(|time| time / units).collect(), version))
}

/// The VM alone.
fn machine(request: &Request) -> Option<Result<Timed, String>> {
    let (function, units) = match request.parts().1 {
        "loop" => ("loop", request.size as f64),
        "fused-loop" => ("fused_loop", request.size as f64),
        "fib" => ("fib", 1e6),
        "empty" => ("empty", 1.0),
        _ => return None,
    };
    let bytes = raddle_vm::assemble(&raddle_alone()).expect("the programs are right").build();
    let input = (function != "empty").then(|| format!("--input={}", request.size));
    Some(scaled(times(&bytes, function, input.as_slice(), request.samples), units))
}

/// A compiled program on a device. What is in flight at once is a matter of local-task, and of its builds for fences.
fn program(request: &Request) -> Option<Result<Timed, String>> {
    let program = bench_programs::find(request)?;
    let is_flight = bench_programs::is_flight(request);
    let is_task = request.form == "local-task";
    let is_pair = request.form == "two-processes";
    if is_flight && !is_task && !is_pair || is_pair && request.workers != 2 {
        return None;
    }
    let mut flags: Vec<String> = program.inputs.iter().map(input_flag).collect();
    flags.push(format!("--device={}", if is_task { "local-task" } else { "local-sync" }));
    if is_task {
        flags.push(format!("--task_topology_group_count={}", request.workers));
    }
    if is_flight && is_task {
        flags.push(format!("--batch_concurrency={}", request.size));
        flags.push(format!("--batch_size={}", request.size.max(64)));
    }
    let bytes = if is_flight && is_task { program.coarse } else { program.sync };
    let times = if is_pair { times_of_two } else { times };
    Some(scaled(times(bytes, program.function, &flags, request.samples), 1e3))
}

/// `iree-run-module`, which loads a module and calls it once.
struct Runner {
    device: String,
}

impl Programs for Runner {
    fn start(&self, start: &Start) -> Option<Command> {
        (self.device == "local-sync").then_some(())?;
        let mut command = Command::new(runner()?);
        command
            .arg(format!("--module={}", start.path.display()))
            .arg(format!("--function={}", start.function));
        command.arg("--device=local-sync").arg(input_flag(&(&start.shape, 0.5)));
        Some(command)
    }
}

/// The executable itself: what the Python package puts into the PATH is a script that starts it.
fn runner() -> Option<PathBuf> {
    let folder = Path::new(&tool()).parent()?.to_path_buf();
    let libraries = std::fs::read_dir(folder.parent()?.join("lib")).ok()?.flatten();
    let packaged =
        libraries.map(|python| python.path().join("site-packages/iree/_runtime_libs/iree-run-module"));
    packaged.chain([folder.join("iree-run-module")]).find(|path| path.exists())
}

fn input_flag((shape, number): &(&[u64], f32)) -> String {
    let shape: String = shape.iter().map(|length| format!("{length}x")).collect();
    format!("--input={shape}f32={number}")
}

fn main() -> ExitCode {
    let text = "iree-benchmark-module is not installed (it is in the Python package iree-base-runtime)";
    serve("", |request| if is_installed() { answer(request) } else { Answer::absent(text) })
}

//! What it takes from nothing to the first result: a process that loads a module and calls it once, seen from outside.
//!
//! The large model is made here, with seeded weights, and compiled by the `iree-compile` beside the tool that
//! `BENCH_IREE` names: 21 MB are too many to be kept with the sources.

use crate::{PROGRAMS, Program, SYNC, WAITED};
use bench_harness::{Aim, Answer, Axis, Case, Goal, Metric, Request, run};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The case with the large model.
pub const LARGE: &str = "programs/start-large";

/// Length of a side of each of its weights.
const SIDE: u64 = 1_152;
const LAYERS: usize = 4;

/// A module in a file, and its call.
#[derive(Debug)]
pub struct Start {
    /// The file.
    pub path: PathBuf,
    /// The function.
    pub function: String,
    /// The shape of its one input, all of whose elements are 0.5.
    pub shape: Vec<u64>,
}

pub(crate) const fn case(name: &'static str, what: &'static str) -> Case {
    Case {
        name,
        what,
        metrics: METRICS,
        axis: Axis { name: "processes", usual: 1, growth: &[] },
        workers: &[1],
        samples: 9,
    }
}

const NO_MORE: &[Aim] = &[Aim::always(WAITED, Goal::Times(1.0, SYNC))];
const METRICS: &[Metric] =
    &[Metric::less("time", "ms", NO_MORE), Metric::less("peak", "MB resident", NO_MORE)];

/// Starts the process so often.
pub(crate) fn measure(request: &Request, command: impl Fn(&Start) -> Option<Command>) -> Option<Answer> {
    let start = match prepare(request) {
        Ok(start) => start,
        Err(text) => return Some(Answer::absent(text)),
    };
    command(&start)?;
    let (mut times, mut peaks, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=request.samples {
        let begin = Instant::now();
        let ended = run(&mut command(&start)?).expect("the process succeeds");
        let took = begin.elapsed().as_secs_f64() * 1e3;
        results.push(ended.output);
        // The first one reads the files from the disk.
        if round > 0 {
            times.push(took);
            peaks.push(ended.peak_bytes / 1e6);
        }
    }
    assert!(!results[0].is_empty() && results.iter().all(|result| *result == results[0]), "one result");
    Some(Answer::one("time", times).and("peak", peaks))
}

fn prepare(request: &Request) -> Result<Start, String> {
    if request.case == LARGE {
        return Ok(Start { path: large()?, function: "forward".to_owned(), shape: vec![1, SIDE] });
    }
    let program: &Program =
        PROGRAMS.iter().find(|program| program.name == "programs/perceptron").expect("it is there");
    let path = folder().join("bench-perceptron.vmfb");
    write(&path, program.sync)?;
    Ok(Start { path, function: program.function.to_owned(), shape: program.inputs[0].0.to_vec() })
}

/// Where files are kept for all peers of a run.
fn folder() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|own| own.parent().map(Path::to_path_buf))
        .unwrap_or_else(std::env::temp_dir)
}

/// In whole or not at all: peers may come at the same time.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// The compiler beside the tool that `BENCH_IREE` names, or the one in the PATH.
fn compiler() -> OsString {
    let beside = std::env::var_os("BENCH_IREE").map(|tool| Path::new(&tool).with_file_name("iree-compile"));
    beside.map_or_else(|| "iree-compile".into(), PathBuf::into_os_string)
}

fn large() -> Result<PathBuf, String> {
    let path = folder().join("bench-large.vmfb");
    if path.exists() {
        return Ok(path);
    }
    let source = folder().join("bench-large.mlir");
    write(&source, large_source().as_bytes())?;
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let mut command = Command::new("timeout");
    command.arg("120").arg(compiler()).args([
        "--iree-hal-target-device=local",
        "--iree-hal-local-target-device-backends=llvm-cpu",
        "--iree-llvmcpu-target-cpu=generic",
    ]);
    let status = command.arg(&source).arg("-o").arg(&part).status().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(
            "iree-compile is not installed (it is in the Python package iree-base-compiler)".to_owned()
        );
    }
    std::fs::rename(&part, &path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Products with weights of no pattern, so that none can be folded away.
fn large_source() -> String {
    let (row, square) = (format!("tensor<1x{SIDE}xf32>"), format!("tensor<{SIDE}x{SIDE}xf32>"));
    let mut text = format!(
        "func.func @forward(%x0: {row}) -> {row} {{
  %zero = arith.constant 0.0 : f32
  %zeros = arith.constant dense<0.0> : {row}
  %e = tensor.empty() : {row}
  %z = linalg.fill ins(%zero : f32) outs(%e : {row}) -> {row}\n"
    );
    let mut state = 1_u32;
    for layer in 0..LAYERS {
        let _ = write!(text, "  %w{layer} = arith.constant dense<\"0x");
        for _ in 0..SIDE * SIDE {
            // Numerical Recipes' linear congruence; its upper bits, as numbers around zero.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let weight = ((state >> 8) as f32 / 16_777_216.0 - 0.5) / 16.0;
            weight.to_le_bytes().iter().for_each(|byte| {
                let _ = write!(text, "{byte:02X}");
            });
        }
        let next = layer + 1;
        let _ = write!(
            text,
            "\"> : {square}
  %m{layer} = linalg.matmul ins(%x{layer}, %w{layer} : {row}, {square}) outs(%z : {row}) -> {row}
  %x{next} = arith.maximumf %m{layer}, %zeros : {row}\n"
        );
    }
    let _ = write!(text, "  return %x{LAYERS} : {row}\n}}\n");
    text
}

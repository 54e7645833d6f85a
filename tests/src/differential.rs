//! Compares our engines with `iree-run-module`, and counts.
//!
//! A difference is *explained* if the fact sheet's traps or our documentation say why both are right or stock is wrong.

use crate::generate::{self, Generated};
use crate::host;
use crate::ours::Ours;
use crate::scripts::{self, Expected};
use crate::stock::{Ran, Stock};
use raddle_vm::Value;
use raddle_vm::isa::Op;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Programs in a random module.
const PROGRAMS: usize = 25;

/// Calls of each program.
const CALLS: u64 = 2;

/// What was compared.
#[derive(Default)]
pub struct Counts {
    /// Modules.
    pub modules: usize,
    /// Functions that were called.
    pub programs: usize,
    /// Calls.
    pub calls: usize,
    /// Results that were compared.
    pub results: usize,
    /// Calls that fail on both sides, with the same status.
    pub failures: usize,
    /// Why stock has no result to compare, or another one, and how often.
    pub explained: BTreeMap<String, usize>,
    /// What nobody has explained.
    pub unexplained: Vec<String>,
    /// Instructions in the modules.
    pub ops: BTreeSet<Op>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} modules, {} functions, {} calls", self.modules, self.programs, self.calls)?;
        writeln!(f, "{} results are equal, {} calls fail alike", self.results, self.failures)?;
        writeln!(f, "{} of {} instructions occur", self.ops.len(), Op::COUNT)?;
        for (reason, count) in &self.explained {
            writeln!(f, "{count:6} explained: {reason}")?;
        }
        writeln!(f, "{:6} not explained", self.unexplained.len())?;
        self.unexplained.iter().take(40).try_for_each(|text| writeln!(f, "       {text}"))
    }
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.modules += other.modules;
        self.programs += other.programs;
        self.calls += other.calls;
        self.results += other.results;
        self.failures += other.failures;
        for (reason, count) in other.explained {
            *self.explained.entry(reason).or_default() += count;
        }
        self.unexplained.extend(other.unexplained);
        self.ops.extend(other.ops);
    }

    fn explain(&mut self, reason: &str) {
        *self.explained.entry(reason.to_owned()).or_default() += 1;
    }

    fn cover(&mut self, ours: &Ours) {
        self.modules += 1;
        let functions = ours.module().functions();
        self.ops.extend(
            functions.flat_map(|function| function.instructions().map(|inst| inst.op).collect::<Vec<_>>()),
        );
    }

    /// Compares one call. `where_` names it.
    fn compare(&mut self, where_: &str, ours: &Result<Vec<Value>, raddle_status::Error>, stock: &Ran) {
        self.calls += 1;
        match (ours, stock) {
            (Ok(values), Ran::Results(texts)) => {
                let equal = values.len() == texts.len()
                    && values.iter().zip(texts).all(|(value, text)| same(value, text));
                match equal {
                    true => self.results += values.len(),
                    false => self.unexplained.push(format!("{where_}: {values:?}, stock {texts:?}")),
                }
            }
            (Err(error), Ran::Failed(code)) if error.code().name() == code => self.failures += 1,
            (Err(error), Ran::Crashed(signal)) if error.message().contains("division by zero") => {
                self.explain(&format!("stock dies of a division by zero, {signal}"));
            }
            (ours, stock) => self.unexplained.push(format!("{where_}: {ours:?}, stock {stock:?}")),
        }
    }
}

/// Whether stock's text is what it prints for the value. Six digits are compared of floats.
fn same(value: &Value, text: &str) -> bool {
    let near = |found: f64, text: &str| match text.parse::<f64>() {
        Ok(printed) if printed.is_nan() => found.is_nan(),
        Ok(printed) if printed.is_finite() && found.is_finite() => {
            printed == found || (printed - found).abs() <= 1e-5 * found.abs()
        }
        Ok(printed) => {
            printed == found
                || (found.abs() > 3.4e38 && printed.is_infinite() && printed.signum() == found.signum())
        }
        Err(_) => false,
    };
    match value {
        Value::F32(value) => text.strip_prefix("f32=").is_some_and(|text| near((*value).into(), text)),
        Value::F64(value) => text.strip_prefix("f64=").is_some_and(|text| near(*value, text)),
        Value::Ref(None) => text == "(null)",
        other => other.to_string() == text,
    }
}

/// A folder for module files that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("raddle-differential-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a writable folder for temporary files");
        Folder(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a writable folder for temporary files");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs every script; `None` for stock compares our engines with each other and with the script only.
///
/// # Panics
/// If a script does not load.
pub fn scripts(stock: Option<&Stock>) -> Counts {
    let mut counts = Counts::default();
    let folder = Folder::new();
    for (name, text) in scripts::all() {
        let bytes = raddle_vm::assemble(&text).unwrap_or_else(|error| panic!("{name}: {error}")).build();
        let path = folder.write("script.vmfb", &bytes);
        let ours = Ours::load(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        counts.cover(&ours);
        let mut functions = BTreeSet::new();
        for check in scripts::checks(&text) {
            let found = ours.run(&check.function, &check.arguments, 7);
            let where_ = format!("{name}: {}", check.line);
            if !as_expected(&check.expected, &found) {
                counts.unexplained.push(format!("{where_}: not what the script says: {found:?}"));
            }
            functions.insert(check.function.clone());
            let Some(stock) = stock else { continue };
            if host::is_needed(ours.module()) {
                counts.explain("stock has no module of a host");
                continue;
            }
            let inputs: Vec<String> = check.arguments.iter().map(scripts::input).collect();
            let ran = stock.run(&path, &check.function, &inputs);
            match reason(&check.function, &found, &ran) {
                Some(reason) => {
                    counts.calls += 1;
                    counts.explain(reason);
                }
                None => counts.compare(&where_, &found, &ran),
            }
        }
        counts.programs += functions.len();
    }
    let met = |reason: &str| counts.explained.contains_key(reason);
    let unmet = EXPLAINED.iter().filter(|(_, _, reason)| stock.is_some() && !met(reason));
    let unmet: Vec<_> =
        unmet.map(|(name, _, reason)| format!("{name} is as in stock after all: {reason}")).collect();
    counts.unexplained.extend(unmet);
    counts
}

/// Whether a call does what its script says; NaN is equal to NaN, zeros differ by sign.
fn as_expected(expected: &Expected, found: &Result<Vec<Value>, raddle_status::Error>) -> bool {
    let is_nan = |value: &Value| match value {
        Value::F32(value) => value.is_nan(),
        Value::F64(value) => value.is_nan(),
        _ => false,
    };
    let equal = |(a, b): (&Value, &Value)| (is_nan(a) && is_nan(b)) || (a == b && a.bits() == b.bits());
    match (expected, found) {
        (Expected::Results(values), Ok(found)) => {
            values.len() == found.len() && values.iter().zip(found).all(equal)
        }
        (Expected::Failure(code, told), Err(error)) => {
            error.code().name() == code && error.to_string().contains(told)
        }
        _ => false,
    }
}

/// Where stock does otherwise in the scripts: function, what stock's run looks like, why. Each must be met.
const EXPLAINED: &[(&str, &str, &str)] = &[
    ("switch64", "Results", "stock's switch.i64 keeps the low 32 bits"),
    ("yields", "Hung", "stock hangs when a program yields"),
    ("fails", "Crashed", "stock runs on behind a fail with status 0"),
    ("fails", "Hung", "stock takes status 17 for a suspension"),
    ("fails", "Failed", "statuses 19 to 32 have no name in stock; here they are UNKNOWN"),
    ("div_i32_s", "Crashed", "stock dies of MIN / -1"),
    ("rem_i32_s", "Crashed", "stock dies of MIN / -1"),
    ("div_i64_s", "Crashed", "stock dies of MIN / -1"),
    ("rem_i64_s", "Crashed", "stock dies of MIN / -1"),
    ("load", "Results", "stock's bounds checks wrap around"),
    ("fill", "Results", "stock's bounds checks wrap around"),
    ("global_out", "Crashed", "stock's bounds checks wrap around"),
    ("indirect_f64", "Results", "stock checks places of f64 globals as if they had 4 bytes"),
    ("indirect_load_f64", "Results", "stock checks places of f64 globals as if they had 4 bytes"),
    ("hash_zeros", "Crashed", "stock dies of an allocation of 2^64 - 1 bytes"),
];

/// Why stock does otherwise with a function of the scripts.
fn reason(
    function: &str,
    ours: &Result<Vec<Value>, raddle_status::Error>,
    stock: &Ran,
) -> Option<&'static str> {
    let alike = match (ours, stock) {
        (Ok(values), Ran::Results(texts)) => {
            values.len() == texts.len() && values.iter().zip(texts).all(|(value, text)| same(value, text))
        }
        (Err(error), Ran::Failed(code)) => error.code().name() == code,
        (Err(error), Ran::Crashed(_)) => error.message().contains("division by zero"),
        _ => false,
    };
    let kind = format!("{stock:?}");
    let found = EXPLAINED.iter().find(|(name, ran, _)| *name == function && kind.starts_with(ran));
    found.filter(|_| !alike).map(|(_, _, reason)| *reason)
}

/// Runs random modules with the seeds `first..`, until so many programs have run.
///
/// # Panics
/// If a random module does not load, or our engines disagree.
pub fn random(first: u64, programs: usize, stock: Option<&Stock>) -> Counts {
    let seeds = first..first + programs.div_ceil(PROGRAMS) as u64;
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Counts::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let folder = Folder::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let counts = random_module(seed, stock, &folder);
                    total.lock().expect("no thread has panicked").add(counts);
                }
            });
        }
    });
    total.into_inner().expect("no thread has panicked")
}

type Call = (usize, Vec<Value>, Result<Vec<Value>, raddle_status::Error>);

fn random_module(seed: u64, stock: Option<&Stock>, folder: &Folder) -> Counts {
    let mut counts = Counts { programs: PROGRAMS, ..Counts::default() };
    let mut module = generate::module(seed, PROGRAMS);
    let ours = Ours::load(module.builder.build()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    counts.cover(&ours);
    let mut calls: Vec<Call> = Vec::new();
    for program in 0..module.programs {
        for call in 0..CALLS {
            let arguments = generate::arguments(seed, program as u64 * CALLS + call);
            let found = ours.run(&format!("p{program}"), &arguments, 1 + seed % 5);
            calls.push((program, arguments, found));
        }
    }
    let Some(stock) = stock else {
        counts.calls += calls.len();
        return counts;
    };
    compare_module(seed, &mut module, &calls, stock, folder, &mut counts);
    counts
}

/// Calls that succeed run in one process; if their results are not ours, and for calls that fail, one by one.
fn compare_module(
    seed: u64,
    module: &mut Generated,
    calls: &[Call],
    stock: &Stock,
    folder: &Folder,
    counts: &mut Counts,
) {
    let (good, mut single): (Vec<&Call>, Vec<&Call>) = calls.iter().partition(|(_, _, found)| found.is_ok());
    let batch: Vec<_> = good.iter().map(|(program, arguments, _)| (*program, arguments.clone())).collect();
    module.add_batch(&batch);
    let path = folder.write("random.vmfb", &module.builder.build());
    let expected: Vec<Value> =
        good.iter().flat_map(|(_, _, found)| found.iter().flatten().cloned()).collect();
    let ran = stock.run(&path, "batch", &[]);
    let equal = match &ran {
        Ran::Results(texts) => {
            let texts = texts.get(1..).unwrap_or_default();
            texts.len() == expected.len()
                && texts.iter().zip(&expected).all(|(text, value)| same(value, text))
        }
        _ => false,
    };
    if equal {
        counts.results += expected.len();
        counts.calls += good.len();
    } else {
        single.extend(good);
    }
    let before = counts.unexplained.len();
    for (program, arguments, found) in single {
        compare_call(&path, seed, (*program, arguments, found), stock, counts);
    }
    if !equal && counts.unexplained.len() == before && !matches!(ran, Ran::Crashed(_)) {
        counts.unexplained.push(format!("seed {seed}: only the batch differs: {ran:?}"));
    }
}

fn compare_call(
    path: &Path,
    seed: u64,
    (program, arguments, found): (usize, &Vec<Value>, &Result<Vec<Value>, raddle_status::Error>),
    stock: &Stock,
    counts: &mut Counts,
) {
    let inputs: Vec<String> = arguments.iter().map(scripts::input).collect();
    let ran = stock.run(path, &format!("p{program}"), &inputs);
    // What wraps here may go on to fail with something else.
    let divides_by_zero = |error: &raddle_status::Error| error.message().contains("division by zero");
    if !found.as_ref().is_err_and(divides_by_zero) && ran == Ran::Crashed("signal 8".to_owned()) {
        counts.calls += 1;
        counts.explain("stock dies of MIN / -1, signal 8");
        return;
    }
    counts.compare(&format!("seed {seed} p{program}({})", inputs.join(", ")), found, &ran);
}

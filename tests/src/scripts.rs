//! The checks in `.vmasm` files: `//? name(i32=1) = i32=2` and `//? name(i32=1) ! INVALID_ARGUMENT: text`.

use raddle_vm::Value;
use std::path::{Path, PathBuf};

/// What a check expects.
#[derive(Clone, Debug)]
pub enum Expected {
    /// These results.
    Results(Vec<Value>),
    /// A failure with this status, and this in its text.
    Failure(String, String),
}

/// A line of a script.
#[derive(Clone, Debug)]
pub struct Check {
    /// The whole line.
    pub line: String,
    /// Where it stands, from 1.
    pub number: usize,
    /// What it calls.
    pub function: String,
    /// With what.
    pub arguments: Vec<Value>,
    /// What it expects.
    pub expected: Expected,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_owned()
}

/// Every script of the repository: name and text.
///
/// # Panics
/// If a folder can't be read.
pub fn all() -> Vec<(String, String)> {
    let mut scripts = Vec::new();
    for folder in ["crates/vm/tests/scripts", "tests/programs/asm"] {
        let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten();
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            if path.extension().is_some_and(|ending| ending == "vmasm") {
                let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
                scripts.push((name, std::fs::read_to_string(&path).expect("a readable script")));
            }
        }
    }
    scripts.sort();
    assert!(scripts.len() >= 4, "scripts are missing");
    scripts
}

/// The checks of a script.
///
/// # Panics
/// If a line can't be read.
pub fn checks(text: &str) -> Vec<Check> {
    let lines = text.lines().zip(1..);
    lines.filter_map(|(line, number)| Some(check(line.trim().strip_prefix("//? ")?, number))).collect()
}

fn check(line: &str, number: usize) -> Check {
    let (call, expected) = if let Some((call, code)) = line.split_once(" ! ") {
        let (code, told) = code.split_once(':').unwrap_or((code, ""));
        (call, Expected::Failure(code.trim().to_owned(), told.trim().to_owned()))
    } else {
        let (call, results) = line.split_once(") = ").expect("a call and what it gives");
        (call, Expected::Results(values(results)))
    };
    let (name, arguments) = call.split_once('(').expect("a call");
    Check {
        line: line.to_owned(),
        number,
        function: name.trim().to_owned(),
        arguments: values(arguments.trim_end_matches(')')),
        expected,
    }
}

fn values(text: &str) -> Vec<Value> {
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(value).collect()
}

fn value(text: &str) -> Value {
    let parse = |text: &str| -> i128 {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let number =
            digits.strip_prefix("0x").map_or_else(|| digits.parse(), |hex| i128::from_str_radix(hex, 16));
        sign * number.unwrap_or_else(|_| panic!("'{text}' is no number"))
    };
    match text.split_once('=') {
        Some(("i32", value)) => Value::I32(parse(value) as i32),
        Some(("i64", value)) => Value::I64(parse(value) as i64),
        Some(("f32", value)) => Value::F32(value.parse().expect("a float")),
        Some(("f64", value)) => Value::F64(value.parse().expect("a float")),
        _ if text == "null" => Value::Ref(None),
        _ => panic!("'{text}' is no value"),
    }
}

/// The value as `iree-run-module` takes it.
pub fn input(value: &Value) -> String {
    match value {
        Value::F32(value) => format!("{value:e}"),
        Value::F64(value) => format!("{value:e}"),
        Value::Ref(_) | Value::Empty => "(null)".to_owned(),
        other => other.to_string().split('=').nth(1).unwrap_or_default().to_owned(),
    }
}

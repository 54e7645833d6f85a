//! Behaviour of the instructions: every script in `scripts/`, on every engine, whole and in slices of one step.
//!
//! A script is a module in text form. Comments say what to run:
//! ```text
//! //? add(i32=1, i32=2) = i32=3          results, or
//! //? div(i32=1, i32=0) ! INVALID_ARGUMENT
//! ```

use raddle_vm::*;
use std::path::Path;

fn parse_value(text: &str) -> Value {
    let parse = |text: &str| -> i128 {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let number =
            digits.strip_prefix("0x").map_or_else(|| digits.parse(), |hex| i128::from_str_radix(hex, 16));
        sign * number.unwrap_or_else(|_| panic!("'{text}' is no number"))
    };
    match text.split_once('=') {
        Some(("i32", value)) => Value::I32(parse(value) as i32),
        Some(("i64", value)) => Value::I64(parse(value) as i64),
        Some(("f32", value)) => Value::F32(value.parse().unwrap()),
        Some(("f64", value)) => Value::F64(value.parse().unwrap()),
        _ if text == "null" => Value::Ref(None),
        _ => panic!("'{text}' is no value"),
    }
}

fn values(text: &str) -> Vec<Value> {
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(parse_value).collect()
}

/// Equal, NaN to NaN and zeros by sign.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::F32(left), Value::F32(right)) if left.is_nan() => right.is_nan(),
        (Value::F64(left), Value::F64(right)) if left.is_nan() => right.is_nan(),
        (Value::F32(left), Value::F32(right)) => left.to_bits() == right.to_bits(),
        (Value::F64(left), Value::F64(right)) => left.to_bits() == right.to_bits(),
        _ => left == right,
    }
}

fn run(context: &Context, name: &str, arguments: &[Value], steps: u64) -> raddle_status::Result<Vec<Value>> {
    let idle = Idle::new(&context.function(name)?, &Storage::default())?;
    let slice = Slice::steps(steps);
    let mut outcome = idle.begin(arguments, &slice);
    loop {
        outcome = match outcome {
            Outcome::Finished(finished) => return Ok(finished.results()),
            Outcome::Failed(_, error) => return Err(error),
            Outcome::Yielded(suspended) | Outcome::OutOfBudget(suspended) => {
                suspended.resume(WaitOutcome::Ready { index: 0 }, &slice)
            }
            other => panic!("{other:?}"),
        };
    }
}

/// What is wrong with a line, if anything.
fn check(context: &Context, line: &str, steps: u64) -> Option<String> {
    let (call, expected) = match line.split_once(" ! ") {
        Some((call, code)) => (call, Err(code)),
        None => line
            .split_once(") = ")
            .map(|(call, values)| (call, Ok(values)))
            .expect("a call and what it gives"),
    };
    let (name, arguments) = call.split_once('(').expect("a call");
    let arguments = values(arguments.trim_end_matches(')'));
    let found = run(context, name.trim(), &arguments, steps);
    match (expected, found) {
        (Ok(expected), Ok(found)) => {
            let expected = values(expected);
            let equal = expected.len() == found.len() && expected.iter().zip(&found).all(|(a, b)| same(a, b));
            (!equal).then(|| format!("{line}: found {found:?}"))
        }
        (Err(code), Err(error)) => {
            let (code, text) = code.split_once(':').unwrap_or((code, ""));
            let right = error.code().name() == code.trim() && error.to_string().contains(text.trim());
            (!right).then(|| format!("{line}: {error}"))
        }
        (_, found) => Some(format!("{line}: found {found:?}")),
    }
}

#[test]
fn scripts_do_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let (mut checks, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let module = assemble(&text).and_then(|module| Module::load(module.build()));
        let module = module.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for engine in Engine::ALL {
            let program = Program::for_engine(module.clone(), &Registry::new(), *engine).unwrap();
            for steps in [u64::MAX, 1] {
                let context = Context::builder().program(program.clone()).build().unwrap();
                for line in text.lines().filter_map(|line| line.trim().strip_prefix("//? ")) {
                    wrong.extend(check(&context, line, steps).map(|text| format!("{engine:?}: {text}")));
                    checks += 1;
                }
                let left = context.allocated_bytes();
                assert!(left == 0 || context.is_stateful(), "{}: {left} bytes are left", path.display());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checks > 400, "only {checks} checks ran");
}

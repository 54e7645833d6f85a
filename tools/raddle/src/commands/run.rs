//! `raddle run`: calls a function and prints or checks its results.

use crate::flags::Flags;
use crate::session::{self, Session};
use crate::{show, stock};
use raddle_hal::BufferView;
use raddle_hal::tensor::compare;
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::{Idle, Storage, Value};
use std::ffi::OsString;
use std::io::Write;

const HELP: &str = "\
usage: raddle run --module=FILE [--module=FILE...] [--function=NAME] [--input=VALUE...] [FLAGS]

Calls a function of the last module and prints its results.

  --module=FILE             a module; one that others import from comes before them; - is standard input
  --module_mode=mmap        map module files, or read them: preload
  --function=NAME           an export of the last module; not needed if there is only one
  --input=VALUE             an argument, in order: a number, (null), or a tensor: 2x2xf32=1 2 3 4, @FILE.npy
  --device=local-task       where programs of tensors run: local-task, local-sync or local; several are offered in order
  --parameters=SCOPE=FILE   an archive (.irpa) of a program's parameters
  --no-native               refuse modules with machine code, which runs with your rights
  --output=HOW              what to do with a result, in order: - prints it alone, nothing drops it
  --expected_output=VALUE   what a result should be, in order; (ignored) fits everything
  --expected_f32_threshold=0.0001, --expected_f64_threshold=0.0001, --expected_rtol=1e-05
                            how far floats may be off: threshold + rtol * |expected|
  --equality_mode=approximate
                            or exact
  --flagfile=FILE           more flags, one a line

Other flags of iree-run-module: docs/cli.md.
";

/// Runs the verb.
pub fn run(arguments: &[OsString]) -> Result {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(()) };
    let session = Session::open(&mut flags)?;
    let outputs = flags.texts("--output")?;
    let expected = flags.texts("--expected_output")?;
    let tolerance = Tolerance::take(&mut flags)?;
    stock::take_others(&mut flags)?;
    flags.no_file()?;
    let mut out = std::io::stdout().lock();
    put(&mut out, &format!("EXEC @{}\n", session.name))?;
    let idle = Idle::new(&session.function, &Storage::default())?;
    let finished = session.call(idle).map_err(|error| error.within(format!("calling {}", session.name)))?;
    let results = finished.results();
    if !expected.is_empty() {
        return check(&mut out, &session, &results, (&expected, &tolerance));
    }
    print(&mut out, &results, &outputs)
}

fn put(out: &mut impl Write, text: &str) -> Result {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Error::new(Code::Unknown, format!("can't write the results: {error}")))
}

fn print(out: &mut impl Write, results: &[Value], outputs: &[String]) -> Result {
    if !outputs.is_empty() && outputs.len() != results.len() {
        let text = format!("{} times --output for {} results", outputs.len(), results.len());
        return Err(Error::new(Code::OutOfRange, text));
    }
    for (index, result) in results.iter().enumerate() {
        match outputs.get(index).map(String::as_str) {
            None => put(out, &format!("result[{index}]: {}", show::value(result)?))?,
            Some("") => {}
            Some("-") => put(out, &show::value(result)?)?,
            Some(other) => {
                let text = format!("--output={other} is refused: results can only be printed (-) or dropped");
                return Err(Error::new(Code::Unimplemented, text));
            }
        }
    }
    Ok(())
}

/// How far a result may be from what is expected.
struct Tolerance {
    f32: f64,
    f64: f64,
    relative: f64,
    exact: bool,
}

impl Tolerance {
    fn take(flags: &mut Flags) -> Result<Tolerance> {
        Ok(Tolerance {
            f32: flags.parsed("--expected_f32_threshold")?.unwrap_or(1e-4),
            f64: flags.parsed("--expected_f64_threshold")?.unwrap_or(1e-4),
            relative: flags.parsed("--expected_rtol")?.unwrap_or(1e-5),
            exact: match flags.texts("--equality_mode")?.pop().as_deref().map(stock::unquoted) {
                None | Some("approximate") => false,
                Some("exact") => true,
                Some(mode) => {
                    let text = format!("--equality_mode is approximate or exact, not '{mode}'");
                    return Err(Error::new(Code::InvalidArgument, text));
                }
            },
        })
    }

    fn of_tensors(&self) -> raddle_hal::tensor::Tolerance {
        raddle_hal::tensor::Tolerance {
            is_exact: self.exact,
            f32: self.f32,
            f64: self.f64,
            relative: self.relative,
            ..raddle_hal::tensor::Tolerance::default()
        }
    }

    fn holds(&self, found: &Value, expected: &Value) -> bool {
        let near = |found: f64, expected: f64, threshold: f64| {
            found == expected
                || (found.is_nan() && expected.is_nan())
                || (found - expected).abs() <= threshold + self.relative * expected.abs()
        };
        match (found, expected) {
            (Value::F32(found), Value::F32(expected)) if self.exact => found.to_bits() == expected.to_bits(),
            (Value::F64(found), Value::F64(expected)) if self.exact => found.to_bits() == expected.to_bits(),
            (Value::F32(found), Value::F32(expected)) => near((*found).into(), (*expected).into(), self.f32),
            (Value::F64(found), Value::F64(expected)) => near(*found, *expected, self.f64),
            _ => found == expected,
        }
    }
}

fn tensor(value: &Value) -> Option<&BufferView> {
    match value {
        Value::Ref(Some(object)) => object.get::<BufferView>(),
        _ => None,
    }
}

fn check(
    out: &mut impl Write,
    session: &Session,
    results: &[Value],
    (expected, tolerance): (&[String], &Tolerance),
) -> Result {
    let mut wrong = 0;
    if results.len() != expected.len() {
        wrong = 1;
        let (want, got) = (expected.len(), results.len());
        put(out, &format!("[FAILED] expected {want} list elements but {got} provided\n"))?;
    }
    for (index, (found, text)) in results.iter().zip(expected).enumerate() {
        if text == "(ignored)" || (text == "(null)" && matches!(found, Value::Ref(_))) {
            continue;
        }
        if let Some(view) = tensor(found) {
            let place = || format!("in --expected_output={text}");
            let expected = session.tensor(text).within(place)?;
            if let Some(difference) = compare(&expected, view, &tolerance.of_tensors()).within(place)? {
                wrong += 1;
                put(out, &format!("[FAILED] result[{index}]: {difference}\n"))?;
            }
            continue;
        }
        let letter = match found {
            Value::I64(_) => 'I',
            Value::F32(_) => 'f',
            Value::F64(_) => 'F',
            Value::Ref(_) => 'r',
            _ => 'i',
        };
        let expected = session::value(text, letter)
            .map_err(|error| error.within(format!("in --expected_output={text}")))?;
        if !tolerance.holds(found, &expected) {
            wrong += 1;
            let (expected, found) = (show::value(&expected)?, show::value(found)?);
            let text = format!(
                "[FAILED] result[{index}]: expected {} but got {}\n",
                expected.trim_end(),
                found.trim_end()
            );
            put(out, &text)?;
        }
    }
    if wrong > 0 {
        return Err(Error::new(Code::FailedPrecondition, "the results are not as expected"));
    }
    put(out, "[SUCCESS] all function outputs matched their expected values.\n")
}

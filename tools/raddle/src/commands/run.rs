//! `raddle run`: calls a function and prints or checks its results.

use crate::flags::Flags;
use crate::session::{self, Session};
use crate::{devices, input, show, stock};
use raddle_hal::BufferView;
use raddle_hal::tensor::{compare, npy_header, write_npy};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::Value;
use std::ffi::OsString;
use std::fs::File;
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
  --output=HOW              what to do with a result, in order: - prints it alone, nothing drops it, @FILE writes it to
                            a file, +FILE behind what the file has; FILE.npy with its shape, others as bare bytes
  --expected_output=VALUE   what a result should be, in order; (ignored) fits everything
  --expected_f32_threshold=0.0001, --expected_f64_threshold=0.0001, --expected_rtol=1e-05
                            how far floats may be off: threshold + rtol * |expected|
  --equality_mode=approximate
                            or exact
  --print_statistics, --print_device_statistics
                            what devices did and what memory they took, on standard error
  --list_devices, --list_drivers
                            the devices that there are, and nothing else
  --flagfile=FILE           more flags, one a line

Other flags of iree-run-module: docs/cli.md.
";

/// Runs the verb.
pub fn run(arguments: &[OsString]) -> Result {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(()) };
    stock::expand_flagfiles(&mut flags)?;
    if devices::list(&mut flags)? {
        return Ok(());
    }
    let session = Session::open(&mut flags)?;
    let outputs = flags.texts("--output")?;
    let expected = flags.texts("--expected_output")?;
    let tolerance = Tolerance::take(&mut flags)?;
    stock::take_others(&mut flags, &[])?;
    flags.no_file()?;
    let mut out = std::io::stdout().lock();
    put(&mut out, &format!("EXEC @{}\n", session.name))?;
    let results = session.invoke().wait().within(|| format!("calling {}", session.name))?;
    match expected.is_empty() {
        true => print(&mut out, &results, &outputs)?,
        false => check(&mut out, &session, &results, (&expected, &tolerance))?,
    }
    drop(results);
    session.devices.print_statistics();
    Ok(())
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
            Some(file) => {
                save(result, file).within(|| format!("writing result {index} to --output={file}"))?;
            }
        }
    }
    Ok(())
}

/// Writes a result to a file: `@FILE` anew, `+FILE` behind what is there; `.npy` files with shape and type, others as bare
/// bytes.
fn save(result: &Value, target: &str) -> Result {
    let (path, appends) = match target.split_at_checked(1) {
        Some(("@", path)) => (path, false),
        Some(("+", path)) => (path, true),
        _ => {
            let text = "a result is printed (-), dropped (nothing), or written to @FILE or +FILE";
            return Err(Error::new(Code::InvalidArgument, text));
        }
    };
    let bytes = match path.ends_with(".npy") {
        true => array(result)?,
        false => bare(result)?,
    };
    let mut options = File::options();
    let options = if appends { options.append(true) } else { options.write(true).truncate(true) };
    let written = options.create(true).open(path).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| input::failed("write", path.as_ref(), &error))
}

/// The value as a `.npy` file.
fn array(value: &Value) -> Result<Vec<u8>> {
    let descr = match value {
        Value::I32(_) => "<i4",
        Value::I64(_) => "<i8",
        Value::F32(_) => "<f4",
        Value::F64(_) => "<f8",
        other => {
            let mut bytes = Vec::new();
            write_npy(tensor(other).ok_or_else(|| shapeless(other))?, &mut bytes)?;
            return Ok(bytes);
        }
    };
    Ok([npy_header(descr, &[])?, bare(value)?].concat())
}

/// The bytes of a number or of a tensor's elements.
fn bare(value: &Value) -> Result<Vec<u8>> {
    Ok(match value {
        Value::I32(number) => number.to_le_bytes().to_vec(),
        Value::I64(number) => number.to_le_bytes().to_vec(),
        Value::F32(number) => number.to_le_bytes().to_vec(),
        Value::F64(number) => number.to_le_bytes().to_vec(),
        other => tensor(other).ok_or_else(|| shapeless(other))?.to_bytes()?,
    })
}

fn shapeless(value: &Value) -> Error {
    Error::new(
        Code::Unimplemented,
        format!("{value} is neither a number nor a tensor, and is written to no file"),
    )
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

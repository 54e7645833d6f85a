//! What `run` and `bench` have in common: modules, the function, its arguments.
//!
//! Not here: calling it ([`crate::call`]), printing results ([`crate::show`]).

use crate::flags::Flags;
use crate::{input, stock};
use raddle_hal::tensor::number;
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::{Context, EntryPoint, Limits, Module, Program, Registry, Scalar, Value};
use std::ffi::OsString;

/// Modules that stock tools make by themselves and that raddle does not have.
const DEVICE_MODULES: [&str; 4] = ["hal", "hal_inline", "hal_loader", "io_parameters"];

/// Digits and signs of an integer argument at most, as in stock. Unit: bytes.
const I32_BYTES_MAX: usize = 15;

/// A function that can be called, and what with.
pub struct Session {
    pub function: EntryPoint,
    /// As the user wrote it, without the module.
    pub name: String,
    pub arguments: Vec<Value>,
}

impl Session {
    /// Takes the flags of modules, function and inputs, loads and links.
    ///
    /// # Errors
    /// Those of reading, loading and linking; INVALID_ARGUMENT for what the flags have wrong.
    pub fn open(flags: &mut Flags) -> Result<Session> {
        stock::expand_flagfiles(flags)?;
        let files = flags.values("--module");
        let preload = match flags.texts("--module_mode")?.pop().as_deref().map(stock::unquoted) {
            None | Some("mmap") => false,
            Some("preload") => true,
            Some(mode) => return Err(invalid(format!("--module_mode is preload or mmap, not '{mode}'"))),
        };
        let name = flags.texts("--function")?.pop().map(|name| stock::unquoted(&name).to_owned());
        let inputs = flags.texts("--input")?;
        let modules = load(&files, preload)?;
        let last = modules.last().ok_or_else(|| invalid("--module=FILE is missing".to_owned()))?;
        let name = match name {
            Some(name) if !name.is_empty() => name,
            _ => only_export(last)?,
        };
        let signature =
            last.find(&name).within(|| format!("looking up --function={name}"))?.signature().clone();
        let arguments = arguments(&inputs, &signature.scalars().collect::<Vec<_>>())?;
        let function = link(modules)?.function(&name)?;
        Ok(Session { function, name, arguments })
    }
}

fn invalid(text: String) -> Error {
    Error::new(Code::InvalidArgument, text)
}

fn load(files: &[OsString], preload: bool) -> Result<Vec<Module>> {
    let mut modules: Vec<Module> = Vec::new();
    for path in files {
        let name = path.to_string_lossy();
        if name.contains(".so") && !std::path::Path::new(path).is_file() {
            return refuse_native(&name);
        }
        let bytes = input::open(path, preload)?;
        if bytes.starts_with(b"\x7fELF") {
            return refuse_native(&name);
        }
        let module = Module::load(bytes).within(|| format!("in --module={name}"))?;
        let needs = module.dependencies().iter().find(|other| DEVICE_MODULES.contains(&&*other.name));
        if let Some(other) = needs.filter(|other| !other.is_optional) {
            let text = format!(
                "--module={name} needs the module '{}': devices and tensors are not supported yet",
                other.name
            );
            return Err(Error::new(Code::Unimplemented, text));
        }
        modules.push(module);
    }
    Ok(modules)
}

fn refuse_native(name: &str) -> Result<Vec<Module>> {
    let text = format!("--module={name} is a native library; only compiled modules are loaded");
    Err(Error::new(Code::Unimplemented, text))
}

/// The only function that is meant to be called.
fn only_export(module: &Module) -> Result<String> {
    only_name(module.exports().iter().map(|export| &*export.name))
        .within(|| format!("in module {}", module.name()))
}

/// The only one of these exports that is meant to be called.
///
/// # Errors
/// INVALID_ARGUMENT: there is none, or there are several.
pub fn only_name<'a>(exports: impl Iterator<Item = &'a str>) -> Result<String> {
    let is_candidate = |name: &&str| !name.starts_with("__") && !name.contains('$');
    let names: Vec<&str> = exports.filter(is_candidate).collect();
    match names[..] {
        [name] => Ok(name.to_owned()),
        [] => Err(invalid("it exports no function to run".to_owned())),
        _ => Err(invalid(format!("say --function=NAME, one of: {}", names.join(", ")))),
    }
}

fn link(modules: Vec<Module>) -> Result<Context> {
    let registry = Registry::new();
    // One command, one program: what the machine has is the limit.
    let mut builder =
        Context::builder().limits(Limits { allocation_bytes_max: u64::MAX, ..Limits::default() });
    for module in modules {
        builder = builder.program(Program::new(module, &registry)?);
    }
    builder.build()
}

/// The inputs as arguments of these kinds.
fn arguments(inputs: &[String], kinds: &[Scalar]) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for (index, text) in inputs.iter().enumerate() {
        let kind = kinds.get(index).ok_or_else(|| {
            invalid(format!("--input={text} is one too many: the function takes {} arguments", kinds.len()))
        })?;
        values.push(value(text, kind.letter()).within(|| format!("in --input={text}"))?);
    }
    Ok(values)
}

/// The text as a value of the kind with this letter.
///
/// # Errors
/// INVALID_ARGUMENT: it does not look like one. UNIMPLEMENTED: a tensor.
pub fn value(text: &str, letter: char) -> Result<Value> {
    let is_null = text == "(null)" || text == "(ignored)";
    if letter == 'r' {
        return if is_null { Ok(Value::Ref(None)) } else { Err(no_object(text)) };
    }
    if is_null {
        return Value::I32(0).for_letter(letter as u8);
    }
    let value = match letter {
        'i' if text.trim().len() > I32_BYTES_MAX => None,
        'i' => number::integer(text).map(|value| Value::I32(value as i32)),
        'I' => number::integer(text).map(Value::I64),
        'f' => number::float(text).map(Value::F32),
        _ => number::float(text).map(Value::F64),
    };
    value.ok_or_else(|| {
        let name = match letter {
            'i' => "i32",
            'I' => "i64",
            'f' => "f32",
            _ => "f64",
        };
        invalid(format!("'{text}' is no number of type {name}; write it without a type"))
    })
}

/// Why the text can't be passed as a reference.
fn no_object(text: &str) -> Error {
    let is_file = text.starts_with(['@', '+', '*', '&']);
    let shape = text.split('=').next().unwrap_or_default();
    let is_tensor = shape.rsplit('x').next().is_some_and(|element| {
        element.trim_start_matches(['s', 'u', 'b', 'c']).starts_with(['i', 'f', '*']) && !text.is_empty()
    });
    if is_file || is_tensor {
        return Error::new(Code::Unimplemented, "tensors are not supported yet; a reference can be (null)");
    }
    invalid(format!("'{text}' is no reference; it can be (null)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_as_stock_reads_them() {
        for (text, letter, expected) in [
            ("99999999999", 'i', Value::I32(1_215_752_191)),
            ("010", 'i', Value::I32(8)),
            ("(null)", 'F', Value::F64(0.0)),
            ("(ignored)", 'r', Value::Ref(None)),
            ("0x7fffffffffffffff", 'I', Value::I64(i64::MAX)),
            ("1e39", 'f', Value::F32(f32::INFINITY)),
        ] {
            assert_eq!(value(text, letter).unwrap(), expected, "{text}");
        }
        for (text, letter, code) in [
            ("i32=7", 'i', Code::InvalidArgument),
            ("1234567890123456", 'i', Code::InvalidArgument),
            ("", 'f', Code::InvalidArgument),
            ("5", 'r', Code::InvalidArgument),
            ("", 'r', Code::InvalidArgument),
            ("2xf32=1 2", 'r', Code::Unimplemented),
            ("@x.npy", 'r', Code::Unimplemented),
        ] {
            assert_eq!(value(text, letter).unwrap_err().code(), code, "{text}");
        }
    }
}

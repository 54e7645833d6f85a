//! What `run` and `bench` have in common: modules, the function, its arguments.
//!
//! Not here: printing results ([`crate::show`]).

use crate::devices::Devices;
use crate::flags::Flags;
use crate::{input, stock};
use raddle::{Function, Invocation};
use raddle_hal::BufferView;
use raddle_hal::tensor::number;
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::{Limits, Module, Scalar, Value};
use std::ffi::OsString;

/// Modules that stock tools make by themselves and that raddle does not have.
const MISSING_MODULES: [&str; 2] = ["hal_inline", "hal_loader"];

/// Digits and signs of an integer argument at most, as in stock. Unit: bytes.
const I32_BYTES_MAX: usize = 15;

/// A function that can be called, and what with.
pub struct Session {
    function: Function,
    /// As the user wrote it, without the module.
    pub name: String,
    arguments: Vec<Value>,
    /// Last: the function runs on it.
    pub devices: Devices,
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
        let devices = Devices::take(flags)?;
        let modules = load(&files, preload)?;
        let last = modules.last().ok_or_else(|| invalid("--module=FILE is missing".to_owned()))?;
        let name = match name {
            Some(name) if !name.is_empty() => name,
            _ => only_export(last)?,
        };
        let found = last.find(&name).within(|| format!("looking up --function={name}"))?;
        let mut kinds: Vec<_> = found.signature().scalars().collect();
        let is_coarse = found.attrs().any(|attr| attr == ("iree.abi.model", "coarse-fences"));
        if is_coarse && kinds.len() >= 2 {
            // Every call has fences of its own.
            kinds.truncate(kinds.len() - 2);
        }
        let function = link(modules, &devices)?.function(&name)?;
        let arguments = arguments(&inputs, &kinds, &devices)?;
        Ok(Session { function, name, arguments, devices })
    }

    /// A call of the function, which begins when it is waited for or started.
    pub fn invoke(&self) -> Invocation {
        self.function.invoke(self.arguments.clone())
    }

    /// What a tensor should be compared with.
    ///
    /// # Errors
    /// Those of reading it; INVALID_ARGUMENT: the text stands for several.
    pub fn tensor(&self, text: &str) -> Result<BufferView> {
        let mut views = self.devices.reader().read(text)?;
        match (views.pop(), views.is_empty()) {
            (Some(view), true) => Ok(view),
            _ => Err(invalid(format!("'{text}' is not one tensor"))),
        }
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
        let needs = module.dependencies().iter().find(|other| MISSING_MODULES.contains(&&*other.name));
        if let Some(other) = needs.filter(|other| !other.is_optional) {
            let text =
                format!("--module={name} needs the module '{}', which raddle does not have", other.name);
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

fn link(modules: Vec<Module>, devices: &Devices) -> Result<raddle::Session> {
    // One command, one program: what the machine has is the limit.
    let limits = Limits { allocation_bytes_max: u64::MAX, ..Limits::default() };
    let builder = devices.session()?.limits(limits);
    modules.into_iter().fold(builder, raddle::SessionBuilder::module).build()
}

/// The inputs as arguments of these kinds.
fn arguments(inputs: &[String], kinds: &[Scalar], devices: &Devices) -> Result<Vec<Value>> {
    let mut reader = devices.reader();
    let mut values = Vec::new();
    for text in inputs {
        let place = || format!("in --input={text}");
        let kind = kinds.get(values.len()).ok_or_else(|| {
            invalid(format!("--input={text} is one too many: the function takes {} arguments", kinds.len()))
        })?;
        match kind.letter() {
            'r' if !is_null(text) => {
                let views = reader.read(text).within(place)?;
                values.extend(views.into_iter().map(BufferView::into_value));
            }
            letter => values.push(value(text, letter).within(place)?),
        }
    }
    Ok(values)
}

fn is_null(text: &str) -> bool {
    text == "(null)" || text == "(ignored)"
}

/// The text as a value of the kind with this letter.
///
/// # Errors
/// INVALID_ARGUMENT: it does not look like one.
pub fn value(text: &str, letter: char) -> Result<Value> {
    if letter == 'r' {
        let other = || Err(invalid(format!("'{text}' is no reference; it can be (null), or a tensor")));
        return if is_null(text) { Ok(Value::Ref(None)) } else { other() };
    }
    if is_null(text) {
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
        ] {
            assert_eq!(value(text, letter).unwrap_err().code(), code, "{text}");
        }
    }
}

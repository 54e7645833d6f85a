//! What tests of whole programs share: the calls in `expected.txt`, their inputs and results, runtimes and devices.
#![allow(dead_code, clippy::missing_panics_doc)]

use raddle::hal::{BufferView, Device, DeviceBuilder, ElementType, Fence, NativeCode};
use raddle::vm::{Ref, RefOf};
use raddle::{Outputs, Runtime, TurnBudget, Value};
use std::path::{Path, PathBuf};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/hal")
}

pub fn program(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().unwrap()
}

pub fn builder(runtime: &Runtime) -> DeviceBuilder {
    // SAFETY: the programs are those of this repository.
    let native = unsafe { NativeCode::run() };
    Device::builder(runtime.executor()).native_code(native)
}

pub fn device(runtime: &Runtime) -> Device {
    builder(runtime).build().unwrap()
}

pub fn reference<T: raddle::vm::Object>(object: &RefOf<T>) -> Value {
    Value::Ref(Some(object.clone().into_ref()))
}

pub fn fence() -> RefOf<Fence> {
    RefOf::new(Fence::new())
}

/// Turns a runtime without workers until this holds; with workers, they bring it about.
pub fn until(runtime: &Runtime, mut holds: impl FnMut() -> bool) {
    while !holds() {
        match runtime.executor().worker_count() {
            0 => drop(runtime.turn(TurnBudget::default()).unwrap()),
            _ => std::thread::yield_now(),
        }
    }
}

/// A call in `expected.txt`, and what was printed for it.
pub struct Call {
    pub module: String,
    pub function: String,
    pub inputs: Vec<String>,
    pub parameters: bool,
    pub lines: Vec<String>,
}

pub fn calls() -> Vec<Call> {
    let text = std::fs::read_to_string(folder().join("expected.txt")).unwrap();
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some(command) = line.strip_prefix("$ run ") else {
            if let Some(call) = calls.last_mut()
                && !line.is_empty()
            {
                call.lines.push(line.to_owned());
            }
            continue;
        };
        let flags: Vec<&str> = command.strip_prefix("--").unwrap().split(" --").collect();
        let value = |name: &str| flags.iter().find_map(|flag| flag.strip_prefix(name));
        calls.push(Call {
            module: value("module=").unwrap().to_owned(),
            function: value("function=").unwrap().to_owned(),
            inputs: flags.iter().filter_map(|flag| flag.strip_prefix("input=")).map(str::to_owned).collect(),
            parameters: value("parameters=").is_some(),
            lines: Vec::new(),
        });
    }
    assert!(calls.len() > 50, "calls are missing");
    calls
}

/// The calls that succeed on a device alone: no parameters, no host function, no failure.
pub fn plain_calls() -> Vec<Call> {
    let is_plain = |call: &Call| {
        let fails = call.lines.iter().any(|line| line.contains("; "));
        !call.parameters && !fails
    };
    calls().into_iter().filter(is_plain).collect()
}

/// An input as a value.
pub fn input(device: &Device, text: &str) -> Value {
    if let Some(path) = text.strip_prefix('@') {
        return array(device, &std::fs::read(folder().join(path)).unwrap());
    }
    let Some((kind, elements)) = text.split_once('=') else { return Value::I32(text.parse().unwrap()) };
    let (shape, name) = kind.rsplit_once('x').unwrap_or(("", kind));
    let shape: Vec<u64> =
        shape.split('x').filter(|extent| !extent.is_empty()).map(|extent| extent.parse().unwrap()).collect();
    let count = shape.iter().product::<u64>() as usize;
    let elements: Vec<&str> = elements.split(' ').collect();
    let ty = ElementType::from_name(name).unwrap();
    let bytes: Vec<u8> =
        (0..count).flat_map(|index| element(ty, elements[index.min(elements.len() - 1)])).collect();
    BufferView::from_bytes(device.allocator(), ty, &shape, &bytes).unwrap().into_value()
}

fn element(ty: ElementType, text: &str) -> Vec<u8> {
    let float: f64 = text.parse().unwrap();
    match ty {
        ElementType::FLOAT_64 => float.to_le_bytes().to_vec(),
        ElementType::FLOAT_32 => (text.parse::<f32>().unwrap()).to_le_bytes().to_vec(),
        ElementType::FLOAT_16 => half(float).to_le_bytes().to_vec(),
        _ => (text.parse::<i64>().unwrap()).to_le_bytes()[..(ty.bits() / 8) as usize].to_vec(),
    }
}

/// The half-precision bits of a number that has some.
fn half(value: f64) -> u16 {
    let bits = (value as f32).to_bits();
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    assert!((1..31).contains(&exponent) && bits & 0x1fff == 0, "{value} is no simple half");
    (bits >> 16 & 0x8000) as u16 | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16
}

fn from_half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff) / 1024.0);
    let magnitude =
        if exponent == 0 { fraction * 2f64.powi(-14) } else { (1.0 + fraction) * 2f64.powi(exponent - 15) };
    if bits & 0x8000 != 0 { -magnitude } else { magnitude }
}

/// A `.npy` file of a few types.
fn array(device: &Device, file: &[u8]) -> Value {
    let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
    let header = std::str::from_utf8(&file[10..10 + length]).unwrap();
    let between = |start: &str, end: char| header.split(start).nth(1).unwrap().split(end).next().unwrap();
    let ty = match between("'descr': '", '\'') {
        "<f4" => ElementType::FLOAT_32,
        "<i4" => ElementType::SINT_32,
        other => panic!("{other}"),
    };
    let shape: Vec<u64> =
        between("'shape': (", ')').split(',').filter_map(|extent| extent.trim().parse().ok()).collect();
    BufferView::from_bytes(device.allocator(), ty, &shape, &file[10 + length..]).unwrap().into_value()
}

/// Compares results with what stock has printed, to the digits that it prints.
pub fn check(call: &Call, outputs: &Outputs) {
    let mut printed =
        call.lines.iter().filter(|line| !line.starts_with("EXEC") && !line.ends_with("hal.buffer_view"));
    for value in outputs.iter() {
        let line = printed.next().unwrap_or_else(|| panic!("{}: a result too many", call.module));
        let (kind, text) = line.split_once('=').unwrap();
        let expected: Vec<f64> = text
            .split(['[', ']', ' '])
            .filter(|word| !word.is_empty())
            .map(|word| word.parse().unwrap())
            .collect();
        let found = match value {
            Value::Ref(Some(view)) => elements(view),
            Value::I32(number) => vec![(*number).into()],
            other => panic!("{other}"),
        };
        assert_eq!(found.len(), expected.len(), "{} {kind}: {found:?}", call.module);
        for (found, expected) in found.iter().zip(&expected) {
            let is_near = (found - expected).abs() <= expected.abs() * 1e-5 + 1e-30;
            let same_sign = found.is_sign_negative() == expected.is_sign_negative();
            assert!(is_near && same_sign, "{} {kind}: {found} for {expected}", call.module);
        }
    }
    assert!(printed.next().is_none(), "{}: a result is missing", call.module);
}

pub fn elements(view: &Ref) -> Vec<f64> {
    let view = view.get::<BufferView>().expect("a tensor");
    let bytes = view.to_bytes().unwrap();
    let wide = |bytes: &[u8]| {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        i64::from_le_bytes(wide)
    };
    let signed = |bytes: &[u8]| {
        let shift = 64 - 8 * bytes.len() as u32;
        (wide(bytes) << shift >> shift) as f64
    };
    let ty = view.element_type();
    let each = bytes.chunks_exact((ty.bits() / 8) as usize);
    match ty {
        ElementType::FLOAT_64 => each.map(|bytes| f64::from_bits(wide(bytes) as u64)).collect(),
        ElementType::FLOAT_32 => each.map(|bytes| f32::from_bits(wide(bytes) as u32).into()).collect(),
        ElementType::FLOAT_16 => each.map(|bytes| from_half(wide(bytes) as u16)).collect(),
        _ => each.map(signed).collect(),
    }
}

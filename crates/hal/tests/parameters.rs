//! Programs load parameters from archives, and every program prints what stock prints, to the letter.

mod support;

use raddle::hal::parameters::{ParameterArchive, Parameters};
use raddle::hal::tensor::{ELEMENTS_MAX, TensorReader, to_text};
use raddle::hal::{BufferView, Device};
use raddle::{Code, Outputs, Runtime, Session, Value};
use std::sync::Arc;
use support::*;

/// Arguments from the texts of a command line; a plain number is an i32 in these programs.
fn arguments(device: &Device, call: &Call) -> Vec<Value> {
    let mut reader = TensorReader::new(device.allocator());
    let mut values = Vec::new();
    for text in &call.inputs {
        if let Ok(number) = text.parse() {
            values.push(Value::I32(number));
            continue;
        }
        let text = match text.strip_prefix('@') {
            Some(path) => format!("@{}", folder().join(path).display()),
            None => text.clone(),
        };
        values.extend(reader.read(&text).unwrap().into_iter().map(BufferView::into_value));
    }
    values
}

fn print(call: &Call, outputs: &Outputs) -> Vec<String> {
    let mut lines = vec![format!("EXEC @{}", call.function)];
    for (index, value) in outputs.iter().enumerate() {
        match value {
            Value::Ref(Some(view)) => {
                lines.push(format!("result[{index}]: hal.buffer_view"));
                lines.push(to_text(view.get::<BufferView>().unwrap(), ELEMENTS_MAX).unwrap());
            }
            Value::I32(number) => lines.push(format!("result[{index}]: i32={number}")),
            other => panic!("{other}"),
        }
    }
    lines
}

fn archive() -> Arc<ParameterArchive> {
    Arc::new(ParameterArchive::open(&folder().join("inputs/p18.irpa")).unwrap())
}

fn parameters(scope: &str, archive: Arc<ParameterArchive>) -> Parameters {
    let mut parameters = Parameters::new();
    parameters.add(scope, archive);
    parameters
}

fn session(
    runtime: &Runtime,
    device: &Device,
    module: &str,
    parameters: &Parameters,
) -> raddle::Result<Session> {
    let builder = runtime.session().device(device).native(parameters.module().unwrap());
    builder.bytes(program(module)).unwrap().build()
}

fn check_call(runtime: &Runtime, device: &Device, call: &Call, parameters: &Parameters) {
    let session = session(runtime, device, &call.module, parameters).unwrap();
    let outputs = session.function(&call.function).unwrap().invoke(arguments(device, call)).wait().unwrap();
    assert_eq!(print(call, &outputs), call.lines, "{}", call.module);
}

fn parameter_calls() -> Vec<Call> {
    let calls: Vec<Call> = calls().into_iter().filter(|call| call.parameters).collect();
    assert_eq!(calls.len(), 3);
    calls
}

#[test]
fn programs_print_what_stock_prints() {
    let runtime = runtime(1);
    let device = device(&runtime);
    let parameters = parameters("model", archive());
    let mut count = 0;
    for call in plain_calls().iter().chain(&parameter_calls()) {
        check_call(&runtime, &device, call, &parameters);
        count += 1;
    }
    assert!(count > 40, "{count}");
}

#[test]
fn parameters_are_used_where_they_are_or_copied() {
    let runtime = runtime(1);
    let file = std::fs::read(folder().join("inputs/p18.irpa")).unwrap();
    // Bytes at every alignment: borrowed as they are, or copied once.
    let mut shifted = vec![0; 64];
    shifted.extend(&file);
    let bytes = raddle::vm::Bytes::from(shifted);
    for shift in [0, 4, 64] {
        let moved = bytes.slice(64..);
        let moved = if shift == 64 { moved } else { [&[0].repeat(shift)[..], &file].concat().into() };
        let start = if shift == 64 { 0 } else { shift };
        let archive = Arc::new(ParameterArchive::from_bytes(moved.slice(start..)).unwrap());
        let device = device(&runtime);
        for call in parameter_calls() {
            check_call(&runtime, &device, &call, &parameters("model", archive.clone()));
        }
    }
}

#[test]
fn a_mapped_parameter_takes_no_memory_of_the_device() {
    let runtime = runtime(0);
    let device = device(&runtime);
    let session =
        session(&runtime, &device, "p18_params.sync.vmfb", &parameters("model", archive())).unwrap();
    until(&runtime, || device.scope().pending() == 0);
    // The 256 bytes of `w` are the archive's; the pattern of `b` takes a block.
    assert_eq!(device.allocator().statistics().live_bytes, 64);
    drop(session);
}

#[test]
fn the_archive_may_go_before_the_program() {
    let runtime = runtime(1);
    let device = device(&runtime);
    let parameters = parameters("model", archive());
    let session = session(&runtime, &device, "p18_params.sync.vmfb", &parameters).unwrap();
    drop(parameters);
    let call = &parameter_calls()[0];
    let outputs = session.function("lin").unwrap().invoke(arguments(&device, call)).wait().unwrap();
    assert_eq!(print(call, &outputs), call.lines);
}

#[test]
fn missing_scopes_and_names_are_told() {
    let runtime = runtime(1);
    let device = device(&runtime);
    let fails = |parameters: &Parameters| {
        let failed = session(&runtime, &device, "p18_params.sync.vmfb", parameters).map(drop);
        let error = failed.unwrap_err();
        (error.code(), error.message().to_owned())
    };
    let (code, text) = fails(&parameters("other", archive()));
    assert!(code == Code::NotFound && text.contains("scope 'model'"), "{text}");
    let mut file = std::fs::read(folder().join("inputs/p18.irpa")).unwrap();
    file[0x10D] = b'v';
    let renamed = Arc::new(ParameterArchive::from_bytes(file.into()).unwrap());
    assert_eq!(renamed.names().count(), 2);
    let (code, text) = fails(&parameters("model", renamed.clone()));
    assert!(code == Code::NotFound && text.contains("no parameter 'w' in the scope 'model'"), "{text}");
    // A second archive of the scope has it.
    let mut both = parameters("model", renamed);
    both.add("model", archive());
    assert!(session(&runtime, &device, "p18_params.sync.vmfb", &both).is_ok());
    let error = ParameterArchive::open(&folder().join("nowhere.irpa")).unwrap_err();
    assert!(error.code() == Code::NotFound && error.to_string().contains("nowhere.irpa"), "{error}");
    let error = ParameterArchive::open(&folder().join("expected.txt")).unwrap_err();
    assert!(error.code() == Code::InvalidArgument && error.to_string().contains("IRPA"), "{error}");
}

#[test]
fn parameters_that_are_too_short_are_told() {
    let runtime = runtime(1);
    let device = device(&runtime);
    let mut file = std::fs::read(folder().join("inputs/p18.irpa")).unwrap();
    // The length of `w`.
    file[0xC0 + 68] = 0x80;
    file[0xC0 + 69] = 0;
    let short = Arc::new(ParameterArchive::from_bytes(file.into()).unwrap());
    let failed = session(&runtime, &device, "p18_params.sync.vmfb", &parameters("model", short)).map(drop);
    let error = failed.unwrap_err();
    assert!(error.code() == Code::OutOfRange && error.message().contains("'w', which has 128"), "{error}");
}

/// What programs pass: names one after the other, (offset, bytes) of each, and (from, to, bytes) of each span.
struct Tables {
    scope: Option<&'static str>,
    keys: Vec<u8>,
    names: Vec<u8>,
    spans: Vec<u8>,
}

fn tables(rows: &[(&str, u64, u64, u64)]) -> Tables {
    let mut tables = Tables { scope: Some("model"), keys: Vec::new(), names: Vec::new(), spans: Vec::new() };
    for (name, from, to, length) in rows {
        tables.keys.extend((tables.names.len() as u32).to_le_bytes());
        tables.keys.extend((name.len() as u32).to_le_bytes());
        tables.names.extend(name.bytes());
        [from, to, length].iter().for_each(|word| tables.spans.extend(word.to_le_bytes()));
    }
    tables
}

struct Hand {
    _runtime: Runtime,
    session: Session,
}

impl Hand {
    fn new() -> Hand {
        let runtime = runtime(1);
        let device = device(&runtime);
        let mut parameters = parameters("model", archive());
        parameters.add("", archive());
        let module = raddle::vm::assemble(include_str!("scripts/parameters.vmasm")).unwrap().build();
        let builder = runtime.session().device(&device).native(parameters.module().unwrap());
        let session = builder.bytes(module).unwrap().build().unwrap();
        Hand { _runtime: runtime, session }
    }

    fn call(&self, function: &str, tables: Tables) -> raddle::Result<Vec<i64>> {
        let bytes = |bytes: Vec<u8>| Value::object(raddle::vm::Buffer::constant(Arc::new(bytes)));
        let scope = tables.scope.map_or(Value::Ref(None), |scope| bytes(scope.as_bytes().to_vec()));
        let arguments = [scope, bytes(tables.keys), bytes(tables.names), bytes(tables.spans)];
        let outputs = self.session.function(function).unwrap().invoke(arguments).wait()?;
        Ok(outputs.iter().map(|value| value.bits() as i64).collect())
    }

    fn fails(&self, function: &str, tables: Tables, code: Code, text: &str) {
        let error = self.call(function, tables).unwrap_err();
        assert!(error.code() == code && error.to_string().contains(text), "{error}");
    }
}

#[test]
fn spans_are_gathered_into_one_buffer() {
    let hand = Hand::new();
    let (half, patterned) = (i64::from(0.5_f32.to_bits()), i64::from(1.25_f32.to_bits()));
    let gather = |tables| hand.call("gather", tables).unwrap();
    assert_eq!(gather(tables(&[("w", 0, 0, 4), ("b", 0, 4, 4), ("w", 252, 8, 4)])), [0, half, patterned, 0]);
    // A pattern goes on where the span begins.
    assert_eq!(gather(tables(&[("b", 2, 0, 4)]))[1], i64::from((1.25_f32.to_bits()).rotate_right(16)));
    let without_scope = Tables { scope: None, ..tables(&[("w", 0, 8, 4)]) };
    assert_eq!(gather(without_scope)[3], half);
    assert_eq!(gather(tables(&[]))[0], 0);
}

#[test]
fn wrong_tables_are_told() {
    let hand = Hand::new();
    let fails = |tables, code, text| hand.fails("gather", tables, code, text);
    fails(tables(&[("x", 0, 0, 4)]), Code::NotFound, "no parameter 'x'");
    fails(Tables { scope: Some("other"), ..tables(&[("w", 0, 0, 4)]) }, Code::NotFound, "scope 'other'");
    fails(tables(&[("w", 254, 0, 4)]), Code::OutOfRange, "4 bytes at 254 of parameter 'w', which has 256");
    fails(tables(&[("w", u64::MAX, 0, 4)]), Code::OutOfRange, "of parameter 'w'");
    fails(tables(&[("b", 32, 0, 4)]), Code::OutOfRange, "which has 32");
    fails(tables(&[("w", 0, 62, 4)]), Code::OutOfRange, "outside a buffer of 64");
    let cut = |mut tables: Tables, spans: usize, keys: usize, names: usize| {
        tables.spans.truncate(spans);
        tables.keys.truncate(keys);
        tables.names.truncate(names);
        tables
    };
    let row = || tables(&[("w", 0, 0, 4)]);
    fails(cut(row(), 23, 8, 1), Code::InvalidArgument, "23 bytes; a span takes 24");
    fails(cut(row(), 24, 7, 1), Code::InvalidArgument, "7 bytes for 1 spans");
    fails(cut(row(), 24, 8, 0), Code::OutOfRange, "leaves its table");
}

#[test]
fn archives_are_not_written() {
    let hand = Hand::new();
    hand.fails("scatter", tables(&[("w", 0, 0, 4)]), Code::PermissionDenied, "'w' can't be written");
    hand.fails("scatter", tables(&[("x", 0, 0, 4)]), Code::NotFound, "no parameter 'x'");
    hand.fails("scatter", tables(&[("w", 0, 61, 4)]), Code::OutOfRange, "outside a buffer of 64");
    assert_eq!(hand.call("scatter", tables(&[])).unwrap(), [0]);
}

//! The functions of `hal` that compilers do not emit for a processor, and what programs can do wrong, by hand-made
//! modules.

mod support;

use raddle::hal::flags::{memory_type, usage};
use raddle::hal::{Buffer, BufferParams, BufferView, ElementType, File};
use raddle::vm::{Buffer as Bytes, Limits, RefOf, assemble};
use raddle::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use support::*;

struct Reach {
    runtime: Runtime,
    device: hal::Device,
    session: Session,
}

fn reach(workers: usize) -> Reach {
    reach_of(workers, 1 << 20)
}

fn reach_of(workers: usize, memory_bytes_max: u64) -> Reach {
    let runtime = runtime(workers);
    let device = builder(&runtime).memory_bytes_max(memory_bytes_max).build().unwrap();
    let module = assemble(include_str!("scripts/reach.vmasm")).unwrap().build();
    let session = runtime.session().limits(Limits::default()).device(&device).bytes(module).unwrap();
    let session = session.build().unwrap();
    Reach { runtime, device, session }
}

impl Reach {
    fn call(&self, name: &str, arguments: Vec<Value>) -> Result<Vec<Value>> {
        let outputs = self.session.function(name).unwrap().invoke(arguments).wait()?;
        Ok(outputs.to_vec())
    }

    fn numbers(&self, name: &str, arguments: Vec<Value>) -> Vec<i64> {
        let values = self.call(name, arguments).unwrap_or_else(|error| panic!("{name}: {error}"));
        values.iter().map(|value| value.bits() as i64).collect()
    }

    fn fails(&self, name: &str, arguments: Vec<Value>, code: Code, text: &str) {
        let error = self.call(name, arguments).expect_err(name);
        assert!(error.code() == code && error.to_string().contains(text), "{name}: {error}");
    }
}

/// The library of kernels in a compiled module; what follows it in the file does no harm.
fn library() -> Value {
    let file = program("abs.sync.vmfb");
    let start = file.windows(4).position(|bytes| bytes == b"\x7fELF").expect("a library");
    Value::object(Bytes::constant(Arc::new(file[start..].to_vec())))
}

#[test]
fn every_function_is_there_with_its_convention() {
    // The script imports all of them, by what they are called with.
    let script = include_str!("scripts/reach.vmasm");
    let imports = script.lines().filter_map(|line| line.strip_prefix("vm.import @hal."));
    let imported: BTreeSet<String> = imports.map(str::to_owned).collect();
    let reach = reach(0);
    let module = hal::module(std::slice::from_ref(&reach.device), &hal::AwaitCounts::default()).unwrap();
    let exported: BTreeSet<String> =
        module.exports().map(|(name, convention)| format!("{name} cconv \"{convention}\"")).collect();
    assert_eq!(exported, imported);
    assert_eq!((exported.len(), hal::MODULE_VERSION), (58, 7));
}

#[test]
fn memory_is_stored_loaded_and_counted() {
    let reach = reach(1);
    assert_eq!(reach.numbers("memory", vec![]), [0xbbcc, 10, 1, 0, 0, 1]);
    assert_eq!(reach.numbers("views", vec![]), [0x1000_0020, 1, 2, 3, 0, 24]);
    reach.fails("too_wide", vec![], Code::InvalidArgument, "5 bytes");
}

#[test]
fn commands_run_from_tables_and_in_order() {
    for workers in [0, 2] {
        let reach = reach(workers);
        let expected = [0, 0x0605_1234, 0x1234_0807];
        assert_eq!(reach.numbers("commands", vec![]), expected);
        assert_eq!(reach.numbers("queue", vec![]), [0, 0x0707_0707, 0x0807_0605]);
    }
}

#[test]
fn what_is_wrong_with_commands_is_said() {
    let reach = reach(1);
    reach.fails("unbalanced", vec![], Code::FailedPrecondition, "1 debug groups");
    reach.fails("unfinished", vec![], Code::FailedPrecondition, "not finalized");
    reach.fails("missing_slot", vec![], Code::OutOfRange, "slot 0");
    reach.fails("short_slot", vec![], Code::OutOfRange, "binding of 4 bytes");
    reach.fails("wrong_pattern", vec![], Code::InvalidArgument, "8 bytes; it can have 1, 2 or 4");
    reach.fails("kernel", vec![library(), Value::I32(7)], Code::OutOfRange, "kernel 7");
    reach.fails(
        "kernel",
        vec![library(), Value::I32(0)],
        Code::InvalidArgument,
        "takes 0 constants and 2 bindings",
    );
}

#[test]
fn operations_fail_their_fences() {
    let reach = reach(1);
    reach.fails("twice", vec![], Code::FailedPrecondition, "deallocated before");
    reach.fails("refused_write", vec![], Code::PermissionDenied, "only be read");
    reach.fails("pool", vec![], Code::Unimplemented, "memory pool 1");
    reach.fails("oversized", vec![], Code::ResourceExhausted, "at most 1048576");
    let statistics = reach.device.allocator().statistics();
    assert_eq!(statistics.refusals, 1);
    // The device stays usable.
    assert_eq!(reach.numbers("queue", vec![])[0], 0);
}

#[test]
fn fences_are_asked_joined_and_failed() {
    let reach = reach(1);
    assert_eq!(reach.numbers("fences", vec![]), [17, 4, 0, 0, 0, 15]);
    assert_eq!(reach.session.awaits().suspensions(), 0, "none of these has to wait");
}

#[test]
fn an_await_without_end_has_its_own_deadline() {
    for workers in [0, 1] {
        let reach = reach(workers);
        assert_eq!(reach.numbers("soon", vec![]), [4]);
        assert_eq!(reach.session.awaits().suspensions(), 1);
        drop(reach.runtime);
    }
}

#[test]
fn devices_are_selected_and_asked() {
    let reach = reach(1);
    assert_eq!(reach.numbers("selected", vec![]), [1, 5]);
    assert_eq!(reach.numbers("absent", vec![]), [0, 0, 0]);
    reach.fails("channels", vec![], Code::Unimplemented, "channel.create");
    reach.fails("split", vec![], Code::InvalidArgument, "hal.channel");
    reach.fails("collective", vec![], Code::Unimplemented, "command_buffer.collective");
}

#[test]
fn constants_are_imported_where_they_are_aligned() {
    #[repr(align(64))]
    struct Aligned([u8; 128]);
    static BYTES: Aligned = Aligned([7; 128]);
    struct Part(usize);
    impl AsRef<[u8]> for Part {
        fn as_ref(&self) -> &[u8] {
            &BYTES.0[self.0..]
        }
    }
    let reach = reach(1);
    let bytes = |offset| vec![Value::object(Bytes::constant(Arc::new(Part(offset))))];
    assert_eq!(reach.numbers("import_constant", bytes(64)), [1]);
    assert_eq!(reach.numbers("import_constant", bytes(32)), [0]);
    reach.fails("store_constant", bytes(0), Code::PermissionDenied, "");
    reach.fails("fill_constant", bytes(0), Code::PermissionDenied, "access 0x1 does not include 0x2");
}

#[test]
fn a_dispatch_reads_its_grid_when_it_runs() {
    let reach = reach(1);
    let bits = (-2.5f32).to_bits() as i32;
    assert_eq!(reach.numbers("indirect", vec![library(), Value::I32(bits)]), [i64::from(2.5f32.to_bits())]);
}

#[test]
fn native_code_is_refused_unless_it_was_allowed() {
    let runtime = runtime(1);
    let device = hal::Device::builder(runtime.executor()).build().unwrap();
    let module = assemble(include_str!("scripts/reach.vmasm")).unwrap().build();
    let session = runtime.session().device(&device).bytes(module).unwrap().build().unwrap();
    let error =
        session.function("indirect").unwrap().invoke(vec![library(), Value::I32(0)]).wait().unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    // A compiled program is told that no device takes its format.
    let error =
        runtime.session().device(&device).bytes(program("abs.sync.vmfb")).unwrap().build().unwrap_err();
    assert_eq!(error.code(), Code::Incompatible, "{error}");
}

impl Reach {
    fn buffer(&self, bytes: u64, usage: u32) -> RefOf<Buffer> {
        let params = BufferParams { usage, ..BufferParams::default() };
        RefOf::new(Buffer::allocate(self.device.allocator(), bytes, params).unwrap())
    }

    fn check_view(&self, element: ElementType, encoding: u32, shape: &[u64]) -> Result {
        let view = BufferView::new(self.buffer(24, usage::DEFAULT), element, encoding, shape);
        // The program expects 2x3xi32.
        let expected =
            [Value::I32(ElementType::INT_32.0 as i32), Value::I32(1), Value::I64(2), Value::I64(3)];
        self.call("assert_view", [vec![view.into_value()], expected.to_vec()].concat()).map(drop)
    }

    fn check_buffer(&self, usage: u32, length: i64, memory_type: u32, wanted: u32) -> Result {
        let [memory_type, wanted] = [memory_type, wanted].map(|bits| Value::I32(bits as i32));
        let buffer = reference(&self.buffer(24, usage));
        self.call("assert_buffer", vec![buffer, Value::I64(length), memory_type, wanted]).map(drop)
    }
}

#[test]
fn arguments_are_compared_in_the_order_of_stock() {
    let reach = reach(0);
    let (int, float) = (ElementType::INT_32, ElementType::FLOAT_32);
    for element in [int, ElementType::SINT_32, ElementType::UINT_32, ElementType::OPAQUE_32] {
        // No encoding fits any.
        [0, 1].iter().for_each(|encoding| reach.check_view(element, *encoding, &[2, 3]).unwrap());
    }
    let told = |element, encoding, shape: &[u64], text: &str| {
        let error = reach.check_view(element, encoding, shape).unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, text), "{error}");
    };
    // Each of these has all faults of those behind it.
    told(float, 2, &[3], "input0 encoding mismatch; expected 00000001 but have 00000002");
    let text = "input0 element type mismatch; expected i32 (10000020) but have f32 (21000020)";
    [0, 1].iter().for_each(|encoding| told(float, *encoding, &[3], text));
    let shapes = "expected shape `2x3`, actual shape";
    told(int, 1, &[3], &format!("input0 shape rank mismatch; expected 2 but have 1; {shapes} `3`"));
    let text = "input0 shape dimension 0 mismatch; expected 2 but have 4; ";
    told(int, 1, &[4, 4], &format!("{text}{shapes} `4x4`"));

    let (device, bits) = (memory_type::DEVICE_VISIBLE, usage::DEFAULT);
    reach.check_buffer(bits, 24, device, bits).unwrap();
    let told = |length, memory_type, code, text: &str| {
        let error = reach.check_buffer(usage::TRANSFER, length, memory_type, bits).unwrap_err();
        assert!(error.code() == code && error.message().starts_with(text), "{error}");
    };
    let unknown = 1 << 20;
    let short = "input0 byte length less than expected; at least 25 but have 24";
    told(25, unknown, Code::InvalidArgument, short);
    told(24, unknown, Code::PermissionDenied, "input0 memory type is not compatible; expected 0x100000 but");
    told(24, device, Code::PermissionDenied, "input0 usage is not compatible; expected 0xc03 but have ");
}

#[test]
fn files_of_the_host_are_written_and_read_where_that_is_allowed() {
    let reach = reach(1);
    let path = std::env::temp_dir().join(format!("raddle-hal-file-{}", std::process::id()));
    std::fs::write(&path, [0xEE; 12]).unwrap();
    let open = |writable| {
        let file = std::fs::OpenOptions::new().read(true).write(writable).open(&path).unwrap();
        Value::object(File::host(file, writable))
    };
    // More than is moved at a time.
    let bytes: Vec<u8> = (0..150_001u32).map(|at| (at * 31 / 8) as u8).collect();
    let [source, target] = [0, 1].map(|_| reach.buffer(bytes.len() as u64, usage::DEFAULT));
    source.write(0, &bytes).unwrap();
    let call = |file| vec![file, Value::I64(4), reference(&source), reference(&target)];
    reach.call("file", call(open(true))).unwrap();
    let mut read = vec![0; bytes.len()];
    target.read(0, &mut read).unwrap();
    assert!(read == bytes && std::fs::read(&path).unwrap() == [&[0xEE; 4], &bytes[..]].concat());
    reach.fails("file", call(open(false)), Code::PermissionDenied, "only be read");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_command_buffer_is_in_flight_twice() {
    for workers in [0, 2] {
        let reach = reach(workers);
        let fence = fence();
        let mut invocation = reach.session.function("overlapping").unwrap().invoke([reference(&fence)]);
        invocation.start().unwrap();
        until(&reach.runtime, || invocation.is_waiting());
        assert_eq!((reach.device.counts().parked_operations, reach.session.awaits().suspensions()), (2, 1));
        fence.signal().unwrap();
        let outputs = invocation.wait().unwrap();
        assert_eq!(outputs.iter().map(|value| value.bits() as i32).collect::<Vec<_>>(), [0, -1, 0]);
    }
}

#[test]
fn large_transfers_are_cut_into_pieces() {
    for workers in [0, 1, 2] {
        let reach = reach_of(workers, 16 << 20);
        // Small, in one piece; over several workers; and with an end that is no whole piece.
        for (length, spreads) in [(1 << 10, false), (2 << 20, true), ((2 << 20) + 4, true)] {
            let buffers = [0, 1].map(|_| reach.buffer(length + 16, usage::DEFAULT));
            buffers.iter().for_each(|buffer| buffer.write(0, &vec![0xEE; length as usize + 16]).unwrap());
            let before = reach.device.counts().spread_regions;
            let arguments = vec![reference(&buffers[0]), reference(&buffers[1]), Value::I64(length as i64)];
            reach.call("large", arguments).unwrap();
            let spread = if spreads && workers > 1 { 2 } else { 0 };
            assert_eq!(
                reach.device.counts().spread_regions - before,
                spread,
                "{length} with {workers} workers"
            );
            for (buffer, start) in buffers.iter().zip([4, 8]) {
                let mut bytes = vec![0; length as usize + 16];
                buffer.read(0, &mut bytes).unwrap();
                let (head, rest) = bytes.split_at(start);
                let (filled, tail) = rest.split_at(length as usize);
                assert!(head.iter().chain(tail).all(|byte| *byte == 0xEE), "nothing else is written");
                assert!(filled.chunks_exact(4).all(|word| word == [1, 2, 3, 4]), "{length}");
            }
        }
    }
}

#[test]
fn wrong_arguments_are_refused_at_the_call() {
    let reach = reach(0);
    let numbers = |numbers: [i64; 2]| numbers.map(Value::I64).to_vec();
    let with = |last: &[i32], part: [i64; 2]| {
        [numbers(part), last.iter().map(|number| Value::I32(*number)).collect()].concat()
    };
    // The program's constants have 16 bytes.
    let (all, immutable) = (-1i64, usage::SHARING_IMMUTABLE as i32);
    reach.call("open_memory", with(&[1], [8, 8])).unwrap();
    reach.fails("open_memory", with(&[3], [0, 16]), Code::PermissionDenied, "only be read");
    reach.fails("open_memory", with(&[1], [8, 9]), Code::OutOfRange, "outside a buffer of 16");
    reach.fails("open_memory", with(&[1], [all, 2]), Code::OutOfRange, "outside a buffer of 16");
    for is_try in [0, 1] {
        let import = |usage, part| with(&[is_try, usage], part);
        let invalid =
            |part| reach.fails("import_part", import(immutable, part), Code::InvalidArgument, "of 16");
        [[8, 9], [1, all], [all, 2]].into_iter().for_each(invalid);
        reach.fails("import_part", import(0, [0, all]), Code::PermissionDenied, "SHARING_IMMUTABLE");
    }
    // A part that begins where no kernel could read it.
    assert_eq!(reach.numbers("import_part", with(&[1, immutable], [4, 4])), [0]);
    reach.fails("import_part", with(&[0, immutable], [4, 4]), Code::OutOfRange, "64");

    let bytes = |bytes: &[u8]| Value::object(Bytes::constant(Arc::new(bytes.to_vec())));
    let load = |format: &[u8], constants: &[u8]| vec![bytes(format), library(), bytes(constants)];
    reach.call("load_executable", load(b"embedded-elf-x86_64", b"")).unwrap();
    let refused = |arguments, code, text| reach.fails("load_executable", arguments, code, text);
    refused(load(b"embedded-elf-x86_64", &[0; 3]), Code::InvalidArgument, "3 bytes");
    refused(load(b"embedded-elf-x86_64", &[0; 4]), Code::FailedPrecondition, "0 constants");
    refused(load(b"spirv-fb", b""), Code::NotFound, "spirv-fb");
    refused(load(&[0xFF], b""), Code::InvalidArgument, "UTF-8");
    reach.fails("select_none", vec![], Code::InvalidArgument, "from none");

    // The program's buffer has 64 bytes.
    reach.call("fill_part", with(&[4], [4, 60])).unwrap();
    for part in [[2, 4], [4, 6]] {
        reach.fails("fill_part", with(&[4], part), Code::InvalidArgument, "4");
    }
    reach.fails("fill_part", with(&[4], [4, 64]), Code::OutOfRange, "64");
    reach.fails("fill_part", with(&[1], [all, 2]), Code::OutOfRange, "64");
    let copy = |from, rest| [vec![Value::I64(from)], numbers(rest)].concat();
    reach.call("copy_part", copy(0, [32, 32])).unwrap();
    reach.fails("copy_part", copy(33, [0, 32]), Code::OutOfRange, "64");
    // To the end of the source.
    reach.call("copy_part", copy(32, [32, all])).unwrap();
    reach.fails("copy_part", copy(0, [32, all]), Code::OutOfRange, "64 bytes at 32");
    reach.call("fill_part", with(&[4], [4, all])).unwrap();
    reach.fails("fill_part", with(&[4], [2, all]), Code::InvalidArgument, "4");
    reach.fails("copy_part", copy(0, [33, 32]), Code::OutOfRange, "64");

    let fence = fence();
    let error = reach.call("many_fences", vec![reference(&fence)]).unwrap_err();
    assert!(error.code() == Code::OutOfRange && error.message().contains("33 fences"), "{error}");
}

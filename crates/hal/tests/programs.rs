//! Every program that stock prints something for, both interfaces, on every kind of device and runtime.

mod support;

use raddle::hal::Device;
use raddle::vm::Bytes;
use raddle::{Runtime, SessionBuilder, Value};
use support::*;

fn run(runtime: &Runtime, device: &Device, call: &Call) {
    let session = runtime.session().device(device).bytes(program(&call.module)).unwrap().build().unwrap();
    let function = session.function(&call.function).unwrap();
    let arguments = || call.inputs.iter().map(|text| input(device, text)).collect::<Vec<Value>>();
    for _ in 0..2 {
        let outputs = function.invoke(arguments()).wait();
        // A second call of a program with state prints something else.
        let outputs = outputs.unwrap_or_else(|error| panic!("{} {}: {error}", call.module, call.function));
        check(call, &outputs);
        if session.is_stateful() {
            break;
        }
    }
}

#[test]
fn programs_compute_what_stock_computes() {
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let devices = [device(&runtime), builder(&runtime).id("local-sync").inline_only().build().unwrap()];
        for call in plain_calls() {
            devices.iter().for_each(|device| run(&runtime, device, &call));
        }
    }
}

#[test]
fn subnormals_are_flushed_by_kernels_and_kept_by_programs_on_the_same_thread() {
    // Everything runs on this one.
    let runtime = runtime(0);
    let device = device(&runtime);
    let text = "vm.module @m\nvm.export @add\nvm.func @add(%i0: f32, %i1: f32) -> (f32) {\n  %i0 = vm.add.f32 %i0, %i1\n  vm.return %i0\n}\n";
    let module = raddle::vm::assemble(text).unwrap().build();
    let adding = runtime.session().bytes(module).unwrap().build().unwrap();
    let doubling =
        runtime.session().device(&device).bytes(program("p23_denorm.sync.vmfb")).unwrap().build().unwrap();
    for _ in 0..2 {
        let x = input(&device, "4xf32=1e-40 1e-38 -1e-39 1");
        let outputs = doubling.function("dbl").unwrap().invoke([x]).wait().unwrap();
        let Value::Ref(Some(view)) = &outputs[0] else { panic!("a tensor") };
        let bits: Vec<u64> = elements(view).iter().map(|number| number.to_bits()).collect();
        assert_eq!(bits, [0.0f64, 0.0, -0.0, 2.0].map(f64::to_bits));
        // Numbers this small have no exponent: twice the number is twice its bits.
        let small = 1e-40f32;
        let outputs = adding.function("add").unwrap().invoke([small, small].map(Value::F32)).wait().unwrap();
        let Value::F32(sum) = outputs[0] else { panic!("a number") };
        assert_eq!(sum.to_bits(), 2 * small.to_bits());
    }
}

/// The constants of p12 take a page.
const CONSTANT_BYTES: u64 = 4096;

/// The bytes at an address that is 8 more than a multiple of 64.
fn misaligned(bytes: &[u8]) -> Bytes {
    let mut memory = vec![0; bytes.len() + 64];
    let start = (72 - memory.as_ptr().addr() % 64) % 64;
    memory[start..start + bytes.len()].copy_from_slice(bytes);
    Bytes::from(memory).slice(start..start + bytes.len())
}

#[test]
fn constants_of_a_mapped_file_are_not_copied() {
    let runtime = runtime(0);
    let copied = |session: &dyn Fn(SessionBuilder) -> SessionBuilder| {
        let device = device(&runtime);
        let session = session(runtime.session().device(&device)).build().unwrap();
        let live = device.allocator().statistics().live_bytes;
        drop(session);
        live
    };
    for module in ["p12_consts.sync.vmfb", "p12_consts.async.vmfb"] {
        let path = folder().join(module);
        assert_eq!(copied(&|session| session.path(&path).unwrap()), 0, "{module}");
        // Constants in memory that does not begin as devices want it are copied.
        let bytes = misaligned(&program(module));
        assert_eq!(copied(&|session| session.bytes(bytes.clone()).unwrap()), CONSTANT_BYTES, "{module}");
    }
}

#[test]
fn nothing_is_left_on_a_device() {
    let runtime = runtime(1);
    let device = device(&runtime);
    for call in plain_calls() {
        run(&runtime, &device, &call);
    }
    until(&runtime, || device.scope().pending() == 0);
    until(&runtime, || device.allocator().statistics().live_bytes == 0);
}

#[test]
fn state_is_kept_between_calls() {
    let runtime = runtime(2);
    let device = device(&runtime);
    let session =
        runtime.session().device(&device).bytes(program("p10_state.sync.vmfb")).unwrap().build().unwrap();
    assert!(session.is_stateful());
    let call = |name: &str, factor: f32| {
        let x = [1.0f32, 2.0, 3.0, 4.0].map(|x| x * factor);
        let x = raddle::hal::BufferView::dense(device.allocator(), &[4], &x).unwrap().into_value();
        let arguments = if name == "reset" { Vec::new() } else { vec![x] };
        let outputs = session.function(name).unwrap().invoke(arguments).wait().unwrap();
        match &outputs[..] {
            [Value::Ref(Some(view)), Value::I32(count)] => (elements(view), *count),
            _ => (Vec::new(), -1),
        }
    };
    assert_eq!(call("push", 1.0), (vec![1.0, 2.0, 3.0, 4.0], 1));
    assert_eq!(call("push", 1.0), (vec![2.0, 4.0, 6.0, 8.0], 2));
    assert_eq!(call("twice", 1.0), (vec![4.0, 8.0, 12.0, 16.0], 4));
    assert_eq!(call("reset", 1.0), (vec![], -1));
    assert_eq!(call("push", 1.0), (vec![1.0, 2.0, 3.0, 4.0], 1));
    assert_eq!(call("twice", 10.0), (vec![21.0, 42.0, 63.0, 84.0], 3));
}

#[test]
fn assertions_fail_the_call_and_nothing_else() {
    let runtime = runtime(1);
    let device = device(&runtime);
    for module in ["p21_assert.sync.vmfb", "p21_assert.async.vmfb"] {
        let session = runtime.session().device(&device).bytes(program(module)).unwrap().build().unwrap();
        let guard = session.function("guard").unwrap();
        let call = |n: i32| guard.invoke([Value::I32(n), input(&device, "4xi32=1")]).wait();
        let error = call(-5).unwrap_err();
        assert_eq!(error.code(), raddle::Code::FailedPrecondition);
        assert!(error.to_string().contains("n must not be negative"), "{error}");
        assert!(call(5).is_ok());
    }
    let session =
        runtime.session().device(&device).bytes(program("p01_matmul.sync.vmfb")).unwrap().build().unwrap();
    let mm = session.function("mm").unwrap();
    for (wrong, message) in [
        (
            "4x7xf32=1",
            "input0 shape dimension 1 mismatch; expected 8 but have 7; expected shape `4x8`, actual shape `4x7`",
        ),
        ("4x8xi32=1", "input0 element type mismatch; expected f32 (21000020) but have i32 (10000020)"),
        (
            "32xf32=1",
            "input0 shape rank mismatch; expected 2 but have 1; expected shape `4x8`, actual shape `32`",
        ),
    ] {
        let error = mm.invoke([input(&device, wrong), input(&device, "8x5xf32=1")]).wait().unwrap_err();
        assert_eq!((error.code(), error.message()), (raddle::Code::InvalidArgument, message));
    }
}

/// The parameters of `ext_scale` as the kernel passes them.
#[repr(C)]
struct Scale {
    base: *mut f32,
    aligned: *mut f32,
    buffer_offset: i64,
    offset: i64,
    count: i64,
    factor: f32,
    processor: u32,
}

#[test]
fn kernels_call_functions_of_the_host() {
    let runtime = runtime(2);
    let without = device(&runtime);
    let bytes = program("p22_import.sync.vmfb");
    let error = runtime.session().device(&without).bytes(bytes.clone()).unwrap().build().unwrap_err();
    assert!(error.code() == raddle::Code::NotFound && error.to_string().contains("ext_scale"), "{error}");

    let mut imports = raddle::hal::Imports::default();
    imports.provide("ext_scale", |parameters| {
        // SAFETY: the kernel passes a structure of this layout, whose pointer leads to `count` floats behind `offset`.
        let scale = unsafe { parameters.cast::<Scale>().read() };
        for index in scale.offset..scale.offset + scale.count {
            // SAFETY: as above.
            let place = unsafe { scale.aligned.offset((scale.buffer_offset + index) as isize) };
            // SAFETY: as above; each workgroup has a part of its own.
            unsafe { *place *= scale.factor };
        }
        Ok(())
    });
    // SAFETY: the program is one of this repository.
    let mut options = raddle::hal::LoadOptions::new(unsafe { raddle::hal::NativeCode::run() });
    options.imports = imports;
    let with = Device::builder(runtime.executor()).executables(options).build().unwrap();
    let session = runtime.session().device(&with).bytes(bytes).unwrap().build().unwrap();
    let outputs =
        session.function("apply").unwrap().invoke([input(&with, "8xf32=1 2 3 4 5 6 7 8")]).wait().unwrap();
    let Value::Ref(Some(view)) = &outputs[0] else { panic!("a tensor") };
    assert_eq!(elements(view), [2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0]);
}

//! Dispatches by hand: executables with constants of their own and with local memory, native and of bytecode; inline, spread over
//! workers, and spread again and again from where the region before ended. What misbehaves fails its fence.

mod support;

use raddle::hal::flags::access;
use raddle::hal::{Buffer, BufferParams, Device};
use raddle::vm::{Buffer as Bytes, RefOf, assemble};
use raddle::*;
use std::path::Path;
use std::sync::Arc;
use support::*;

/// How often a dispatch's kernel runs; far more than is run inline while nobody knows what it costs.
const MANY: i32 = 4096;

struct Host {
    runtime: Runtime,
    device: Device,
    session: Session,
}

/// What is loaded, and what is called in it.
struct Kernel {
    format: &'static str,
    data: Vec<u8>,
    name: &'static str,
    /// What a workgroup adds of its own to the executable's constant 1000 and its number.
    adds: i32,
    /// The constant of a dispatch; 0: it takes none.
    constant: i32,
}

fn host(workers: usize, device: impl FnOnce(hal::DeviceBuilder) -> hal::DeviceBuilder) -> Host {
    let runtime = runtime(workers);
    let device = device(builder(&runtime)).build().unwrap();
    let module = assemble(include_str!("scripts/dispatch.vmasm")).unwrap().build();
    let session = runtime.session().device(&device).bytes(module).unwrap().build().unwrap();
    Host { runtime, device, session }
}

fn text(text: &str) -> Value {
    bytes(text.as_bytes().to_vec())
}

fn bytes(bytes: Vec<u8>) -> Value {
    Value::object(Bytes::constant(Arc::new(bytes)))
}

impl Host {
    fn buffer(&self, words: usize, access: u32) -> RefOf<Buffer> {
        let params = BufferParams { access, ..BufferParams::default() };
        RefOf::new(Buffer::allocate(self.device.allocator(), 4 * words as u64, params).unwrap())
    }

    fn run(&self, kernel: &Kernel, target: &RefOf<Buffer>, workgroups: i32, regions: i32) -> Result {
        let arguments = [
            text(kernel.format),
            bytes(kernel.data.clone()),
            bytes(1000i32.to_le_bytes().to_vec()),
            text(kernel.name),
            reference(target),
            Value::I32(workgroups),
            Value::I32(regions),
            Value::I32(kernel.constant),
        ];
        self.session.function("run")?.invoke(arguments).wait().map(drop)
    }

    fn words(&self, buffer: &Buffer) -> Vec<i32> {
        let mut bytes = vec![0; buffer.length() as usize];
        buffer.read(0, &mut bytes).unwrap();
        bytes.chunks_exact(4).map(|word| i32::from_le_bytes(word.try_into().unwrap())).collect()
    }

    fn fails(&self, name: &'static str, buffer: &RefOf<Buffer>, workgroups: i32) -> Error {
        self.run(&bytecode(name), buffer, workgroups, 1).expect_err(name)
    }
}

fn bytecode(name: &'static str) -> Kernel {
    let data = assemble(include_str!("scripts/kernels.vmasm")).unwrap().build();
    let constant = if name == "number" { 30 } else { 0 };
    Kernel { format: "vmvx-bytecode-fb", data, name, adds: 30, constant }
}

/// A kernel of machine code, by hand, in the place of a compiled one: it stores the executable's constant in its local
/// memory, reads it back, adds the size of that memory and the workgroup's number, and writes the sum to the place with that
/// number.
fn native() -> Kernel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../executable/tests/kernels/matmul.so");
    let mut data = std::fs::read(path).unwrap();
    let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
    // The library has a constant; the kernel a page of local memory and one binding.
    put(0x828, &1u32.to_le_bytes());
    put(0x378, &1u16.to_le_bytes());
    put(0x37B, &[1]);
    #[rustfmt::skip]
    let code = [
        0x48, 0x8B, 0x07,             // mov rax, [rdi]          constants of the executable
        0x8B, 0x00,                   // mov eax, [rax]
        0x48, 0x8B, 0x4A, 0x10,       // mov rcx, [rdx + 16]     local memory
        0x44, 0x8B, 0x42, 0x18,       // mov r8d, [rdx + 24]     and its size
        0x42, 0x89, 0x44, 0x01, 0xFC, // mov [rcx + r8 - 4], eax
        0x42, 0x8B, 0x44, 0x01, 0xFC, // mov eax, [rcx + r8 - 4]
        0x44, 0x01, 0xC0,             // add eax, r8d
        0x8B, 0x0A,                   // mov ecx, [rdx]          the workgroup's number
        0x01, 0xC8,                   // add eax, ecx
        0x4C, 0x8B, 0x4E, 0x20,       // mov r9, [rsi + 32]      bindings
        0x4D, 0x8B, 0x09,             // mov r9, [r9]
        0x41, 0x89, 0x04, 0x89,       // mov [r9 + 4 * rcx], eax
        0x31, 0xC0,                   // xor eax, eax
        0xC3,                         // ret
    ];
    put(0x430, &code);
    let name = "mm_dispatch_0_matmul_4x5x8_f32";
    Kernel { format: "embedded-elf-x86_64", data, name, adds: 4096, constant: 0 }
}

/// A kernel of machine code that returns 5.
fn native_failure() -> Kernel {
    let mut kernel = native();
    kernel.data[0x430..0x436].copy_from_slice(&[0xB8, 5, 0, 0, 0, 0xC3]);
    kernel
}

fn kernels() -> Vec<Kernel> {
    let mut kernels = vec![bytecode("number")];
    if cfg!(target_arch = "x86_64") {
        kernels.push(native());
    }
    kernels
}

#[test]
fn constants_and_local_memory_reach_kernels_inline_and_spread() {
    for workers in [0, 1, 2, 3] {
        for kernel in kernels() {
            let host = host(workers, |device| device);
            for workgroups in [0, 1, 5, MANY] {
                let target = host.buffer(MANY as usize, access::ALL);
                target.write(0, &vec![0; 4 * MANY as usize]).unwrap();
                host.run(&kernel, &target, workgroups, 1).unwrap();
                let expected = |at| if at < workgroups { 1000 + kernel.adds + at } else { 0 };
                let expected: Vec<i32> = (0..MANY).map(expected).collect();
                assert!(host.words(&target) == expected, "{} with {workers} workers", kernel.format);
            }
            // What one thread would do alone is not spread.
            assert_eq!(host.device.counts().spread_regions, u64::from(workers > 1));
        }
    }
}

#[test]
fn regions_that_are_spread_from_one_another_end() {
    for kernel in kernels() {
        let host = host(2, |device| device);
        let target = host.buffer(MANY as usize, access::ALL);
        // Deeper than one stack nests them.
        host.run(&kernel, &target, MANY, 20).unwrap();
        assert_eq!(host.device.counts().spread_regions, 20, "{}", kernel.format);
        let expected: Vec<i32> = (0..MANY).map(|at| 1000 + kernel.adds + at).collect();
        assert!(host.words(&target) == expected, "{}", kernel.format);
    }
}

#[test]
fn a_failing_workgroup_fails_its_fence_and_nothing_else() {
    for workers in [0, 2] {
        let host = host(workers, |device| device);
        let target = host.buffer(MANY as usize, access::ALL);
        for workgroups in [8, MANY] {
            let error = host.fails("divides", &target, workgroups);
            assert_eq!(error.code(), Code::InvalidArgument, "{error}");
            let told = error.to_string();
            assert!(told.contains("kernel divides, workgroup [7, 0, 0]") && told.contains("zero"), "{told}");
            if cfg!(target_arch = "x86_64") {
                let error = host.run(&native_failure(), &target, workgroups, 1).unwrap_err();
                assert_eq!(error.code(), Code::Internal, "{error}");
                assert!(error.to_string().contains("failed with status 5"), "{error}");
            }
        }
        host.run(&bytecode("number"), &target, MANY, 1).unwrap();
        assert_eq!(host.words(&target)[4095], 1000 + 30 + 4095);
    }
}

#[test]
fn bytecode_is_contained() {
    let host = host(1, |device| device.bytecode_steps_max(10_000));
    let target = host.buffer(16, access::ALL);
    let fails = |name, target: &RefOf<Buffer>, code, text: &str| {
        let error = host.fails(name, target, 1);
        assert!(error.code() == code && error.to_string().contains(text), "{name}: {error}");
    };
    fails("overruns", &target, Code::OutOfRange, "kernel overruns");
    fails("endless", &target, Code::ResourceExhausted, "more than 10000 steps");
    // Constants lie in memory that may not even be writable.
    fails("yields", &host.buffer(16, access::READ), Code::PermissionDenied, "constant");
    host.run(&bytecode("yields"), &target, 1, 1).unwrap();
    assert_eq!(host.words(&target)[0], 5);
    // A binding that a kernel has put away outlives its buffer.
    let live = host.device.allocator().statistics().live_bytes;
    host.run(&bytecode("keeps"), &host.buffer(16, access::ALL), 3, 1).unwrap();
    until(&host.runtime, || host.device.allocator().statistics().live_bytes == live);
}

#[test]
fn functions_that_no_compiled_kernel_calls_compute() {
    let host = host(0, |device| device);
    let target = host.buffer(16, access::ALL);
    target.write(0, &[0; 64]).unwrap();
    host.run(&bytecode("shifts"), &target, 1, 1).unwrap();
    let shifted = -2i32 as u32 >> 1;
    let expected = [0, shifted, shifted, 0, shifted, shifted, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
    assert_eq!(host.words(&target), expected.map(|word| word as i32));
    let error = host.fails("fills_outside", &target, 1);
    assert!(
        error.code() == Code::OutOfRange && error.to_string().contains("leave a buffer of 16"),
        "{error}"
    );
    assert_eq!(host.words(&target)[1], shifted as i32, "nothing was written");
}

#[test]
fn a_cancelled_device_ends_its_kernels() {
    let host = host(1, |device| device);
    let target = host.buffer(16, access::ALL);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| sender.send(host.fails("endless", &target, 1)).unwrap());
        host.device.scope().cancel();
    });
    let error = receiver.recv().unwrap();
    assert_eq!(error.code(), Code::Cancelled, "{error}");
}

#[test]
fn wrong_executables_of_bytecode_are_refused() {
    let host = host(0, |device| device);
    let target = host.buffer(16, access::ALL);
    let refused = |text: &str, code, told: &str| {
        let data = assemble(text).unwrap().build();
        let kernel = Kernel { format: "vmvx-bytecode-fb", data, name: "f", adds: 0, constant: 0 };
        let error = host.run(&kernel, &target, 1, 1).unwrap_err();
        assert!(error.code() == code && error.to_string().contains(told), "{error}");
    };
    let wrong = "vm.module @m\nvm.export @__set_constants\nvm.export @f\nvm.func @__set_constants(%r0: !vm.buffer) -> () {\n  vm.return\n}\nvm.func @f() -> () {\n  vm.return\n}\n";
    refused(wrong, Code::InvalidArgument, "0rrriiiiiiiii_v");
    let without = "vm.module @m\nvm.export @f\nvm.func @f() -> () {\n  vm.return\n}\n";
    refused(without, Code::FailedPrecondition, "has no constants and is given 1");
    let missing = format!("vm.import @vmvx.nothing cconv \"0i_v\"\n{wrong}");
    let missing = missing.replacen("vm.module @m\n", "", 1);
    refused(
        &format!("vm.module @m\n{missing}")
            .replace("@f() -> ()", "@__f() -> ()")
            .replace("vm.export @f", "vm.export @__f"),
        Code::NotFound,
        "vmvx.nothing",
    );
    let kernel = Kernel { format: "vmvx-bytecode-fb", data: vec![1, 2, 3], name: "f", adds: 0, constant: 0 };
    assert_eq!(host.run(&kernel, &target, 1, 1).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn bytecode_runs_where_native_code_is_refused_and_keeps_subnormals() {
    let runtime = runtime(0);
    let device = Device::builder(runtime.executor()).build().unwrap();
    let bytes = program("p23_denorm.vmvx.vmfb");
    let session = runtime.session().device(&device).bytes(bytes).unwrap().build().unwrap();
    let double = session.function("dbl").unwrap();
    let outputs = double.invoke([input(&device, "4xf32=1e-40 1e-38 -1e-39 1")]).wait().unwrap();
    let Value::Ref(Some(view)) = &outputs[0] else { panic!("a tensor") };
    // Stock sets the processor's modes for bytecode too; here they hold in machine code only.
    let expected = [1e-40f32, 1e-38, -1e-39, 1.0].map(|x| f64::from(2.0 * x));
    assert_eq!(elements(view), expected);
}

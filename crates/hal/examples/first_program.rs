//! A compiled program on a device: called directly, and suspended in `fence.await` until a descriptor is readable.
//!
//! `cargo run --release -p raddle-hal --example first_program`

use raddle::hal::{BufferView, Device, Fence, Held, NativeCode};
use raddle::vm::RefOf;
use raddle::wait::Descriptor;
use raddle::{Result, Runtime, Session, Value};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

struct Example {
    name: &'static str,
    function: &'static str,
    shape: &'static [u64],
    sync: &'static [u8],
    coarse: &'static [u8],
}

const PROGRAMS: [Example; 2] = [
    Example {
        name: "abs",
        function: "abs",
        shape: &[],
        sync: include_bytes!("../../../tests/programs/hal/abs.sync.vmfb"),
        coarse: include_bytes!("../../../tests/programs/hal/abs.async.vmfb"),
    },
    Example {
        name: "perceptron",
        function: "predict",
        shape: &[1, 28, 28, 1],
        sync: include_bytes!("../../../tests/programs/hal/perceptron.sync.vmfb"),
        coarse: include_bytes!("../../../tests/programs/hal/perceptron.async.vmfb"),
    },
];

fn device(runtime: &Runtime) -> raddle::hal::DeviceBuilder {
    // SAFETY: the programs are those of this repository, and their kernels touch what they are handed.
    let native = unsafe { NativeCode::run() };
    Device::builder(runtime.executor()).native_code(native)
}

fn input(device: &Device, shape: &[u64]) -> Result<Value> {
    let count = shape.iter().product::<u64>();
    let elements: Vec<f32> = (0..count).map(|index| (index % 13) as f32 / 13.0 - 0.5).collect();
    Ok(BufferView::dense(device.allocator(), shape, &elements)?.into_value())
}

fn elements(value: &Value) -> Result<Vec<f32>> {
    let Value::Ref(Some(reference)) = value else { return Ok(Vec::new()) };
    reference.get::<BufferView>().map_or(Ok(Vec::new()), BufferView::to_vec)
}

/// The time of one call: the fastest of many rows of calls, since whatever disturbs a row makes it longer. Unit: us.
fn time(mut call: impl FnMut() -> Result) -> Result<f64> {
    let (rows, calls) = (200, 100);
    let mut fastest = f64::INFINITY;
    for _ in 0..rows {
        let start = Instant::now();
        (0..calls).try_for_each(|_| call())?;
        fastest = fastest.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }
    Ok(fastest)
}

/// Calls directly: everything runs on this thread.
fn directly(runtime: &Runtime) -> Result {
    for Example { name, function, shape, sync, coarse } in PROGRAMS {
        let device = device(runtime).build()?;
        let argument = input(&device, shape)?;
        let session = runtime.session().device(&device).bytes(sync)?.build()?;
        let call = session.function(function)?;
        let outputs = call.invoke([argument.clone()]).wait()?;
        println!("{name}: {:?}", elements(&outputs[0])?);
        let us = time(|| call.invoke([argument.clone()]).wait().map(drop))?;
        println!("  sync build, wait():            {us:.2} us a call");

        let session = runtime.session().device(&device).bytes(coarse)?.build()?;
        let call = session.function(function)?;
        let us = time(|| {
            let signal = RefOf::new(Fence::new());
            let arguments = [argument.clone(), Value::Ref(None), Value::Ref(Some(signal.clone().into_ref()))];
            let outputs = call.invoke(arguments).wait()?;
            assert!(signal.query().is_ready());
            drop(outputs);
            Ok(())
        })?;
        println!("  async build, fence reached:    {us:.2} us a call");
    }
    Ok(())
}

/// Holds the device back until a socket is readable: the program suspends in `fence.await`, and no thread waits for it.
fn suspended(runtime: &Runtime) -> Result {
    for Example { name, function, shape, sync, .. } in PROGRAMS {
        let (mut writer, mut reader) = UnixStream::pair().expect("a pair of sockets");
        let own = reader.try_clone().expect("a descriptor more");
        let gate = Arc::new(Descriptor::new(own).readable());
        // Open while the session reads its constants, then closed.
        writer.write_all(&[0]).expect("room in a socket");
        let free = device(runtime).build()?;
        let held = device(runtime).hold(Held::All, gate).import_constants(false).build()?;
        let argument = input(&free, shape)?;
        let session: Session = runtime.session().device(&held).bytes(sync)?.build()?;
        reader.read_exact(&mut [0]).expect("the byte that was written");
        let mut invocation = session.function(function)?.invoke([argument]);
        invocation.start()?;
        while !invocation.is_waiting() {
            std::thread::yield_now();
        }
        let start = Instant::now();
        writer.write_all(&[1]).expect("room in a socket");
        let outputs = invocation.wait()?;
        let us = start.elapsed().as_secs_f64() * 1e6;
        let suspensions = session.awaits().suspensions();
        assert!(suspensions > 0, "the program never suspended");
        println!("{name}: suspended {suspensions} times; {us:.1} us from the write to the result");
        println!("  {:?}", elements(&outputs[0])?);
    }
    Ok(())
}

fn main() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    directly(&runtime)?;
    suspended(&runtime)
}

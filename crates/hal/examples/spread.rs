//! From when on it pays to spread a dispatch over workers: one call of a program whose work is its input's length, inline and
//! spread, in turn. What `SPREAD_NS_MIN` in `src/tuning.rs` was chosen by.
//!
//! `cargo run --release --package raddle-hal --example spread`

use raddle::hal::{BufferView, Device, NativeCode};
use raddle::{Function, Result, Runtime, Value};
use std::time::Instant;

/// An element is a tile of its kernel, and takes about 1.6 us.
const PROGRAM: &[u8] = include_bytes!("../../../tests/programs/hal/wide.sync.vmfb");
/// How often each size is measured in each way; the fastest counts, since whatever disturbs a measurement makes it longer.
const ROWS: u32 = 60;
/// How long a row of calls takes, about. Unit: s.
const ROW_S: f64 = 2e-3;

struct Way {
    device: Device,
    call: Function,
}

fn way(
    runtime: &Runtime,
    device: impl FnOnce(raddle::hal::DeviceBuilder) -> raddle::hal::DeviceBuilder,
) -> Result<Way> {
    // SAFETY: the program is one of this repository, and its kernels touch what they are handed.
    let native = unsafe { NativeCode::run() };
    let device = device(Device::builder(runtime.executor()).native_code(native)).build()?;
    let session = runtime.session().device(&device).bytes(PROGRAM)?.build()?;
    let call = session.function("wide")?;
    Ok(Way { device, call })
}

/// The time of a call. Unit: us.
fn time(way: &Way, input: &Value, calls: u32) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..calls {
        way.call.invoke([input.clone()]).wait()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

fn main() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    let inline = way(&runtime, |device| device.inline_only())?;
    let spread = way(&runtime, |device| device.spread_ns_min(0))?;
    let chosen = way(&runtime, |device| device)?;
    println!("{:>8} {:>12} {:>12} {:>8} {:>12}", "tiles", "inline, us", "spread, us", "ratio", "default, us");
    for tiles in [4u64, 8, 12, 16, 24, 32, 48, 64, 128, 256, 1024] {
        let elements = vec![0.5f32; tiles as usize];
        let view =
            |way: &Way| Ok(BufferView::dense(way.device.allocator(), &[tiles], &elements)?.into_value());
        let ways = [&inline, &spread, &chosen];
        let inputs = ways.map(view).into_iter().collect::<Result<Vec<Value>>>()?;
        let calls = (ROW_S * 1e6 / time(&inline, &inputs[0], 3)?).ceil().max(1.0) as u32;
        let mut fastest = [f64::INFINITY; 3];
        for _ in 0..ROWS {
            for ((way, input), fastest) in ways.iter().zip(&inputs).zip(&mut fastest) {
                *fastest = fastest.min(time(way, input, calls)?);
            }
        }
        let [inline, spread, chosen] = fastest;
        println!("{tiles:>8} {inline:>12.1} {spread:>12.1} {:>8.2} {chosen:>12.1}", spread / inline);
    }
    let counts = [&spread, &chosen].map(|way| way.device.counts().spread_regions);
    println!("regions spread: {} where all may be, {} by default", counts[0], counts[1]);
    Ok(())
}

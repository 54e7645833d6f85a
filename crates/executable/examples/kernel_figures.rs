//! What loading and calling cost, on the kernels of the tests: `cargo run --release --package raddle-executable --example kernel_figures`.

use std::time::Instant;

use raddle_executable::{Dispatch, InstructionCache, Library, LoadOptions, NativeCode, Worker};

const ROUNDS: u32 = 9;
const CALLS: u32 = 100_000;
const LOADS: u32 = 200;

#[repr(align(64))]
struct Numbers([i32; 24]);

fn main() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernels/");
    let read = |name: &str| std::fs::read(format!("{folder}{name}")).expect("the kernels are committed");
    // SAFETY: these kernels are those of the repository.
    let native = unsafe { NativeCode::run() };
    let mut options = LoadOptions::new(native);
    if !cfg!(target_arch = "x86_64") {
        return println!("the kernels are for x86-64");
    }
    let load = |name: &str, options: &LoadOptions| {
        Library::load("embedded-elf-x86_64", &read(name), &[], options).expect("they load")
    };
    let library = load("grid.so", &options);
    let mut numbers = Numbers([0; 24]);
    let bindings = [numbers.0.as_mut_ptr().cast()];
    let call = |tiles: std::ops::Range<u64>| {
        let dispatch = Dispatch {
            grid: [2, 3, 4],
            workgroup_size: [1; 3],
            constants: &[],
            bindings: &bindings,
            lengths: &[96],
            concurrency: 1,
        };
        // SAFETY: the binding is alive and large enough.
        unsafe { library.call(0, &dispatch, tiles, Worker { processor: 0, local_memory: &mut [] }) }
            .expect("the kernel succeeds");
    };
    let [one, all] = [1, 24].map(|tiles| fastest(CALLS, || call(0..tiles)));
    let tile = (all - one) / 23.0;
    println!("a claim, without its tiles   {:8.1} ns", one - tile);
    println!("a tile that stores a number  {tile:8.1} ns");
    for name in ["grid.so", "math.so"] {
        let known = fastest(LOADS, || drop(load(name, &options)));
        let first = fastest(LOADS, || {
            options.cache = InstructionCache::default();
            drop(load(name, &options));
        });
        options.check_instructions = false;
        let unchecked = fastest(LOADS, || drop(load(name, &options)));
        options.check_instructions = true;
        let [first, known, unchecked] = [first, known, unchecked].map(|ns| ns / 1000.0);
        let bytes = read(name).len();
        println!(
            "{name}, {bytes} bytes: {first:.0} us; seen before {known:.0} us; unchecked {unchecked:.0} us"
        );
    }
}

/// The time of one call in the fastest round. Unit: ns.
fn fastest(calls: u32, mut call: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

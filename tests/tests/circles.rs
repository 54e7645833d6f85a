//! A batch whose every item leaves lists that hold each other, which counting alone never frees: its memory stays flat.
//!
//! The long run: `RADDLE_ITEMS=1000000 cargo test --release --package raddle-tests --test circles -- --nocapture`.
#![allow(unsafe_code)]

use raddle::batch::{Done, Item};
use raddle::{Runtime, Value};
use raddle_tests::count_from;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what is allocated now.
struct Counting;
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's word.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's word.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A list that holds itself, kept or given away by whoever made it, and two that hold each other and a buffer.
const TEXT: &str = r#"
vm.module @circles
vm.type !vm.list<!vm.opaque>
vm.export @keep
vm.export @give
vm.export @pair
vm.func @keep(%i0: i32) -> (i32) {
  %i1 = vm.const.i32 40
  %r0 = vm.list.alloc %i1 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i1
  vm.list.set.ref %r0, %i2, %r0
  vm.return %i0
}
vm.func @give(%i0: i32) -> (!vm.list<!vm.opaque>) {
  %i1 = vm.const.i32 40
  %r0 = vm.list.alloc %i1 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i1
  vm.list.set.ref %r0, %i2, %r0
  vm.return %R0
}
vm.func @pair(%i0: i32) -> (i32) {
  %i1 = vm.const.i32 2
  %i2 = vm.const.i32 1
  %i4:5 = vm.const.i64 256
  %r0 = vm.list.alloc %i1 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i1
  %r1 = vm.list.alloc %i1 : !vm.list<!vm.opaque>
  vm.list.resize %r1, %i1
  %r2 = vm.buffer.alloc %i4:5, %i6
  vm.list.set.ref %r0, %i6, %r1
  vm.list.set.ref %r0, %i2, %R2
  vm.list.set.ref %r1, %i6, %R0
  vm.return %i0
}
"#;

/// What a batch of any length may take: 1,024 items in flight, and some thousand suspects of 1 KiB. Items that stayed
/// would take twice as much in the short run. Unit: bytes.
const BYTES_MAX: usize = 10 << 20;

/// Resident memory of this process. Unit: KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// One test, since the count is the process's.
#[test]
fn lists_that_hold_themselves_do_not_stay() {
    let items = count_from("RADDLE_ITEMS", 20_000);
    let module = raddle_vm::assemble(TEXT).unwrap().build();
    for name in ["keep", "give", "pair"] {
        let runtime = Runtime::builder().workers(2).build().unwrap();
        let session = runtime.session().bytes(module.clone()).unwrap().build().unwrap();
        let (mut seen, mut peaks, start) = (0, [0; 4], BYTES.load(Relaxed));
        let numbers = (0..items).map(|number| Ok(Item::new([Value::I32(number as i32)])));
        let summary = runtime.batch(&session, name).unwrap().run(numbers, &mut |done: &mut Done| {
            assert!(done.result.is_ok(), "{:?}", done.result);
            let peak = &mut peaks[seen * 4 / items];
            *peak = BYTES.load(Relaxed).saturating_sub(start).max(*peak);
            seen += 1;
            Ok(())
        });
        assert!(summary.is_complete() && seen == items);
        println!("{name}: peaks of the quarters {peaks:?} bytes; {} KiB resident", resident());
        assert!(peaks.iter().all(|peak| *peak < BYTES_MAX), "{name}: {peaks:?} bytes");
    }
}

//! Counted allocations: none in a warm call, few bytes for an invocation that waits, none for the constants of a module,
//! none that stay behind lists that hold themselves.
#![allow(unsafe_code)]

use raddle_vm::*;
use raddle_wait::Event;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Allocated now.
static BYTES: AtomicUsize = AtomicUsize::new(0);
/// Allocated since the start.
static ALL_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        ALL_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's word.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's word.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Twelve value registers and six ref registers, as the figure in question has it.
const TEXT: &str = r#"
vm.module @m
vm.type !vm.buffer
vm.import @host.wait cconv "0i_i"
vm.import @host.group cconv "0ICrID_i"
vm.export @wait
vm.export @group
vm.export @empty
vm.func @wait(%i0: i32) -> (i32) {
  %i11 = vm.const.i32 1
  %i10 = vm.add.i32 %i0, %i11
  %r5 = vm.const.ref.zero
  vm.call.yieldable @host.wait(%i10) -> ^bb1(%i1)
^bb1:
  vm.return %i1
}
vm.func @empty() -> () {
  vm.return
}
vm.func @group(%r0: !vm.buffer, %i0: i64) -> (i32) {
  %i2 = vm.call.variadic @host.group segments[65535, 3](%i0, %r0, %i0, %r1, %i0, %R0, %i0)
  vm.return %i2
}
"#;

fn begin(idle: Idle, arguments: &[Value]) -> Outcome {
    idle.begin(arguments, &Slice::default())
}

fn finished(outcome: Outcome) -> Finished {
    match outcome {
        Outcome::Finished(finished) => finished,
        other => panic!("{other:?}"),
    }
}

/// A list that holds itself, one that its caller gets, and two that hold each other.
const CIRCLES: &str = r#"
vm.module @circles
vm.type !vm.list<!vm.opaque>
vm.export @keep
vm.export @give
vm.export @pair
vm.func @keep() -> () {
  %i0 = vm.const.i32 40
  %i1 = vm.const.i32 7
  %r0 = vm.list.alloc %i0 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i0
  vm.list.set.ref %r0, %i1, %r0
  vm.return
}
vm.func @give() -> (!vm.list<!vm.opaque>) {
  %i0 = vm.const.i32 40
  %i1 = vm.const.i32 7
  %r0 = vm.list.alloc %i0 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i0
  vm.list.set.ref %r0, %i1, %r0
  vm.return %R0
}
vm.func @pair() -> () {
  %i0 = vm.const.i32 40
  %i1 = vm.const.i32 7
  %r0 = vm.list.alloc %i0 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i0
  %r1 = vm.list.alloc %i0 : !vm.list<!vm.opaque>
  vm.list.resize %r1, %i0
  vm.list.set.ref %r0, %i1, %r1
  vm.list.set.ref %r1, %i1, %r0
  vm.return
}
"#;

/// One test, since the counters are the process's.
#[test]
fn memory_is_taken_where_it_must_be() {
    calls_allocate_nothing_and_waits_little();
    rodata_is_not_copied();
    circles_of_lists_do_not_stay();
}

fn rodata_is_not_copied() {
    let mut builder = ModuleBuilder::new("constants");
    builder.rodata(vec![7; 400_000]);
    builder.external_rodata("outside", vec![8; 400_000]);
    for file in [builder.build(), builder.build_zip()] {
        let before = ALL_BYTES.load(Ordering::Relaxed);
        let module = Module::load(file).unwrap();
        let program = Program::new(module, &Registry::new()).unwrap();
        let context = Context::builder().program(program.clone()).build().unwrap();
        let taken = ALL_BYTES.load(Ordering::Relaxed) - before;
        assert!(taken < 40_000, "{taken} bytes for a module with 800 kB of constants");
        assert_eq!(program.module().rodata()[0].len(), 400_000);
        drop(context);
    }
}

/// Many calls take no more than few do: what is suspected is looked at again after some thousand suspects.
fn circles_of_lists_do_not_stay() {
    const FEW: usize = if cfg!(miri) { 40 } else { 4000 };
    let module = Module::load(assemble(CIRCLES).unwrap().build()).unwrap();
    for engine in Engine::ALL {
        for name in ["keep", "give", "pair"] {
            let program = Program::for_engine(module.clone(), &Registry::new(), *engine).unwrap();
            let context = Context::builder().program(program).build().unwrap();
            let mut idle = Idle::new(&context.function(name).unwrap(), &Storage::default()).unwrap();
            let start = BYTES.load(Ordering::Relaxed);
            let mut peaks = [0; 2];
            for (peak, calls) in peaks.iter_mut().zip([FEW, 4 * FEW]) {
                for _ in 0..calls {
                    let finished = finished(begin(idle, &[]));
                    drop(finished.results());
                    idle = finished.again();
                    *peak = BYTES.load(Ordering::Relaxed).saturating_sub(start).max(*peak);
                }
            }
            assert!(peaks[1] <= peaks[0] + peaks[0] / 4, "{engine:?} {name}: {peaks:?} bytes");
            drop((idle, context));
            let left = BYTES.load(Ordering::Relaxed).saturating_sub(start);
            assert!(left < 1000, "{engine:?} {name}: {left} bytes are left");
        }
    }
}

fn calls_allocate_nothing_and_waits_little() {
    let source: SharedSource = Arc::new(Event::manual());
    let wait = move |_: &(), value: i32| {
        Ok(Flow::wait(Condition::Until(source.clone()), move |outcome| {
            outcome.into_result()?;
            Ok(value)
        }))
    };
    let group = |_: &(), first: i64, rest: Variadic<'_, (Option<&Buffer>, i64)>| {
        Ok(rest.iter().filter(|(buffer, number)| buffer.is_some() && *number == first).count() as i32)
    };
    let host = NativeModule::builder("host").function("wait", wait).function("group", group);
    let host = host.build().unwrap();
    let module = Module::load(assemble(TEXT).unwrap().build()).unwrap();
    let program = Program::new(module, &Registry::new()).unwrap();
    let context = Context::builder().native(host).program(program).build().unwrap();

    let mut idle = Idle::new(&context.function("empty").unwrap(), &Storage::default()).unwrap();
    idle = finished(begin(idle, &[])).again();
    let before = CALLS.load(Ordering::Relaxed);
    for _ in 0..100 {
        idle = finished(begin(idle, &[])).again();
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), before);

    let mut idle = Idle::new(&context.function("group").unwrap(), &Storage::default()).unwrap();
    let arguments = [Value::object(Buffer::copied(&[1]).unwrap()), Value::I64(7)];
    idle = finished(begin(idle, &arguments)).again();
    let before = CALLS.load(Ordering::Relaxed);
    for _ in 0..100 {
        let finished = finished(begin(idle, &arguments));
        assert_eq!(finished.result(0).unwrap(), Value::I32(2));
        idle = finished.again();
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), before, "calls with a repeated group");

    let function = context.function("wait").unwrap();
    let wait_once = |idle: Idle| match begin(idle, &[Value::I32(1)]) {
        Outcome::Waiting(suspended, _) => suspended,
        other => panic!("{other:?}"),
    };
    let new = || Idle::new(&function, &Storage::default()).unwrap();
    let suspend_and_resume = |idle: Idle| {
        finished(wait_once(idle).resume(WaitOutcome::Ready { index: 0 }, &Slice::default())).again()
    };
    let mut warm = suspend_and_resume(new());
    let before = CALLS.load(Ordering::Relaxed);
    for _ in 0..100 {
        warm = suspend_and_resume(warm);
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), before);
    let many = 1000;
    let mut kept = Vec::with_capacity(many);
    let before = BYTES.load(Ordering::Relaxed);
    kept.extend((0..many).map(|_| wait_once(new())));
    let each = (BYTES.load(Ordering::Relaxed) - before) / many;
    assert!(each <= 512, "{each} bytes for each suspended invocation");
}

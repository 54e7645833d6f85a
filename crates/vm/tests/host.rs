//! Programs and their host: native functions, suspension at any depth, several modules, state, limits, hostile sharing.

mod setup;

use raddle_status::{Code, Result};
use raddle_vm::*;
use setup::{READY, begin, failure, never, results};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

struct Token(u32);
impl Object for Token {
    const NAME: &'static str = "host.token";
}

fn host() -> NativeModule {
    NativeModule::with_state("host", || Ok(AtomicUsize::new(0)))
        .object::<Token>()
        .function("count", |count: &AtomicUsize| Ok(count.fetch_add(1, Ordering::Relaxed) as i32))
        .function("sum", |_: &AtomicUsize, first: i64, rest: Vec<(i32, i64)>| {
            Ok(rest.iter().fold(first, |sum, (a, b)| sum + i64::from(*a) * b))
        })
        .function("token", |_: &AtomicUsize, value: i32| Ok(RefOf::new(Token(value as u32))))
        .function("value", |_: &AtomicUsize, token: RefOf<Token>| Ok(token.0 as i32))
        .function("panics", |_: &AtomicUsize| -> Result<()> { panic!("on purpose") })
        .function("wait", |_: &AtomicUsize, value: i32| {
            Ok(Flow::wait(never(), move |outcome| Ok((value + 1, i64::from(outcome.into_result()? as i32)))))
        })
        .function("twice", |_: &AtomicUsize| {
            Ok(Flow::Wait(Wait { condition: never(), deadline_ns: 77 }, Twice(0)))
        })
        .build()
        .unwrap()
}

struct Twice(i32);
impl Resume for Twice {
    type Output = i32;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<i32, Twice>> {
        let sum = self.0 * 10 + outcome.into_result()? as i32;
        if sum > 100 { Ok(Flow::Ready(sum)) } else { Ok(Flow::Yield(Twice(sum))) }
    }
}

const INNER: &str = r#"
vm.module @inner
vm.type !host.token
vm.type !vm.buffer
vm.import @host.wait cconv "0i_iI"
vm.export @wait
vm.export @pass
vm.func @wait(%i0: i32) -> (i32, i64) {
  vm.call.yieldable @host.wait(%i0) -> ^bb1(%i0, %i2)
^bb1:
  vm.return %i0, %i2
}
vm.func @pass(%r0: !host.token) -> (!host.token) {
  vm.return %R0
}
"#;

const OUTER: &str = r#"
vm.module @outer
vm.type !host.token
vm.type !vm.list<!vm.opaque>
vm.import @inner.wait cconv "0i_iI"
vm.import @inner.pass cconv "0r_r"
vm.import @host.count cconv "0v_i"
vm.import @host.sum cconv "0ICiID_I"
vm.import @host.token cconv "0i_r"
vm.import @host.value cconv "0r_i"
vm.import @host.panics cconv "0v_v"
vm.import @host.twice cconv "0v_i"
vm.import optional @host.missing cconv "0v_v"
vm.export @depth
vm.export @sum
vm.export @tokens
vm.export @null_token
vm.export @panics
vm.export @twice
vm.export @missing
vm.export @spin
vm.export @fill_list
vm.export @nested_forever
vm.func @depth(%i0: i32) -> (i32, i64) {
  vm.cond_br %i0, ^bb1(), ^bb2()
^bb1:
  %i1 = vm.const.i32 1
  %i2 = vm.sub.i32 %i0, %i1
  vm.call.yieldable @depth(%i2) -> ^bb3(%i2, %i4)
^bb3:
  %i2 = vm.add.i32 %i2, %i1
  vm.return %i2, %i4
^bb2:
  vm.call.yieldable @inner.wait(%i0) -> ^bb4(%i2, %i4)
^bb4:
  vm.return %i2, %i4
}
vm.func @sum() -> (i64, i64) {
  %i0:1 = vm.const.i64 100
  %i2 = vm.const.i32 2
  %i4:5 = vm.const.i64 3
  %i6:7 = vm.call.variadic @host.sum segments[65535, 2](%i0, %i2, %i4, %i2, %i0)
  %i8:9 = vm.call.variadic @host.sum segments[65535, 0](%i0)
  vm.return %i6, %i8
}
vm.func @tokens(%i0: i32) -> (i32, i32) {
  %r0 = vm.call @host.token(%i0)
  %r1 = vm.call @inner.pass(%r0)
  %i1 = vm.call @host.value(%R1)
  %i2 = vm.cmp.nz.ref %r1
  vm.return %i1, %i2
}
vm.func @null_token() -> (i32) {
  %i0 = vm.call @host.value(%r0)
  vm.return %i0
}
vm.func @panics() -> () {
  vm.call @host.panics()
  vm.return
}
vm.func @twice() -> (i32) {
  vm.call.yieldable @host.twice() -> ^bb1(%i0)
^bb1:
  vm.return %i0
}
vm.func @missing() -> () {
  %i0 = vm.import.resolved @host.missing
  vm.cond_br %i0, ^bb1(), ^bb2()
^bb1:
  vm.return
^bb2:
  vm.call @host.missing()
  vm.return
}
vm.func @spin() -> () {
  vm.br ^bb1()
^bb1:
  vm.br ^bb1()
}
vm.func @fill_list(%r0: !vm.list<!vm.opaque>, %i0: i32) -> () {
  %i1 = vm.const.i32.zero
  %i2 = vm.const.i32 1
  %i4 = vm.const.i32.zero
  %i5 = vm.const.i32 3
  vm.br ^bb1()
^bb1:
  %r1 = vm.list.alloc %i2 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i5
  vm.list.set.ref %r0, %i4, %R1
  vm.list.set.ref %r0, %i2, %r0
  %r2 = vm.list.get.ref %r0, %i4 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i2
  %i1 = vm.add.i32 %i1, %i2
  %i3 = vm.cmp.lt.i32.s %i1, %i0
  vm.cond_br %i3, ^bb1(), ^bb2()
^bb2:
  vm.return
}
vm.func @nested_forever() -> () {
  %i2 = vm.const.i32 1
  %i4 = vm.const.i32.zero
  vm.br ^bb1()
^bb1:
  %r1 = vm.list.alloc %i2 : !vm.list<!vm.opaque>
  vm.list.resize %r1, %i2
  vm.list.set.ref %r1, %i4, %R0
  %r0 = vm.assign.ref %R1
  vm.br ^bb1()
}
"#;

fn program(text: &str, engine: Engine) -> Arc<Program> {
    let mut registry = Registry::new();
    registry.register::<Token>().unwrap();
    setup::program(text, &registry, engine)
}

fn context(engine: Engine, limits: Limits) -> Context {
    let builder = Context::builder().limits(limits).native(host()).program(program(INNER, engine));
    builder.program(program(OUTER, engine)).build().unwrap()
}

fn each(check: impl Fn(Context)) {
    Engine::ALL.iter().for_each(|engine| check(context(*engine, Limits::default())));
}

#[test]
fn a_native_function_suspends_under_frames_of_two_modules() {
    each(|context| {
        for depth in [0, 1, 7, 3000] {
            let Outcome::Waiting(suspended, wait) = begin(&context, "depth", &[Value::I32(depth)]) else {
                panic!("it waits")
            };
            assert!(matches!(wait.condition, Condition::Until(_)) && wait.deadline_ns == NEVER);
            let outcome = suspended.resume(WaitOutcome::Ready { index: 5 }, &Slice::default());
            assert_eq!(results(outcome), [Value::I32(depth + 1), Value::I64(5)]);
        }
    });
}

#[test]
fn failures_of_waits_say_where() {
    each(|context| {
        let Outcome::Waiting(suspended, _) = begin(&context, "depth", &[Value::I32(1)]) else {
            panic!("it waits")
        };
        let error = failure(suspended.resume(WaitOutcome::TimedOut, &Slice::default()));
        assert_eq!(error.code(), Code::DeadlineExceeded);
        let text = error.to_string();
        for part in ["native function host.wait", "inner.wait", "outer.depth"] {
            assert!(text.contains(part), "{text}");
        }
    });
}

#[test]
fn a_suspended_invocation_can_be_cancelled_dropped_and_used_again() {
    each(|context| {
        let Outcome::Waiting(suspended, _) = begin(&context, "depth", &[Value::I32(3)]) else {
            panic!("it waits")
        };
        let (idle, error) = suspended.cancel(Code::Cancelled.into());
        assert!(error.is_cancelled() && error.to_string().contains("inner.wait"));
        let Outcome::Waiting(suspended, _) = idle.begin(&[Value::I32(2)], &Slice::default()) else {
            panic!("it waits")
        };
        let (mut idle, _) = suspended.cancel(Code::Cancelled.into());
        idle.set_deadline(100);
        let Outcome::Waiting(suspended, wait) = idle.begin(&[Value::I32(0)], &Slice::default()) else {
            panic!()
        };
        assert_eq!(wait.deadline_ns, 100);
        let late = Slice { now_ns: 100, ..Slice::default() };
        let Outcome::Failed(idle, error) = suspended.resume(READY, &late) else { panic!() };
        assert!(error.is_deadline_exceeded());
        drop(idle.begin(&[Value::I32(9)], &Slice::default()));
    });
}

#[test]
fn a_rest_is_resumed_until_it_is_done() {
    each(|context| {
        let Outcome::Waiting(mut suspended, wait) = begin(&context, "twice", &[]) else { panic!("it waits") };
        assert_eq!(wait.deadline_ns, 77);
        for _ in 0..2 {
            let outcome = suspended.resume(WaitOutcome::Ready { index: 4 }, &Slice::default());
            let Outcome::Yielded(again) = outcome else { panic!("{outcome:?}") };
            suspended = again;
        }
        assert_eq!(
            results(suspended.resume(WaitOutcome::Ready { index: 4 }, &Slice::default())),
            [Value::I32(444)]
        );
    });
}

#[test]
fn arguments_repeat_and_references_are_typed() {
    each(|context| {
        assert_eq!(results(begin(&context, "sum", &[])), [Value::I64(100 + 6 + 200), Value::I64(100)]);
        assert_eq!(results(begin(&context, "tokens", &[Value::I32(8)])), [Value::I32(8), Value::I32(0)]);
        let null = failure(begin(&context, "null_token", &[]));
        assert_eq!(null.code(), Code::InvalidArgument);
        assert!(
            null.to_string().contains("host.token, got null; while invoking native function host.value"),
            "{null}"
        );
        let panics = failure(begin(&context, "panics", &[]));
        assert_eq!(panics.code(), Code::Unknown);
        assert!(panics.to_string().contains("on purpose"));
        assert_eq!(failure(begin(&context, "missing", &[])).code(), Code::NotFound);
    });
}

#[test]
fn an_endless_loop_costs_its_budget_and_can_be_stopped() {
    each(|context| {
        let outcome = begin(&context, "spin", &[]);
        let Outcome::OutOfBudget(suspended) = outcome else { panic!("{outcome:?}") };
        let stop = AtomicBool::new(true);
        let slice = Slice { stop: Some(&stop), ..Slice::default() };
        let error = failure(suspended.resume(READY, &slice));
        assert!(error.is_cancelled(), "{error}");
        assert!(error.to_string().contains("outer.spin"), "{error}");
    });
}

/// Work by the size of its argument: bytes, or elements of which each counts as 8 bytes.
const BULK: &str = r#"
vm.module @bulk
vm.type !vm.list<!vm.opaque>
vm.export @hash
vm.export @alloc
vm.export @clone
vm.export @grow
vm.export @shrink
vm.export @resize
vm.func @hash(%r0: !vm.buffer, %i0: i32) -> (i64) {
  %i2:3 = vm.const.i64.zero
  %i4:5 = vm.buffer.length %r0
  %i6:7 = vm.buffer.hash %r0, %i2:3, %i4:5
  vm.return %i6
}
vm.func @alloc(%r0: !vm.buffer, %i0: i32) -> (i64) {
  %i4:5 = vm.buffer.length %r0
  %r0 = vm.buffer.alloc %i4:5, %i1
  %i2:3 = vm.buffer.length %r0
  vm.return %i2
}
vm.func @clone(%r0: !vm.buffer, %i0: i32) -> (i64) {
  %i2:3 = vm.const.i64.zero
  %i4:5 = vm.buffer.length %r0
  %r0 = vm.buffer.clone %r0, %i2:3, %i4:5, %i1
  %i2:3 = vm.buffer.length %r0
  vm.return %i2
}
vm.func @grow(%r0: !vm.buffer, %i0: i32) -> (i64) {
  %r1 = vm.list.alloc %i1 : !vm.list<!vm.opaque>
  vm.list.resize %r1, %i0
  %i0 = vm.list.size %r1
  %i2:3 = vm.ext.i32.i64.s %i0
  vm.return %i2
}
vm.func @resize(%r0: !vm.list<!vm.opaque>, %i0: i32) -> () {
  vm.list.resize %r0, %i0
  vm.return
}
vm.func @shrink(%r0: !vm.list<!vm.opaque>, %i0: i32) -> (i64) {
  vm.list.resize %r0, %i1
  %i0 = vm.list.size %r0
  %i2:3 = vm.ext.i32.i64.s %i0
  vm.return %i2
}
"#;

/// 16 bytes of bulk work cost as much as a back edge, so that no slice is longer for what its program works on.
#[test]
fn bulk_operations_are_charged_by_size_and_interrupted() {
    const BYTES: u64 = 1 << 20;
    const ELEMENTS: i32 = (BYTES / 8) as i32;
    for engine in Engine::ALL {
        let context = Context::builder().program(program(BULK, *engine)).build().unwrap();
        let run = |name: &str, steps: u64| {
            let object = if name == "shrink" {
                Value::object(List::from_values(vec![Value::Empty; ELEMENTS as usize]))
            } else {
                Value::object(Buffer::zeroed(BYTES, 16, None).unwrap())
            };
            let idle = Idle::new(&context.function(name).unwrap(), &Storage::default()).unwrap();
            let mut outcome = idle.begin(&[object, Value::I32(ELEMENTS)], &Slice::steps(steps));
            let mut slices = 1;
            while let Outcome::OutOfBudget(suspended) = outcome {
                slices += 1;
                outcome = suspended.resume(READY, &Slice::steps(steps));
            }
            (slices, results(outcome))
        };
        for name in ["hash", "alloc", "clone", "grow", "shrink"] {
            let (one, whole) = run(name, u64::MAX);
            let (many, sliced) = run(name, BYTES / 16 / 8);
            assert_eq!((one, &whole), (1, &sliced), "{name}");
            assert!((7..=9).contains(&many), "{name}: an eighth of the work in a slice: {many} slices");
        }
        assert_eq!(context.allocated_bytes(), 0);
        // What is half made when its program is given up is given back.
        for name in ["alloc", "clone", "grow"] {
            let idle = Idle::new(&context.function(name).unwrap(), &Storage::default()).unwrap();
            let buffer = Value::object(Buffer::zeroed(BYTES, 16, None).unwrap());
            let outcome = idle.begin(&[buffer, Value::I32(ELEMENTS)], &Slice::steps(BYTES / 32));
            let Outcome::OutOfBudget(suspended) = outcome else { panic!("{name}: {outcome:?}") };
            assert!(context.allocated_bytes() >= BYTES, "{name}");
            drop(suspended);
            assert_eq!(context.allocated_bytes(), 0, "{name}");
        }
    }
}

/// Of two programs that lengthen and shorten one list at the same time, both end, whatever length it has then.
#[test]
fn two_programs_may_resize_one_list_at_the_same_time() {
    for engine in Engine::ALL {
        let context = Context::builder().program(program(BULK, *engine)).build().unwrap();
        let list = Value::object(List::from_values(vec![Value::Empty; 100_000]));
        let slice = Slice::steps(1);
        let start = |length: i32| {
            let idle = Idle::new(&context.function("resize").unwrap(), &Storage::default()).unwrap();
            idle.begin(&[list.clone(), Value::I32(length)], &slice)
        };
        let mut running = VecDeque::from([start(0), start(200_000)]);
        let mut slices = 0;
        while let Some(outcome) = running.pop_front() {
            match outcome {
                Outcome::OutOfBudget(suspended) => running.push_back(suspended.resume(READY, &slice)),
                other => drop(results(other)),
            }
            slices += 1;
        }
        assert!((90..200).contains(&slices), "100,000 elements in pieces, twice: {slices} slices");
    }
}

/// An object whose end calls a function of the context that holds it.
struct Caller(Context);

impl Object for Caller {
    const NAME: &'static str = "host.caller";
}

impl Drop for Caller {
    fn drop(&mut self) {
        drop(results(begin(&self.0, "circle", &[Value::Ref(None)])));
    }
}

/// Lists that hold themselves end when nobody looks any more, on the stack of an invocation that has nothing to do with
/// them: what they hold may do then what it may do anywhere.
#[test]
fn what_ends_with_a_circle_may_call_its_context() {
    const CIRCLES: i32 = if cfg!(miri) { 10 } else { 5000 };
    let text = r#"
vm.module @circles
vm.type !vm.list<!vm.opaque>
vm.export @circle
vm.func @circle(%r0: !vm.ref<?>) -> (!vm.list<!vm.opaque>) {
  %i0 = vm.const.i32 2
  %i1 = vm.const.i32 1
  %r1 = vm.list.alloc %i0 : !vm.list<!vm.opaque>
  vm.list.resize %r1, %i0
  vm.list.set.ref %r1, %i2, %r1
  vm.list.set.ref %r1, %i1, %R0
  vm.return %R1
}
"#;
    for engine in Engine::ALL {
        let context = Context::builder().program(program(text, *engine)).build().unwrap();
        for _ in 0..CIRCLES {
            let caller = Value::object(Caller(context.clone()));
            let Outcome::Finished(finished) = begin(&context, "circle", &[caller]) else {
                panic!("it returns")
            };
            // The list outlives its invocation, which can only suspect it.
            let list = finished.results();
            drop(finished.again());
            drop(list);
        }
    }
}

#[test]
fn memory_is_limited() {
    for engine in Engine::ALL {
        let limits = Limits { allocation_bytes_max: 1 << 20, ..Limits::default() };
        let context = context(*engine, limits);
        let function = context.function("nested_forever").unwrap();
        let outcome = Idle::new(&function, &Storage::default()).unwrap().begin(&[], &Slice::steps(u64::MAX));
        let error = failure(outcome);
        assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
        assert_eq!(context.allocated_bytes(), 0);
    }
}

#[test]
fn two_threads_may_share_a_list_without_a_race() {
    for engine in Engine::ALL {
        let context = context(*engine, Limits::default());
        assert!(!context.is_stateful());
        let list = Ref::new(List::new(ElementType::Variant, 0, 1000, None).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let function = context.function("fill_list").unwrap();
                    let arguments =
                        [Value::Ref(Some(list.clone())), Value::I32(if cfg!(miri) { 50 } else { 20_000 })];
                    let mut outcome = Idle::new(&function, &Storage::default())
                        .unwrap()
                        .begin(&arguments, &Slice::default());
                    loop {
                        outcome = match outcome {
                            Outcome::Finished(_) => break,
                            // The others shorten the list in between: an error, no race.
                            Outcome::Failed(_, error) => {
                                assert!(
                                    matches!(error.code(), Code::OutOfRange | Code::InvalidArgument),
                                    "{error}"
                                );
                                break;
                            }
                            Outcome::Yielded(again) | Outcome::OutOfBudget(again) => {
                                again.resume(READY, &Slice::default())
                            }
                            other => panic!("{other:?}"),
                        };
                    }
                });
            }
        });
    }
}

const STATE: &str = r#"
vm.module @state
vm.global.i32 private mutable @counter
vm.export @__init
vm.export @next
vm.export @__deinit
vm.func @__init() -> () {
  %i0 = vm.const.i32 40
  vm.global.store.i32 %i0, @counter
  vm.return
}
vm.func @next() -> (i32) {
  %i0 = vm.global.load.i32 @counter
  %i1 = vm.const.i32 1
  %i0 = vm.add.i32 %i0, %i1
  vm.global.store.i32 %i0, @counter
  vm.yield ^bb1()
^bb1:
  vm.return %i0
}
vm.func @__deinit() -> () {
  vm.return
}
"#;

#[test]
fn a_stateful_context_runs_one_invocation_at_a_time_and_forks() {
    for engine in Engine::ALL {
        let context = Context::builder().program(program(STATE, *engine)).build().unwrap();
        assert!(context.is_stateful());
        let Outcome::Yielded(first) = begin(&context, "next", &[]) else { panic!("it yields") };
        let Outcome::Busy(second) = begin(&context, "next", &[]) else { panic!("the first has the turn") };
        assert_eq!(context.fork().unwrap_err().code(), Code::Unavailable);
        assert_eq!(results(first.resume(READY, &Slice::default())), [Value::I32(41)]);
        let fork = context.fork().unwrap();
        let Outcome::Yielded(second) = second.begin(&[], &Slice::default()) else { panic!("its turn") };
        let Outcome::Yielded(other) = begin(&fork, "next", &[]) else { panic!("a state of its own") };
        for suspended in [second, other] {
            assert_eq!(results(suspended.resume(READY, &Slice::default())), [Value::I32(42)]);
        }
    }
}

#[test]
fn linking_fails_with_reasons() {
    let engine = Engine::default();
    let alone = Context::builder().program(program(INNER, engine)).build().unwrap_err();
    assert_eq!(alone.code(), Code::NotFound);
    assert!(alone.to_string().contains("host.wait") && alone.to_string().contains("'inner'"), "{alone}");
    let other = NativeModule::builder("host").function("wait", |_: &(), _: i64| Ok(())).build().unwrap();
    let mismatch = Context::builder().native(other).program(program(INNER, engine)).build().unwrap_err();
    assert_eq!(mismatch.code(), Code::Internal);
    assert!(
        mismatch.to_string().contains("'0i_iI'") && mismatch.to_string().contains("'0I_v'"),
        "{mismatch}"
    );
}

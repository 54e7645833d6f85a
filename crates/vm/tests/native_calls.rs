//! What native functions are given: repeated groups, borrowed and owned references, null, many arguments.

mod setup;

use raddle_status::{Code, Result};
use raddle_vm::*;
use setup::{READY, begin, failure, never, results};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts how many of its kind have ended.
struct Token(i32, Arc<AtomicUsize>);

impl Object for Token {
    const NAME: &'static str = "host.token";
}

impl Drop for Token {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// The rest of a wait that keeps what it was given.
struct Kept(Vec<RefOf<Token>>, i32);

impl Resume for Kept {
    type Output = i32;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<i32, Kept>> {
        outcome.into_result()?;
        Ok(Flow::Ready(self.0.iter().fold(self.1, |sum, token| sum * 10 + token.0)))
    }
}

/// The rest of a function that waits, yields, and then has a number and an object of its own.
struct Stages(i32, State);

impl Resume for Stages {
    type Output = (i32, RefOf<Token>);
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<Self::Output, Stages>> {
        let Stages(stage, ended) = self;
        outcome.into_result()?;
        if stage < 3 {
            return Ok(Flow::Yield(Stages(stage + 1, ended)));
        }
        Ok(Flow::Ready((stage, RefOf::new(Token(stage * 10, ended)))))
    }
}

type State = Arc<AtomicUsize>;

fn host(ended: &State) -> NativeModule {
    let ended = ended.clone();
    let builder = NativeModule::with_state("host", move || Ok(ended.clone())).object::<Token>();
    groups(references(builder)).build().unwrap()
}

fn references(builder: NativeBuilder<State>) -> NativeBuilder<State> {
    builder
        .function("token", |ended: &State, value: i32| Ok(RefOf::new(Token(value, ended.clone()))))
        .function("same", |ended: &State, lent: &Token, owned: RefOf<Token>| {
            let before = ended.load(Ordering::Relaxed);
            drop(owned);
            assert_eq!(
                before,
                ended.load(Ordering::Relaxed),
                "the borrowed one lives until the call has ended"
            );
            Ok(lent.0)
        })
        .function("replace", |ended: &State, old: Option<&RefOf<Token>>, add: i32| {
            Ok(RefOf::new(Token(old.map_or(0, |old| old.0) + add, ended.clone())))
        })
        .function("kind", |_: &State, any: Option<&Ref>| {
            Ok(any.map_or(0, |any| if any.is::<Token>() { 1 } else { 2 }))
        })
        .function("looks", |_: &State, lent: &Token| {
            let value = lent.0;
            Ok(Flow::wait(never(), move |outcome| outcome.into_result().map(|_| value)))
        })
        .function("stages", |ended: &State| {
            Ok(Flow::Wait(Wait { condition: never(), deadline_ns: NEVER }, Stages(1, ended.clone())))
        })
        .function("lengths", |_: &State, buffer: &Buffer, list: Option<&List>| {
            Ok((buffer.len() as i64, list.is_some()))
        })
}

fn groups(builder: NativeBuilder<State>) -> NativeBuilder<State> {
    builder
        .function(
            "mixed",
            |_: &State,
             first: &Token,
             scale: i64,
             constants: Variadic<'_, i32>,
             bindings: Variadic<'_, (i32, Option<&Token>, i64)>| {
                let constants = constants.iter().fold(0, |sum, constant| sum * 10 + i64::from(constant));
                let each = |(a, token, b): (i32, Option<&Token>, i64)| {
                    i64::from(a) * b + i64::from(token.map_or(1000, |token| token.0))
                };
                assert_eq!(bindings.len(), bindings.iter().len());
                assert_eq!(bindings.get(bindings.len()).map(each), None);
                assert_eq!(bindings.get(1).map(each), bindings.iter().nth(1).map(each));
                Ok(i64::from(first.0) + scale * constants + bindings.into_iter().map(each).sum::<i64>())
            },
        )
        .function("await", |_: &State, start: i32, _: i64, tokens: Variadic<'_, Option<&RefOf<Token>>>| {
            let kept: Vec<_> = tokens.iter().flatten().cloned().collect();
            if kept.is_empty() {
                return Ok(Flow::Ready(start));
            }
            let sources = kept.iter().map(|_| never());
            let wait = Wait { condition: Condition::All(sources.collect()), deadline_ns: NEVER };
            Ok(Flow::Wait(wait, Kept(kept, start)))
        })
        .function(
            "sixteen",
            |_: &State,
             a: i32,
             b: i64,
             c: f32,
             d: f64,
             e: i32,
             f: i64,
             g: f32,
             h: f64,
             i: i32,
             j: i64,
             k: f32,
             l: f64,
             m: i32,
             n: i64,
             o: f32,
             p: f64| {
                let integers = i64::from(a) + b + i64::from(e) + f + i64::from(i) + j + i64::from(m) + n;
                let floats = f64::from(c) + d + f64::from(g) + h + f64::from(k) + l + f64::from(o) + p;
                Ok((integers, floats))
            },
        )
}

const TEXT: &str = r#"
vm.module @m
vm.type !host.token
vm.type !vm.buffer
vm.type !vm.list<i32>
vm.import @host.token cconv "0i_r"
vm.import @host.mixed cconv "0rICiDCirID_I"
vm.import @host.same cconv "0rr_i"
vm.import @host.replace cconv "0ri_r"
vm.import @host.kind cconv "0r_i"
vm.import @host.lengths cconv "0rr_Ii"
vm.import @host.looks cconv "0r_i"
vm.import @host.stages cconv "0v_ir"
vm.import @host.await cconv "0iICrD_i"
vm.import @host.sixteen cconv "0iIfFiIfFiIfFiIfF_IF"
vm.export @mixed
vm.export @none
vm.export @null
vm.export @same
vm.export @replace
vm.export @kind
vm.export @lengths
vm.export @wait
vm.export @moved
vm.export @looks
vm.export @stages
vm.export @sixteen
vm.func @mixed() -> (i64) {
  %i0 = vm.const.i32 7
  %i1 = vm.const.i32 3
  %i2:3 = vm.const.i64 100
  %r0 = vm.call @host.token(%i0)
  %r1 = vm.call @host.token(%i1)
  %i4:5 = vm.call.variadic @host.mixed segments[65535, 65535, 2, 3](%r0, %i2, %i0, %i1, %i0, %r1, %i2, %i1, %r2, %i2, %i0, %R0, %i2)
  vm.return %i4
}
vm.func @none() -> (i64) {
  %i0 = vm.const.i32 7
  %i2:3 = vm.const.i64 100
  %r0 = vm.call @host.token(%i0)
  %i4:5 = vm.call.variadic @host.mixed segments[65535, 65535, 0, 0](%R0, %i2)
  vm.return %i4
}
vm.func @null() -> (i64) {
  %i2:3 = vm.const.i64 100
  %i4:5 = vm.call.variadic @host.mixed segments[65535, 65535, 0, 0](%r0, %i2)
  vm.return %i4
}
vm.func @same(%i0: i32) -> (i32, i32) {
  %r0 = vm.call @host.token(%i0)
  %i0 = vm.call @host.same(%r0, %R0)
  %i1 = vm.cmp.nz.ref %r0
  vm.return %i0, %i1
}
vm.func @replace(%i0: i32) -> (i32) {
  %r0 = vm.call @host.replace(%r0, %i0)
  %r0 = vm.call @host.replace(%R0, %i0)
  %r0 = vm.call @host.replace(%r0, %i0)
  %r1 = vm.call @host.token(%i0)
  %i0 = vm.call @host.same(%r0, %R1)
  vm.return %i0
}
vm.func @kind(%r0: !vm.buffer, %i0: i32) -> (i32, i32, i32) {
  %r1 = vm.call @host.token(%i0)
  %i0 = vm.call @host.kind(%R1)
  %i1 = vm.call @host.kind(%R0)
  %i2 = vm.call @host.kind(%r0)
  vm.return %i0, %i1, %i2
}
vm.func @lengths(%r0: !vm.buffer, %r1: !vm.list<i32>) -> (i64, i32) {
  %i0:1, %i2 = vm.call @host.lengths(%r0, %r1)
  vm.return %i0, %i2
}
vm.func @wait(%i0: i32) -> (i32, i32) {
  %i1 = vm.const.i32 2
  %i2:3 = vm.const.i64 100
  %r0 = vm.call @host.token(%i0)
  %r1 = vm.call @host.token(%i1)
  vm.call.variadic.yieldable @host.await segments[65535, 65535, 4](%i0, %i2, %R0, %r2, %r1, %R1) -> ^bb1(%i4)
^bb1:
  %i5 = vm.cmp.nz.ref %r1
  vm.call.variadic.yieldable @host.await segments[65535, 65535, 0](%i4, %i2) -> ^bb2(%i4)
^bb2:
  vm.return %i4, %i5
}
vm.func @moved(%i0: i32) -> (i64) {
  %i2:3 = vm.const.i64 100
  %r0 = vm.call @host.token(%i0)
  %i4:5 = vm.call.variadic @host.mixed segments[65535, 65535, 0, 2](%R0, %i2, %i0, %R0, %i2, %i0, %R0, %i2)
  vm.return %i4
}
vm.func @looks(%i0: i32) -> (i32, i32) {
  %r0 = vm.call @host.token(%i0)
  vm.call.yieldable @host.looks(%r0) -> ^bb1(%i1)
^bb1:
  vm.call.yieldable @host.looks(%R0) -> ^bb2(%i2)
^bb2:
  vm.return %i1, %i2
}
vm.func @stages(%i0: i32) -> (i32, i32, i32, i32) {
  %r0 = vm.call @host.token(%i0)
  vm.call.yieldable @host.stages() -> ^bb1(%i0, %r0)
^bb1:
  %i1 = vm.call @host.same(%r0, %r0)
  vm.call.yieldable @host.stages() -> ^bb2(%i2, %r0)
^bb2:
  %i3 = vm.call @host.same(%r0, %r0)
  vm.return %i0, %i1, %i2, %i3
}
vm.func @sixteen(%i0: i32, %i1:2: i64, %i3: f32, %i4:5: f64) -> (i64, f64) {
  %i8:9, %i10:11 = vm.call @host.sixteen(%i0, %i2, %i4, %i6, %i0, %i2, %i4, %i6, %i0, %i2, %i4, %i6, %i0, %i2, %i4, %i6)
  vm.return %i8, %i10
}
"#;

fn each(check: impl Fn(&Context, &AtomicUsize)) {
    for engine in Engine::ALL {
        let ended = Arc::new(AtomicUsize::new(0));
        let host = host(&ended);
        let mut registry = Registry::new();
        host.types().iter().for_each(|ty| registry.insert(*ty).unwrap());
        let program = setup::program(TEXT, &registry, *engine);
        check(&Context::builder().native(host).program(program).build().unwrap(), &ended);
    }
}

#[test]
fn groups_stand_anywhere_and_may_be_empty() {
    each(|context, ended| {
        let bindings = (7 * 100 + 3) + (3 * 100 + 1000) + (7 * 100 + 7);
        assert_eq!(results(begin(context, "mixed", &[])), [Value::I64(7 + 100 * 73 + bindings)]);
        assert_eq!(results(begin(context, "none", &[])), [Value::I64(7)]);
        assert_eq!(ended.load(Ordering::Relaxed), 3, "every token has ended once");
    });
}

#[test]
fn a_null_where_none_may_be_is_an_error_that_says_so() {
    each(|context, _| {
        let error = failure(begin(context, "null", &[]));
        assert_eq!(error.code(), Code::InvalidArgument);
        let text = error.to_string();
        for part in ["expected a reference to host.token, got null", "host.mixed", "m.null"] {
            assert!(text.contains(part), "{text}");
        }
    });
}

#[test]
fn a_borrowed_reference_outlives_a_move_of_the_same_register() {
    each(|context, ended| {
        assert_eq!(results(begin(context, "same", &[Value::I32(5)])), [Value::I32(5), Value::I32(0)]);
        assert_eq!(ended.load(Ordering::Relaxed), 1);
        let moved = 2 * (5 * 100 + 5) + 5;
        assert_eq!(results(begin(context, "moved", &[Value::I32(5)])), [Value::I64(moved)]);
        assert_eq!(ended.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_result_may_replace_the_argument_that_was_borrowed_for_it() {
    each(|context, ended| {
        assert_eq!(results(begin(context, "replace", &[Value::I32(4)])), [Value::I32(12)]);
        assert_eq!(ended.load(Ordering::Relaxed), 4);
    });
}

#[test]
fn references_of_any_type_and_none() {
    each(|context, _| {
        let buffer = Value::object(Buffer::copied(&[1, 2, 3]).unwrap());
        let kinds = results(begin(context, "kind", &[buffer.clone(), Value::I32(1)]));
        assert_eq!(kinds, [Value::I32(1), Value::I32(2), Value::I32(0)]);
        let list = Value::object(List::new(ElementType::Primitive(Primitive::I32), 0, 10, None).unwrap());
        let lengths = results(begin(context, "lengths", &[buffer.clone(), list.clone()]));
        assert_eq!(lengths, [Value::I64(3), Value::I32(1)]);
        let lengths = results(begin(context, "lengths", &[buffer, Value::Ref(None)]));
        assert_eq!(lengths, [Value::I64(3), Value::I32(0)]);
        let error = failure(begin(context, "lengths", &[list, Value::Ref(None)]));
        assert!(
            error.to_string().contains("expected a reference to vm.buffer, got one to vm.list"),
            "{error}"
        );
    });
}

#[test]
fn a_function_with_a_group_suspends_and_keeps_what_it_needs() {
    each(|context, ended| {
        let outcome = begin(context, "wait", &[Value::I32(1)]);
        let Outcome::Waiting(suspended, wait) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(&wait.condition, Condition::All(sources) if sources.len() == 3));
        assert_eq!(ended.load(Ordering::Relaxed), 0, "the rest keeps its tokens");
        let outcome = suspended.resume(READY, &Slice::default());
        assert_eq!(results(outcome), [Value::I32(1122), Value::I32(0)]);
        assert_eq!(ended.load(Ordering::Relaxed), 2);
    });
}

/// A call that suspends has taken what was moved into it all the same; what was lent to it stays its caller's.
#[test]
fn moved_arguments_end_when_their_call_suspends() {
    each(|context, ended| {
        let outcome = begin(context, "looks", &[Value::I32(6)]);
        let Outcome::Waiting(lent, _) = outcome else { panic!("{outcome:?}") };
        assert_eq!(ended.load(Ordering::Relaxed), 0, "the caller has it still");
        let outcome = lent.resume(READY, &Slice::default());
        let Outcome::Waiting(moved, _) = outcome else { panic!("{outcome:?}") };
        assert_eq!(ended.load(Ordering::Relaxed), 1, "nobody has it");
        assert_eq!(results(moved.resume(READY, &Slice::default())), [Value::I32(6), Value::I32(6)]);
    });
}

/// However often a call suspends, its results go into the registers when it returns, once, and replace what was there.
#[test]
fn results_are_written_when_a_call_returns() {
    each(|context, ended| {
        let mut outcome = begin(context, "stages", &[Value::I32(1)]);
        // Each call replaces the token that was there; the end of the function ends the last one.
        for (stage, gone) in [0, 0, 1, 1, 1, 3].into_iter().enumerate() {
            let suspended = match outcome {
                Outcome::Waiting(suspended, _) if stage % 3 == 0 => suspended,
                Outcome::Yielded(suspended) if stage % 3 > 0 => suspended,
                other => panic!("{other:?}"),
            };
            outcome = suspended.resume(READY, &Slice::default());
            assert_eq!(ended.load(Ordering::Relaxed), gone, "after stage {stage}");
        }
        assert_eq!(results(outcome), [3, 30, 3, 30].map(Value::I32));
        // A call that is given up before has written nothing.
        let outcome = begin(context, "stages", &[Value::I32(1)]);
        let Outcome::Waiting(suspended, _) = outcome else { panic!("{outcome:?}") };
        drop(suspended);
        assert_eq!(ended.load(Ordering::Relaxed), 4);
    });
}

#[test]
fn sixteen_arguments() {
    each(|context, _| {
        let arguments = [Value::I32(1), Value::I64(2), Value::F32(0.5), Value::F64(0.25)];
        assert_eq!(results(begin(context, "sixteen", &arguments)), [Value::I64(12), Value::F64(3.0)]);
    });
}

//! Native functions that are known by their calling convention alone: every letter, groups, suspension, bad results.

mod setup;

use raddle_status::{Code, Error, Result};
use raddle_vm::*;
use setup::{READY, begin, failure, never, results};

const CLIENT: &[u8] = include_bytes!("../../../tests/programs/runtime/host.vmfb");

fn int(value: &Value) -> i32 {
    let Value::I32(value) = value else { panic!("{value} is no i32") };
    *value
}

/// Waits, yields, returns. What it leaves in its results when it suspends is lost: they are other ones each time.
fn await_one(results: &mut [Value]) -> Result<DynamicFlow> {
    results[0] = Value::I32(19);
    let wait = Wait { condition: never(), deadline_ns: NEVER };
    let rest = |outcome: WaitOutcome, results: &mut [Value]| {
        outcome.into_result()?;
        assert_eq!(results, [Value::I32(0)]);
        results[0] = Value::I64(20);
        Ok(Flow::Yield(DynamicRest::new(|_, results| {
            assert_eq!(results, [Value::I32(0)]);
            // As a number of another width: converted.
            results[0] = Value::I64(21);
            Ok(Flow::Ready(()))
        })))
    };
    Ok(Flow::Wait(wait, DynamicRest::new(rest)))
}

fn context(sum: impl Fn(&[Value]) -> Value + Send + Sync + 'static) -> Context {
    let add = |_: &(), arguments: &[Value], results: &mut [Value]| {
        let numbers = arguments.iter().map(|value| match value.convert(Primitive::F64) {
            Some(Value::F64(float)) if float != 0.0 => float,
            _ => value.bits() as i64 as f64,
        });
        results[0] = Value::F64(numbers.sum());
        Ok(Flow::Ready(()))
    };
    let sum = move |_: &(), arguments: &[Value], results: &mut [Value]| {
        results[0] = sum(arguments);
        Ok(Flow::Ready(()))
    };
    let fail = |_: &(), arguments: &[Value], _: &mut [Value]| {
        Err(Error::new(Code::from_number(int(&arguments[0]) as u32).unwrap(), "as asked"))
    };
    let host = NativeModule::builder("host")
        .dynamic("add", "0iIfF_F", add)
        .and_then(|host| {
            host.dynamic("await", "0r_i", |_: &(), _: &[Value], results: &mut [Value]| await_one(results))
        })
        .and_then(|host| host.dynamic("sum", "0iCiD_i", sum))
        .and_then(|host| host.dynamic("fail", "0i_v", fail))
        .and_then(NativeBuilder::build)
        .unwrap();
    let client = Program::new(Module::load(CLIENT).unwrap(), &Registry::new()).unwrap();
    Context::builder().native(host).program(client).build().unwrap()
}

fn total(arguments: &[Value]) -> Value {
    assert_eq!(int(&arguments[1]), 2, "a group comes with its count");
    Value::I32(arguments.iter().map(int).sum::<i32>() - 2)
}

#[test]
fn values_of_every_kind_go_in_and_out() {
    let context = context(total);
    let arguments = [Value::I32(1), Value::I64(1 << 40), Value::F32(0.5), Value::F64(0.25)];
    let sum = results(begin(&context, "add", &arguments));
    assert_eq!(sum, [Value::F64(1.0 + (1_u64 << 40) as f64 + 0.75)]);
    assert_eq!(results(begin(&context, "sum", &[7, 8, 9].map(Value::I32))), [Value::I32(24)]);
}

#[test]
fn a_dynamic_function_waits_and_yields() {
    let context = context(total);
    let mut outcome = begin(&context, "twice", &[Value::Ref(None), Value::Ref(None)]);
    let mut stops = String::new();
    loop {
        outcome = match outcome {
            Outcome::Waiting(call, _) => {
                stops.push('w');
                call.resume(READY, &Slice::default())
            }
            Outcome::Yielded(call) => {
                stops.push('y');
                call.resume(READY, &Slice::default())
            }
            Outcome::Finished(done) => {
                assert_eq!((done.results(), stops.as_str()), (vec![Value::I32(42)], "wywy"));
                return;
            }
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn failures_and_unfit_results_name_the_function() {
    let context = context(|_| Value::Ref(None));
    let error = failure(begin(&context, "fail", &[Value::I32(15)]));
    assert!(error.code() == Code::DataLoss && error.to_string().contains("host.fail"), "{error}");
    let error = failure(begin(&context, "sum", &[7, 8, 9].map(Value::I32)));
    assert!(error.code() == Code::InvalidArgument && error.to_string().contains("in result 0"), "{error}");
    let wrong = NativeModule::builder("host")
        .dynamic("add", "iI", |_: &(), _: &[Value], _: &mut [Value]| Ok(Flow::Ready(())));
    assert!(wrong.is_err());
}

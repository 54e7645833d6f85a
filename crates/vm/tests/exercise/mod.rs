//! What the fuzz targets and the tests of hostile files do with some bytes.
#![allow(dead_code, reason = "each of them uses a part")]

use raddle_status::{Code, Error};
use raddle_vm::{
    Context, Engine, Idle, Limits, Listing, Module, Outcome, Program, Registry, Slice, Storage, Value,
    WaitOutcome, assemble, disassemble,
};

/// Loads the bytes and, if they are a module, asks everything that can be asked of it.
///
/// Whatever loads must survive the way through text: text and verifier know the same rules.
pub fn exercise(bytes: &[u8]) -> Result<Module, Error> {
    let module = Module::load(bytes.to_vec())?;
    for function in module.functions() {
        let _ = (function.debug_name(), format!("{function:?}"));
        for inst in function.instructions().take(64) {
            let _ = function.location(inst.pc).map(|location| location.to_string());
        }
    }
    if let Ok(text) = disassemble(&module, Listing::default()) {
        let again = assemble(&text).and_then(|built| Module::load(built.build()));
        let again = again.unwrap_or_else(|error| panic!("{error}\n{text}"));
        for (a, b) in module.functions().zip(again.functions()) {
            assert_eq!(a.signature(), b.signature());
            if !has_duplicate_types(&module) {
                assert_eq!(a.code(), b.code());
            }
        }
    }
    Ok(module)
}

/// Text names types, so that of two of the same name the first stands for both.
fn has_duplicate_types(module: &Module) -> bool {
    let mut names: Vec<_> = module.types().iter().collect();
    names.sort();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// Steps that one call may take, in slices.
const STEPS: u64 = 20_000;

/// Loads the bytes as a module or else as text, and calls every export on every engine, within limits: all of them
/// agree, and give back what they took.
pub fn run(bytes: &[u8]) -> Result<(), Error> {
    let module = Module::load(bytes.to_vec()).or_else(|error| match std::str::from_utf8(bytes) {
        Ok(text) => assemble(text).and_then(|built| Module::load(built.build())),
        Err(_) => Err(error),
    })?;
    let mut first = None;
    for engine in Engine::ALL {
        for steps in [STEPS, 7] {
            let found = calls(&module, *engine, steps)?;
            match &first {
                None => first = Some(found),
                Some(first) => assert!(agree(first, &found), "{engine:?}, {steps}: {first:?} {found:?}"),
            }
        }
    }
    Ok(())
}

/// What each export gives: results as text, or a code.
type Found = Vec<Result<String, Code>>;

/// Whether all calls that were not cut short gave the same; where a call is cut short depends on the slices.
fn agree(left: &Found, right: &Found) -> bool {
    let is_cut = |found: &Result<String, Code>| *found == Err(Code::Cancelled);
    left.iter().zip(right).all(|(left, right)| is_cut(left) || is_cut(right) || left == right)
}

fn calls(module: &Module, engine: Engine, steps: u64) -> Result<Found, Error> {
    let program = Program::for_engine(module.clone(), &Registry::new(), engine)?;
    let limits = Limits {
        stack_bytes_max: 1 << 16,
        list_length_max: 1 << 12,
        allocation_bytes_max: 1 << 20,
        init_steps_max: STEPS,
    };
    let context = Context::builder().limits(limits).program(program).build()?;
    let names: Vec<_> = module.exports().iter().take(32).map(|export| export.name.clone()).collect();
    Ok(names.iter().map(|name| call(&context, name, steps).map_err(|error| error.code())).collect())
}

fn call(context: &Context, name: &str, steps: u64) -> Result<String, Error> {
    let function = context.function(name)?;
    let letters = function.signature().scalars();
    let arguments: Vec<Value> =
        letters.zip(1..).map(|(scalar, number)| argument(scalar.letter(), number)).collect();
    let slice = Slice::steps(steps);
    let mut outcome = Idle::new(&function, &Storage::default())?.begin(&arguments, &slice);
    let mut used = 0;
    loop {
        // A turn that is given up costs little, and yet a program may do nothing else.
        used += if matches!(outcome, Outcome::Yielded(_)) { 20 } else { steps };
        let suspended = match outcome {
            Outcome::Finished(finished) => return Ok(finished.results().iter().map(shown).collect()),
            Outcome::Failed(_, error) => return Err(error),
            Outcome::Yielded(suspended) | Outcome::OutOfBudget(suspended) => suspended,
            Outcome::Waiting(..) | Outcome::Busy(_) => {
                unreachable!("there is no host function, and one call")
            }
        };
        if used >= STEPS {
            return Err(suspended.cancel(Code::Cancelled.into()).1);
        }
        outcome = suspended.resume(WaitOutcome::Ready { index: 0 }, &slice);
    }
}

fn argument(letter: char, number: i32) -> Value {
    match letter {
        'i' => Value::I32(number),
        'I' => Value::I64(number.into()),
        'f' => Value::F32(number as f32),
        'F' => Value::F64(number.into()),
        _ => Value::Ref(None),
    }
}

/// Objects by their type, NaNs without their bits.
fn shown(value: &Value) -> String {
    match value {
        Value::Ref(Some(object)) => object.ty().name().to_owned(),
        value => format!("{value:?} "),
    }
}

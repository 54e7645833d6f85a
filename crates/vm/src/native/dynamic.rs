//! Native functions whose calling convention is known only at run time: for hosts in other languages.
//!
//! Not here: functions with Rust types ([`NativeBuilder::function`](super::NativeBuilder::function)), which are faster.
//!
//! Arguments are values in the order of the convention. A repeated group arrives as its count (i32) followed by its
//! items. Results start as zero or null, and are written in place.

use super::args::{Reader, Results, Writer};
use super::flow::{Flow, Progress, Resume, Task};
use super::module::Entry;
use crate::engine::state::Exit;
use crate::machine::Core;
use crate::module::{Param, Scalar, Signature};
use crate::translate::code::Site;
use crate::value::Value;
use crate::wait::{Wait, WaitOutcome};
use raddle_status::{Result, ResultExt};
use std::sync::Arc;

/// What a dynamic function says: done (its results are in place), or to be resumed.
pub type DynamicFlow = Flow<(), DynamicRest>;

/// A function of a native module by its calling convention: gets the state, the arguments, and where its results go.
pub trait DynamicFunction<S>:
    Fn(&S, &[Value], &mut [Value]) -> Result<DynamicFlow> + Send + Sync + 'static
{
}

impl<S, F> DynamicFunction<S> for F where
    F: Fn(&S, &[Value], &mut [Value]) -> Result<DynamicFlow> + Send + Sync + 'static
{
}

type Rest = dyn FnOnce(WaitOutcome, &mut [Value]) -> Result<DynamicFlow> + Send;

/// The rest of a dynamic function that has suspended.
pub struct DynamicRest(Box<Rest>);

impl DynamicRest {
    /// What is called after the wait, with its outcome, or after the yield, with `Ready`.
    pub fn new(
        rest: impl FnOnce(WaitOutcome, &mut [Value]) -> Result<DynamicFlow> + Send + 'static,
    ) -> DynamicRest {
        DynamicRest(Box::new(rest))
    }
}

/// Arguments and results that need no allocation. Unit: values of 16 bytes. Guess: most functions have fewer.
const VALUES_INLINE: usize = 8;

/// Results that fit the convention.
pub(crate) struct Checked(Vec<Value>);

impl Results for Checked {
    fn letters(_: &mut String) {}
    fn write(self, writer: &mut Writer<'_>) {
        self.0.into_iter().for_each(|value| writer.put(value));
    }
}

/// A rest, with what its results must be.
struct Typed(DynamicRest, Arc<Signature>);

impl Resume for Typed {
    type Output = Checked;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<Checked, Typed>> {
        let Typed(rest, signature) = self;
        let mut results = zeros(&signature);
        Ok(match (rest.0)(outcome, &mut results)? {
            Flow::Ready(()) => {
                fit(&signature, &mut results)?;
                Flow::Ready(Checked(results))
            }
            Flow::Wait(wait, rest) => Flow::Wait(wait, Typed(rest, signature)),
            Flow::Yield(rest) => Flow::Yield(Typed(rest, signature)),
        })
    }
}

fn zeros(signature: &Signature) -> Vec<Value> {
    signature.results().iter().map(|scalar| zero(*scalar)).collect()
}

fn zero(scalar: Scalar) -> Value {
    match scalar {
        Scalar::I32 => Value::I32(0),
        Scalar::I64 => Value::I64(0),
        Scalar::F32 => Value::F32(0.0),
        Scalar::F64 => Value::F64(0.0),
        Scalar::Ref => Value::Ref(None),
    }
}

/// Converts the results to what the convention says.
fn fit(signature: &Signature, results: &mut [Value]) -> Result {
    for (index, (scalar, value)) in signature.results().iter().zip(results).enumerate() {
        if std::mem::discriminant(value) != std::mem::discriminant(&zero(*scalar)) {
            let fitting = value.for_letter(scalar.letter() as u8);
            *value = fitting.within(|| format!("in result {index}"))?;
        }
    }
    Ok(())
}

/// A dynamic function of one instance.
pub(super) struct DynamicEntry<S, F> {
    pub(super) state: Arc<S>,
    pub(super) function: Arc<F>,
    pub(super) name: Arc<str>,
    pub(super) signature: Arc<Signature>,
}

impl<S: Send + Sync + 'static, F: DynamicFunction<S>> DynamicEntry<S, F> {
    /// The results are written, or there is a rest, for whoever has dropped arguments and results (F2).
    fn run(&self, core: &mut Core, site: &Site) -> Result<Option<(Task, Option<Wait>)>> {
        let mut reader = Writer::new(core, site).reader(false);
        let result_count = self.signature.results().len();
        let mut few = (0, [const { Value::Empty }; VALUES_INLINE]);
        let mut many = Vec::new();
        let arguments: &[Value] =
            if self.signature.is_variadic() || self.signature.arguments().len() > VALUES_INLINE {
                read_all(&mut reader, &self.signature, &mut |value| many.push(value));
                &many
            } else {
                read_all(&mut reader, &self.signature, &mut |value| {
                    few.1[few.0] = value;
                    few.0 += 1;
                });
                &few.1[..few.0]
            };
        if result_count > VALUES_INLINE {
            let mut results = zeros(&self.signature);
            return self.call(arguments, &mut results, core, site);
        }
        let mut results = [const { Value::Empty }; VALUES_INLINE];
        for (place, scalar) in results.iter_mut().zip(self.signature.results()) {
            *place = zero(*scalar);
        }
        self.call(arguments, &mut results[..result_count], core, site)
    }

    fn call(
        &self,
        arguments: &[Value],
        results: &mut [Value],
        core: &mut Core,
        site: &Site,
    ) -> Result<Option<(Task, Option<Wait>)>> {
        let flow = (self.function)(&self.state, arguments, results)?;
        let typed = |rest| Task::new(Typed(rest, self.signature.clone()));
        Ok(match flow {
            Flow::Ready(()) => {
                fit(&self.signature, results)?;
                let mut writer = Writer::new(core, site);
                results.iter_mut().for_each(|value| writer.put(std::mem::take(value)));
                None
            }
            Flow::Wait(wait, rest) => Some((typed(rest), Some(wait))),
            Flow::Yield(rest) => Some((typed(rest), None)),
        })
    }
}

fn read_all(reader: &mut Reader<'_>, signature: &Signature, add: &mut dyn FnMut(Value)) {
    for param in signature.arguments() {
        match param {
            Param::One(scalar) => add(reader.value(*scalar)),
            Param::Repeated(group) => {
                let count = reader.repetitions();
                add(Value::I32(i32::try_from(count).unwrap_or(i32::MAX)));
                for _ in 0..count {
                    group.iter().for_each(|scalar| add(reader.value(*scalar)));
                }
            }
        }
        reader.advance();
    }
}

impl<S: Send + Sync + 'static, F: DynamicFunction<S>> Entry for DynamicEntry<S, F> {
    fn call(&self, core: &mut Core, site: &Site) -> Option<Exit> {
        super::guarded(core, &|| self.name.to_string(), |core| {
            Ok(match self.run(core, site)? {
                None => Progress::Done,
                Some((rest, wait)) => Writer::new(core, site).suspend(rest, wait),
            })
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

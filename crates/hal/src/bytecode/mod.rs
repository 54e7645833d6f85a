//! Executables of bytecode (VMVX): kernels that the virtual machine runs, a workgroup a call.
//!
//! Not here: what the bytecode imports (`imports.rs`), native executables (`raddle-executable`).
//!
//! An executable is a module file of its own. Each of its functions without a leading `__` is a kernel; it gets the
//! workgroup's local memory, the dispatch's constants, a list with a buffer for each binding, and three times three numbers.
//! What kernels keep in globals is one runner's: a runner is a context of its own, and runs on one thread at a time.
//!
//! Kernels can't do more than any other bytecode: they reach their bindings within bounds, write only what may be written,
//! and end when their budget is used up or their device's scope has failed.
//!
//! # Invariants
//! - I1: a binding's buffer keeps the device's buffer behind it, so that a kernel which stores it away harms nobody; one
//!   that was not stored away is lent again by the next dispatch, and keeps nothing in between.
//! - I2: device memory is read and written through atomics by bytecode (I3 of the VM's buffers) and through raw pointers by
//!   everybody else (I2 of `memory.rs`); the program's fences and barriers order both.
#![allow(unsafe_code)]

mod elementwise;
mod imports;
mod plane;
mod tiles;

use crate::buffer::Buffer;
use crate::device::Inner as Device;
use crate::executable::{Call, Kernel};
use crate::flags::access;
use crate::pool::Pool;
use crate::tuning::{BYTECODE_SLICE_STEPS, MEMORY_ALIGN};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_task::Scope;
use raddle_vm::{
    Buffer as Bytes, Context, Idle, List, Module, NativeModule, Outcome, Program, Ref, RefOf, Registry,
    Slice, Storage, Value, WaitOutcome,
};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// The format's name, in full.
pub(crate) const FORMAT: &str = "vmvx-bytecode-fb";
/// The calling convention of kernels.
const KERNEL: &str = "0rrriiiiiiiii_v";
/// The function that takes the constants of the whole executable, if there is one.
const SET_CONSTANTS: &str = "__set_constants";
/// Unit of local memory. Unit: bytes.
const PAGE_BYTES: usize = 4096;

/// A loaded executable. Thread-safe.
pub(crate) struct Bytecode {
    program: Arc<Program>,
    imports: NativeModule,
    /// The executable's own constants.
    constants: Vec<u8>,
    names: Vec<String>,
    idle: Pool<Runner>,
    scope: Scope,
    steps_max: u64,
}

/// A context, and an invocation of each kernel that was called in it.
struct Runner {
    context: Context,
    invocations: Vec<Option<Idle>>,
    /// Of each kernel.
    handed: Vec<Handed>,
    local: Option<RefOf<Bytes>>,
}

/// The module file, read in place.
struct Data(RefOf<Bytes>);

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        self.0.as_constant().expect("made of constant bytes")
    }
}

impl Bytecode {
    /// Loads an executable.
    ///
    /// # Errors
    /// Those of loading and linking a module. INVALID_ARGUMENT: a function is no kernel. FAILED_PRECONDITION: the executable has
    /// constants and gets none, or gets some and has none.
    pub(crate) fn load(
        device: &Device,
        data: &RefOf<Bytes>,
        constants: Vec<u8>,
    ) -> Result<(Bytecode, Vec<Kernel>)> {
        let bytes = match data.is_mutable() {
            true => raddle_vm::Bytes::from(data.to_vec()),
            false => raddle_vm::Bytes::from_owner(Data(data.clone())),
        };
        let module = Module::load(bytes)?;
        let takes_constants = module.exports().iter().any(|export| &*export.name == SET_CONSTANTS);
        if takes_constants == constants.is_empty() {
            let text = match takes_constants {
                true => "the executable has constants and is given none".to_owned(),
                false => format!("the executable has no constants and is given {}", constants.len() / 4),
            };
            return Err(Error::new(Code::FailedPrecondition, text));
        }
        let is_kernel = |export: &&raddle_vm::Export| !export.name.starts_with("__");
        let kernels = module.exports().iter().filter(is_kernel).map(|export| kernel(&module, &export.name));
        let kernels = kernels.collect::<Result<Vec<_>>>()?;
        let bytecode = Bytecode {
            program: Program::new(module, &Registry::new())?,
            imports: imports::module(device.executables.features)?,
            constants,
            names: kernels.iter().map(|kernel| kernel.name.clone()).collect(),
            idle: Pool::default(),
            scope: device.scope.clone(),
            steps_max: device.bytecode_steps_max,
        };
        // What is wrong with its imports and its beginning is said now.
        bytecode.idle.keep(bytecode.runner()?);
        Ok((bytecode, kernels))
    }

    fn runner(&self) -> Result<Runner> {
        let builder = Context::builder().native(self.imports.clone()).program(self.program.clone());
        let context = builder.build()?;
        if !self.constants.is_empty() {
            let constants = Value::object(Bytes::constant(Arc::new(self.constants.clone())));
            let idle = Idle::new(&context.function(SET_CONSTANTS)?, &Storage::default())?;
            self.finish(idle, &[constants]).1.within(|| format!("in {SET_CONSTANTS}"))?;
        }
        let invocations = self.names.iter().map(|_| None).collect();
        let handed = self.names.iter().map(|_| Handed::default()).collect();
        Ok(Runner { context, invocations, handed, local: None })
    }

    /// Runs workgroups of a kernel on this thread.
    ///
    /// # Errors
    /// What the kernel fails with; RESOURCE_EXHAUSTED: its budget.
    pub(crate) fn run(&self, kernel: &Kernel, call: &Call<'_>, tiles: Range<u64>) -> Result {
        let mut runner = match self.idle.pop() {
            Some(runner) => runner,
            None => self.runner()?,
        };
        let result = self.run_on(&mut runner, kernel, call, tiles);
        self.idle.keep(runner);
        result
    }

    fn run_on(&self, runner: &mut Runner, kernel: &Kernel, call: &Call<'_>, tiles: Range<u64>) -> Result {
        let index = call.function as usize;
        let local = runner.local(kernel.local_bytes)?;
        let handed = &mut runner.handed[index];
        let (constants, bindings) = (handed.constants(call.constants), handed.lend(call)?);
        let [x, y, z] = call.grid.map(|extent| Value::I32(extent.cast_signed()));
        let (one, zero) = (|| Value::I32(1), || Value::I32(0));
        let reference = |reference| Value::Ref(Some(reference));
        let mut arguments = [
            reference(local),
            reference(constants),
            reference(bindings),
            zero(),
            zero(),
            zero(),
            one(),
            one(),
            one(),
            x,
            y,
            z,
        ];
        let result = self.workgroups(runner, kernel, &mut arguments, (call, tiles));
        drop(arguments);
        runner.handed[index].take_back();
        result
    }

    fn workgroups(
        &self,
        runner: &mut Runner,
        kernel: &Kernel,
        arguments: &mut [Value],
        (call, tiles): (&Call<'_>, Range<u64>),
    ) -> Result {
        let index = call.function as usize;
        for tile in tiles {
            let place = position(call.grid, tile);
            for (argument, at) in arguments[3..6].iter_mut().zip(place) {
                *argument = Value::I32(at.cast_signed());
            }
            let idle = match runner.invocations[index].take() {
                Some(idle) => idle,
                None => Idle::new(&runner.context.function(&kernel.name)?, &Storage::default())?,
            };
            let (idle, result) = self.finish(idle, arguments);
            runner.invocations[index] = idle;
            result.within(|| format!("kernel {}, workgroup {place:?}", kernel.name))?;
        }
        Ok(())
    }

    /// Calls a function until it has ended.
    fn finish(&self, idle: Idle, arguments: &[Value]) -> (Option<Idle>, Result) {
        let mut left = self.steps_max;
        let mut slice = Slice::steps(left.min(BYTECODE_SLICE_STEPS));
        let mut outcome = idle.begin(arguments, &slice);
        loop {
            let (suspended, error) = match outcome {
                Outcome::Finished(finished) => return (Some(finished.again()), Ok(())),
                Outcome::Failed(idle, error) => return (Some(idle), Err(error)),
                Outcome::Busy(idle) => {
                    return (Some(idle), Err(Error::new(Code::Internal, "a runner is used twice at a time")));
                }
                Outcome::Waiting(suspended, _) => {
                    (suspended, Some(Error::new(Code::FailedPrecondition, "a kernel can't wait")))
                }
                Outcome::Yielded(suspended) | Outcome::OutOfBudget(suspended) => {
                    (suspended, self.scope.failure())
                }
            };
            left -= slice.steps - suspended.unused_steps().min(slice.steps);
            slice = Slice::steps(left.min(BYTECODE_SLICE_STEPS));
            let error = error.or_else(|| (left == 0).then(|| exhausted(self.steps_max)));
            outcome = match error {
                None => suspended.resume(WaitOutcome::Ready { index: 0 }, &slice),
                Some(error) => {
                    let (idle, error) = suspended.cancel(error);
                    return (Some(idle), Err(error));
                }
            };
        }
    }
}

#[cold]
fn exhausted(steps: u64) -> Error {
    Error::new(Code::ResourceExhausted, format!("a workgroup of bytecode takes more than {steps} steps"))
}

impl Runner {
    /// So much memory for workgroups, of which this thread runs one at a time.
    fn local(&mut self, bytes: usize) -> Result<Ref> {
        let local = match self.local.take().filter(|local| local.len() >= bytes) {
            Some(local) => local,
            None => RefOf::new(Bytes::zeroed(bytes as u64, MEMORY_ALIGN as u32, None)?),
        };
        self.local = Some(local.clone());
        Ok(local.into_ref())
    }
}

/// What an export says about itself.
fn kernel(module: &Module, name: &str) -> Result<Kernel> {
    let function = module.find(name)?;
    let convention = function.signature().text();
    if convention != KERNEL {
        let text = format!("function {name} has the calling convention {convention}, and a kernel {KERNEL}");
        return Err(Error::new(Code::InvalidArgument, text));
    }
    let number = |key: &str| {
        let value = function.attrs().find(|(name, _)| *name == key).map_or("0", |(_, value)| value);
        let text = || format!("attribute {key} of kernel {name} is no count: {value}");
        value.parse::<u32>().map_err(|_| Error::new(Code::InvalidArgument, text()))
    };
    let pages = u16::try_from(number("local_memory")? as usize / PAGE_BYTES);
    let pages = pages.map_err(|_| {
        Error::new(Code::ResourceExhausted, format!("kernel {name} wants more than 256 MiB of local memory"))
    })?;
    Ok(Kernel {
        name: name.to_owned(),
        constants: number("constant_count")? as usize,
        bindings: number("binding_count")? as usize,
        local_bytes: usize::from(pages) * PAGE_BYTES,
    })
}

/// What a kernel was handed, to be used again if the kernel has not put it away.
#[derive(Default)]
struct Handed {
    /// Of the last dispatch, and perhaps of the next.
    constants: Option<RefOf<Bytes>>,
    /// A list of buffers, which are lent nothing between dispatches.
    bindings: Option<Ref>,
}

/// Who keeps the memory of a binding while it is lent.
type Keeper = Option<RefOf<Buffer>>;

impl Handed {
    fn constants(&mut self, words: &[u32]) -> Ref {
        let is_known = |known: &&RefOf<Bytes>| {
            let bytes = known.as_constant().unwrap_or_default();
            bytes.chunks_exact(4).eq(words.iter().map(|word| word.to_le_bytes()))
        };
        if let Some(known) = self.constants.as_ref().filter(is_known) {
            return known.clone().into_ref();
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let constants = RefOf::new(Bytes::constant(Arc::new(bytes)));
        self.constants = Some(constants.clone());
        constants.into_ref()
    }

    /// The list of bindings of a call.
    fn lend(&mut self, call: &Call<'_>) -> Result<Ref> {
        if let Some(list) = &mut self.bindings
            && lend_again(list, call)?
        {
            return Ok(list.clone());
        }
        let bindings = (0..call.addresses.len()).map(|index| Ok(Value::object(binding(call, index)?)));
        let list = Ref::new(List::from_values(bindings.collect::<Result<Vec<Value>>>()?));
        self.bindings = Some(list.clone());
        Ok(list)
    }

    /// The call has ended: its buffers are let go.
    fn take_back(&mut self) {
        let none = NonNull::<u64>::dangling().cast();
        // SAFETY: nothing is lent.
        let is_emptied = |buffer: &mut Bytes| unsafe { buffer.lend_again(none, 0, false, Keeper::None) };
        let is_ours = self
            .bindings
            .as_mut()
            .and_then(buffers)
            .is_some_and(|mut all| all.all(|buffer| buffer.is_some_and(is_emptied)));
        if !is_ours {
            self.bindings = None;
        }
    }
}

/// The buffers of a list that nobody else has; `None` for an element that is none, or that somebody has put away.
fn buffers(list: &mut Ref) -> Option<impl ExactSizeIterator<Item = Option<&mut Bytes>>> {
    let values = list.get_mut::<List>()?.variants_mut()?;
    Some(values.iter_mut().map(|value| match value {
        Value::Ref(Some(buffer)) => buffer.get_mut(),
        _ => None,
    }))
}

/// Lends the bindings of a call by the buffers that are there; false if they are not the right ones.
fn lend_again(list: &mut Ref, call: &Call<'_>) -> Result<bool> {
    let Some(all) = buffers(list).filter(|all| all.len() == call.addresses.len()) else { return Ok(false) };
    for (index, place) in all.enumerate() {
        let Some(place) = place else { return Ok(false) };
        let (buffer, is_mutable) = behind(call, index)?;
        // SAFETY: as in `binding`.
        let is_lent = unsafe {
            place.lend_again(call.addresses[index].0, call.lengths[index], is_mutable, Some(buffer))
        };
        if !is_lent {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The buffer behind a binding, and whether it may be written.
fn behind(call: &Call<'_>, index: usize) -> Result<(RefOf<Buffer>, bool)> {
    let buffer = call.buffer(index)?;
    let is_mutable = buffer.params().access & access::WRITE != 0;
    Ok((buffer, is_mutable))
}

/// A binding as bytecode sees it.
fn binding(call: &Call<'_>, index: usize) -> Result<Bytes> {
    let (buffer, is_mutable) = behind(call, index)?;
    let keeper: Keeper = Some(buffer);
    // SAFETY: I1: the address and the length are those of a range of this buffer, which keeps them; I2.
    Ok(unsafe { Bytes::lent(call.addresses[index].0, call.lengths[index], is_mutable, Box::new(keeper)) })
}

/// Which workgroup has this number; x runs fastest. The grid is not empty.
fn position([x, y, _]: [u32; 3], tile: u64) -> [u32; 3] {
    let (x, y) = (u64::from(x), u64::from(y));
    [(tile % x) as u32, (tile / x % y) as u32, (tile / x / y) as u32]
}

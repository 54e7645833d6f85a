//! Operations of a device's queue: each starts when its wait fence is reached and reaches or fails its signal fence after.
//!
//! Not here: what a command buffer does (`execution.rs`).
//!
//! ```text
//!  submit ──┬─ reached ──► run here ─────────────────────────────────────┬──► promise kept
//!           ├─ failed ───────────────────────────────────────────────────┤    (signal, or fail)
//!           └─ pending ──► parked ── fires ──► run on the thread that ───┘
//!                            └── fails, cancelled ──► not run ───────────┘
//! ```
//! Only fences order operations: two without a fence between them run in any order, also at the same time.
//!
//! # Invariants
//! - I1: what an operation uses is kept until it has ended, and given up before its fence is reached.
//! - I2: its fence is reached or failed once, whatever becomes of it. (by construction: `Promise`)
//! - I3: an operation whose wait has failed is not run; its fence fails with the same status.

use crate::buffer::Buffer;
use crate::command_buffer::{BufferRef, CommandBuffer, mode};
use crate::device::{Held, Inner as Device};
use crate::execution::{Active, Scratch};
use crate::fence::{Fence, Promise};
use crate::file::File;
use crate::tuning::TRANSFER_PIECE_BYTES;
use raddle_status::{Code, Error, Result};
use raddle_task::{Priority, Program, ProgramRun, Spent, Step, StepCx};
use raddle_vm::RefOf;
use raddle_wait::{Condition, NEVER, Readiness};
use std::sync::Arc;

/// What an operation does.
pub(crate) enum Work {
    Barrier,
    Alloca(RefOf<Buffer>),
    Dealloca(RefOf<Buffer>),
    Fill { target: Place, pattern: [u8; 4], pattern_bytes: usize },
    Copy { source: Place, target: Place },
    Update { bytes: Vec<u8>, target: Place },
    Read { file: RefOf<File>, offset: u64, target: Place },
    Write { source: Place, file: RefOf<File>, offset: u64 },
    Execute { commands: RefOf<CommandBuffer>, scratch: Box<Scratch> },
}

/// A range of a buffer, whose length is known.
pub(crate) struct Place {
    pub(crate) buffer: RefOf<Buffer>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Place {
    fn into_reference(self) -> BufferRef {
        BufferRef::new(Some(self.buffer), 0, self.offset, self.length)
    }
}

/// An operation and whom it tells.
struct Operation {
    work: Work,
    promise: Promise,
}

impl Operation {
    fn run(self, device: &Arc<Device>) {
        let Operation { work, promise } = self;
        if let Work::Execute { commands, scratch } = work {
            return Active::new(commands, scratch, promise).begin(device);
        }
        let result = run(&work);
        // I1.
        drop(work);
        promise.keep(result);
    }
}

fn run(work: &Work) -> Result {
    match work {
        Work::Barrier => Ok(()),
        Work::Alloca(buffer) => buffer.commit(),
        Work::Dealloca(buffer) => buffer.deallocate(),
        Work::Fill { target, pattern, pattern_bytes } => {
            target.buffer.part(target.offset, target.length)?.fill(*pattern, *pattern_bytes);
            Ok(())
        }
        Work::Copy { source, target } => {
            let from = source.buffer.part(source.offset, source.length)?;
            target.buffer.part(target.offset, target.length)?.copy_from(from);
            Ok(())
        }
        Work::Update { bytes, target } => target.buffer.write(target.offset, bytes),
        Work::Read { file, offset, target } => {
            file.read(*offset, target.buffer.part(target.offset, target.length)?)
        }
        Work::Write { source, file, offset } => {
            file.write(*offset, source.buffer.part(source.offset, source.length)?)
        }
        Work::Execute { .. } => unreachable!("runs of command buffers are their own drivers"),
    }
}

/// A large transfer as a command buffer, whose pieces can be spread.
fn large(device: &Device, work: Work) -> Result<Work> {
    let length = match &work {
        Work::Fill { target, .. } | Work::Copy { target, .. } => target.length,
        _ => 0,
    };
    if length <= 4 * TRANSFER_PIECE_BYTES {
        return Ok(work);
    }
    let commands = CommandBuffer::new(&device.commands, mode::ONE_SHOT);
    match work {
        Work::Fill { target, pattern, pattern_bytes } => {
            let pattern = u32::from_le_bytes(pattern).into();
            commands.fill(target.into_reference(), pattern, pattern_bytes as u32)?;
        }
        Work::Copy { source, target } => commands.copy(source.into_reference(), target.into_reference())?,
        other => return Ok(other),
    }
    commands.finalize()?;
    Ok(Work::Execute { commands, scratch: device.scratches.take() })
}

/// Submits an operation. Its arguments are checked; whatever fails later fails its fence.
///
/// Blocks: never, beyond what the operation takes if it can run at once.
///
/// # Errors
/// FAILED_PRECONDITION: it must wait, and the executor is shutting down.
pub(crate) fn submit(
    device: &Arc<Device>,
    wait: Option<&RefOf<Fence>>,
    signal: Option<RefOf<Fence>>,
    work: Work,
) -> Result {
    let work = large(device, work)?;
    let held = device.held.as_ref().and_then(|(held, until)| {
        let is_held = *held == Held::All || matches!(work, Work::Read { .. });
        is_held.then_some(until)
    });
    let readiness = wait.map_or(Readiness::Ready, |fence| fence.query());
    let operation = Operation { work, promise: Promise::new(signal) };
    match readiness {
        Readiness::Ready if held.is_none() => {
            device.counts.inline_operations.add(1);
            operation.run(device);
            Ok(())
        }
        Readiness::Failed(error) => {
            device.counts.failed_waits.add(1);
            Parked::give_up(operation, error);
            Ok(())
        }
        _ => {
            device.counts.parked_operations.add(1);
            let own = wait.map(|fence| fence.condition());
            let condition = match (own, held) {
                (Some(own), Some(held)) => Condition::All(vec![own, held.clone()]),
                (Some(one), None) => one,
                (None, Some(one)) => one.clone(),
                (None, None) => unreachable!("what waits for nothing is ready"),
            };
            park(device, operation, condition)
        }
    }
}

/// Leaves an operation to be run when the condition holds.
fn park(device: &Arc<Device>, operation: Operation, condition: Condition) -> Result {
    let fresh = || ProgramRun::new(&device.scope, Parked::default(), ());
    let mut run = device.parked.pop().unwrap_or_else(fresh);
    let parked = run.program_mut().expect("a pooled operation was not started");
    *parked = Parked { home: Some(device.clone()), operation: Some(operation), condition: Some(condition) };
    // The first step arms the wait here; what comes after runs where the wait ends.
    run.run(Priority::Normal, NEVER)
}

/// An operation that waits, as a program of the executor.
#[derive(Default)]
pub(crate) struct Parked {
    /// Not while it lies in the device's pool.
    home: Option<Arc<Device>>,
    operation: Option<Operation>,
    condition: Option<Condition>,
}

impl Parked {
    /// Ends an operation that does not run (I3).
    fn give_up(operation: Operation, error: Error) {
        let Operation { work, promise } = operation;
        drop(work);
        promise.keep(Err(error));
    }
}

impl Program for Parked {
    type Shared = ();

    fn step(&mut self, (): &(), mut cx: StepCx<'_>) -> Step {
        if let Some(condition) = self.condition.take() {
            return Step::Wait(condition, NEVER);
        }
        let (Some(device), Some(operation)) = (&self.home, self.operation.take()) else { return Step::Done };
        match cx.take_outcome().map_or(Ok(0), |outcome| outcome.into_result()) {
            Ok(_) => operation.run(device),
            Err(error) => {
                device.counts.failed_waits.add(1);
                Parked::give_up(operation, error);
            }
        }
        Step::Done
    }

    /// What was left has been dropped, and with it the promise.
    fn panicked(&mut self, (): &(), _: Error) {
        self.operation = None;
    }

    fn retire(mut spent: Spent<Parked>) {
        let parked = spent.program();
        parked.condition = None;
        let (home, operation) = (parked.home.take(), parked.operation.take());
        if let Some(operation) = operation {
            let text = "the executor ended before the operation could wait";
            Parked::give_up(operation, Error::new(Code::Cancelled, text));
        }
        if let Some(home) = home {
            home.parked.keep(spent.revive());
        }
    }
}

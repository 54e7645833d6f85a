//! `fence.*`.
//!
//! `fence.await` is the one function at which a program waits: it suspends its program, and no thread.

use super::{Builder, Hal, invalid};
use crate::device::Device;
use crate::fence::Fence;
use crate::tuning::AWAITED_MAX;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Flow, RefOf, Resume, Variadic, Wait, WaitOutcome};
use raddle_wait::{Condition, NEVER, Readiness};

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("fence.create", |_: &Hal, device: &Device, _flags: i64| Ok(Fence::create(&device.0.fences)))
        .function("fence.join", |hal: &Hal, _flags: i64, fences: Variadic<'_, Option<&RefOf<Fence>>>| {
            Ok(Fence::join(&hal.fences, fences.iter().flatten()))
        })
        .function("fence.query", |_: &Hal, fence: &Fence| Ok(query(fence)))
        .function("fence.signal", |_: &Hal, fence: &Fence| fence.signal())
        .function("fence.fail", |_: &Hal, fence: &Fence, code: u32| {
            fail(fence, code);
            Ok(())
        })
        .function("fence.await", wait)
}

/// 0, 17 (DEFERRED), or the number of the failure.
fn query(fence: &Fence) -> u32 {
    match fence.query() {
        Readiness::Ready => 0,
        Readiness::Pending => Code::Deferred.number(),
        Readiness::Failed(error) => error.code().number(),
    }
}

fn fail(fence: &Fence, code: u32) {
    const CODE_MASK: u32 = 0x1f;
    let code = Code::from_number(code & CODE_MASK).unwrap_or(Code::Unknown);
    fence.fail(&Error::new(code, "a program failed the fence"));
}

/// What an await returns when its time is up.
const DEADLINE_EXCEEDED: i32 = 4;

/// The rest of a suspended await.
struct Awaiting;

impl Resume for Awaiting {
    type Output = i32;

    fn resume(self, outcome: WaitOutcome) -> Result<Flow<i32, Awaiting>> {
        match outcome {
            WaitOutcome::TimedOut => Ok(Flow::Ready(DEADLINE_EXCEEDED)),
            other => other.into_result().map(|_| Flow::Ready(0)),
        }
    }
}

fn wait(
    hal: &Hal,
    timeout_ms: i32,
    _flags: i64,
    fences: Variadic<'_, Option<&Fence>>,
) -> Result<Flow<i32, Awaiting>> {
    hal.awaits.0.calls.add(1);
    if fences.len() > AWAITED_MAX {
        let text = format!("{} fences are awaited at once; at most {AWAITED_MAX}", fences.len());
        return Err(Error::new(Code::OutOfRange, text));
    }
    let mut is_pending = false;
    for fence in fences.iter().flatten() {
        match fence.query() {
            Readiness::Ready => {}
            Readiness::Pending => is_pending = true,
            Readiness::Failed(error) => return Err(error),
        }
    }
    if !is_pending {
        return Ok(Flow::Ready(0));
    }
    let deadline_ns = match timeout_ms {
        0 => return Ok(Flow::Ready(DEADLINE_EXCEEDED)),
        -1 => NEVER,
        ms => hal.after(ms.cast_unsigned())?,
    };
    hal.awaits.0.suspensions.add(1);
    let mut pending: Vec<_> = fences.iter().flatten().flat_map(Fence::pending).collect();
    let condition = match (pending.pop(), pending.is_empty()) {
        (Some(one), true) => Condition::Until(one),
        (Some(last), false) => Condition::all(pending.into_iter().chain([last])),
        // Reached meanwhile.
        (None, _) => return Ok(Flow::Ready(0)),
    };
    Ok(Flow::Wait(Wait { condition, deadline_ns }, Awaiting))
}

impl Hal {
    /// The moment in so many milliseconds, on the clock of the first device's executor.
    fn after(&self, ms: u32) -> Result<u64> {
        let first = self.devices.first().ok_or_else(|| invalid("there is no device"))?;
        Ok(first.0.scope.now().saturating_add(u64::from(ms) * 1_000_000))
    }
}

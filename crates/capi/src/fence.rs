//! Fences: what programs of the asynchronous interface wait for before they begin, and signal when they are done.
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible, invalid};
use crate::handle::Kind;
use crate::object::Ref;
use crate::semaphore::Semaphore;
use crate::source::Source;
use crate::status::Status;
use raddle::hal::Fence;
use raddle::wait::{Condition, Readiness};
use std::sync::Arc;

/// A fence that is reached when the semaphore of the host's has reached `value`; without a semaphore, when it is signalled. It is
/// an argument for programs of the asynchronous interface: the one that they wait for, and the one that they signal.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_create(
    semaphore: Option<&Semaphore>,
    value: u64,
    out_fence: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_fence, "out_fence")?;
        let fence = match semaphore {
            None => Fence::new(),
            Some(_) => Fence::of([Arc::clone(Semaphore::get(semaphore, "semaphore")?).at(value)]),
        };
        out.put(Ref::of(fence));
        Ok(())
    })
}

/// Reaches the fence. Nothing that waited runs inside this call.
///
/// INVALID_ARGUMENT: it was reached before; otherwise the failure of a fence that has failed.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_signal(fence: Option<&Ref>) -> *mut Status {
    fallible(|| Ref::object::<Fence>(fence, "fence")?.signal())
}

/// Fails the fence for good: what waits for it ends with a copy of `status`, which is borrowed.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_fail(fence: Option<&Ref>, status: Option<&Status>) -> *mut Status {
    fallible(|| {
        let error =
            Status::error(status)?.ok_or_else(|| invalid("`status` is null: success is no failure"))?;
        Ref::object::<Fence>(fence, "fence")?.fail(&error);
        Ok(())
    })
}

/// Whether the fence is reached; or its failure.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_query(fence: Option<&Ref>, out_is_reached: *mut bool) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_is_reached, "out_is_reached")?;
        match Ref::object::<Fence>(fence, "fence")?.query() {
            Readiness::Failed(error) => return Err(error),
            answer => out.put(answer.is_ready()),
        }
        Ok(())
    })
}

/// The fence as a wait source.
///
/// UNIMPLEMENTED: it joins several timelines.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_source(fence: Option<&Ref>, out_source: *mut *mut Source) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        let mut condition = Ref::object::<Fence>(fence, "fence")?.condition();
        if let Condition::All(parts) | Condition::Any(parts) = &mut condition
            && parts.len() == 1
        {
            condition = parts.remove(0);
        }
        match condition {
            Condition::Until(source) => out.put(Source::create(source)),
            _ => {
                return Err(raddle::Error::new(
                    raddle::Code::Unimplemented,
                    "the fence joins several timelines",
                ));
            }
        }
        Ok(())
    })
}

//! Fences: what programs of the asynchronous interface wait for before they begin, and signal when they are done.
//!
//! Not here: timelines (`semaphore.rs`), how a call gets its fences (`invocation.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Out, array, fallible, invalid};
use crate::handle::Kind;
use crate::object::Ref;
use crate::semaphore::Semaphore;
use crate::source::Source;
use crate::status::Status;
use raddle::hal::Fence;
use raddle::wait::Readiness;
use std::sync::Arc;

/// A fence that is reached when the semaphore of the host's has reached `value`; without a semaphore, when it is signalled.
/// It is an argument for programs of the asynchronous interface: the one that they wait for, and the one that they signal.
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

/// A fence that is reached when each of the host's semaphores has reached its value. Signalling it signals all of them.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_create_at(
    semaphores: *const *const Semaphore,
    values: *const u64,
    count: usize,
    out_fence: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_fence, "out_fence")?;
        let semaphores = array(semaphores, count, "semaphores")?.iter();
        let mut points = Vec::with_capacity(count);
        for (semaphore, value) in semaphores.zip(array(values, count, "values")?) {
            // SAFETY: B1.
            let semaphore = Semaphore::get(unsafe { semaphore.as_ref() }, "a semaphore")?;
            points.push(semaphore.at(*value));
        }
        out.put(Ref::of(Fence::of(points)));
        Ok(())
    })
}

/// A fence that is reached when all of these are; null ones count as reached.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_join(
    fences: *const *const Ref,
    count: usize,
    out_fence: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_fence, "out_fence")?;
        let mut points = Vec::new();
        for fence in array(fences, count, "fences")?.iter().filter(|fence| !fence.is_null()) {
            // SAFETY: B1.
            let fence = Ref::object::<Fence>(unsafe { fence.as_ref() }, "a fence")?;
            points.extend(fence.points().cloned());
        }
        out.put(Ref::of(Fence::of(points)));
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

/// The fence as a wait source, however many timelines it joins.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_fence_source(fence: Option<&Ref>, out_source: *mut *mut Source) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        out.put(Source::create(Fence::source(Ref::object_ref::<Fence>(fence, "fence")?)));
        Ok(())
    })
}

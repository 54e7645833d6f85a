//! Wakers: how a source of the host's says that it is ready.
//!
//! Not here: which wait a waker resumes; the slot decides (`raddle-wait`).
#![allow(unsafe_code)]

use crate::boundary::{fallible, infallible};
use crate::handle::{Handle, Kind, kind};
use crate::log::{self, Severity};
use crate::source::HostSource;
use crate::status::Status;
use raddle::wait::{SourceWaker, WakerId};
use raddle_sync::atomic::{AtomicBool, Ordering::*};
use std::sync::Weak;

/// Resumes one wait, once. It may be completed from any thread, late, from inside `arm`, and after the runtime is gone.
pub struct Waker(Handle<Waking>);

pub struct Waking {
    waker: SourceWaker,
    source: Weak<HostSource>,
    /// Only to warn: the slot decides.
    was_completed: AtomicBool,
}

kind!(Waker: Waking, "raddle_waker_t", b"WAKE");

impl Waker {
    pub(crate) fn new(waker: SourceWaker, source: Weak<HostSource>) -> *mut Waker {
        Waker::create(Waking { waker, source, was_completed: AtomicBool::new(false) })
    }
}

/// Names one waker, to find it again in `disarm`. Never reused while the waker lives.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WakerName {
    /// Both numbers are the name.
    pub numbers: [u64; 2],
}

impl WakerName {
    pub(crate) fn new(id: WakerId) -> WakerName {
        WakerName { numbers: id.to_numbers() }
    }
}

/// The source is ready (`status` null), or has failed for good; `status` is borrowed. Ends the wait if it still waits; says
/// whether it did. A second completion does nothing, and is told to the log hook.
///
/// Blocks never; nothing that waited runs inside this call.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_waker_complete(waker: Option<&Waker>, status: Option<&Status>) -> bool {
    const FUNCTION: &str = "raddle_waker_complete";
    infallible(FUNCTION, || {
        let waking = Waker::demand(waker, FUNCTION);
        let failure = Status::error(status).unwrap_or_else(Some);
        if waking.was_completed.swap(true, Relaxed) {
            let name = waking.source.upgrade().map_or_else(String::new, |source| source.label().to_owned());
            log::say(Severity::Warning, &format!("a waker of the source '{name}' was completed twice"));
            return false;
        }
        let Some(failure) = failure else { return waking.waker.wake() };
        let code = failure.code();
        if let Some(source) = waking.source.upgrade() {
            source.fail(failure);
        }
        waking.waker.fail(code)
    })
}

/// The name of the waker.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_waker_name(waker: Option<&Waker>, out_name: *mut WakerName) -> *mut Status {
    fallible(|| {
        let out = crate::boundary::Out::new(out_name, "out_name")?;
        out.put(WakerName::new(Waker::get(waker, "waker")?.waker.id()));
        Ok(())
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_waker_retain(waker: Option<&Waker>) {
    Waker::retain(waker, "raddle_waker_retain");
}

/// One holder less. Null is nothing. A waker that is released without having been completed leaves its wait waiting.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_waker_release(waker: Option<&Waker>) {
    Waker::release(waker, "raddle_waker_release");
}

//! Wait frames: what a suspended call waits for, to be looked into.
//!
//! Not here: the wait itself (`state.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible, infallible};
use crate::handle::{Handle, Kind, kind};
use crate::report::copy_text;
use crate::source::Source;
use crate::status::Status;
use raddle::vm::Wait;
use raddle::wait::{Condition, Elapsed, SharedSource, Until, WaitSource};
use raddle::{Code, Error, Moment, Result};
use std::ffi::c_char;
use std::sync::Arc;

/// What a suspended call waits for: a condition over sources, and a deadline.
pub struct Frame(Handle<Waits>);

pub struct Waits {
    pub(crate) wait: Wait,
    /// Of all branches, in order.
    sources: Vec<SharedSource>,
}

kind!(Frame: Waits, "raddle_wait_frame_t", b"FRAM");

impl Frame {
    pub(crate) fn of(wait: &Wait) -> *mut Frame {
        let mut sources = Vec::new();
        collect(&wait.condition, &mut sources);
        Frame::create(Waits { wait: wait.clone(), sources })
    }
}

fn collect(condition: &Condition, sources: &mut Vec<SharedSource>) {
    match condition {
        Condition::Until(source) => sources.push(source.clone()),
        Condition::At(moment) => sources.push(Arc::new(Until(*moment))),
        Condition::After(duration) => sources.push(Arc::new(Elapsed(*duration))),
        Condition::Any(parts) | Condition::All(parts) => {
            parts.iter().for_each(|part| collect(part, sources));
        }
    }
}

impl Waits {
    fn source(&self, index: usize) -> Result<&SharedSource> {
        let count = self.sources.len();
        let missing =
            || Error::new(Code::OutOfRange, format!("there is no source {index}: there are {count}"));
        self.sources.get(index).ok_or_else(missing)
    }
}

/// How the sources of the frame are waited for, a `raddle_condition_kind_t`: the outermost kind, if conditions are nested.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_wait_frame_condition(frame: Option<&Frame>) -> u32 {
    infallible("raddle_wait_frame_condition", || {
        match Frame::demand(frame, "raddle_wait_frame_condition").wait.condition {
            Condition::Until(_) | Condition::At(_) | Condition::After(_) => 0,
            Condition::Any(_) => 1,
            Condition::All(_) => 2,
        }
    })
}

/// How many sources it has, those of nested conditions included.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_wait_frame_source_count(frame: Option<&Frame>) -> usize {
    infallible("raddle_wait_frame_source_count", || {
        Frame::demand(frame, "raddle_wait_frame_source_count").sources.len()
    })
}

/// The source with this index. `raddle_source_info` tells what it is.
///
/// OUT_OF_RANGE: there is none.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_wait_frame_source(
    frame: Option<&Frame>,
    index: usize,
    out_source: *mut *mut Source,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        out.put(Source::create(Frame::get(frame, "frame")?.source(index)?.clone()));
        Ok(())
    })
}

/// Writes the name of the source with this index, with a final 0, cut to `capacity` bytes, and returns its length without
/// the 0; 0 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_wait_frame_source_name(
    frame: Option<&Frame>,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    infallible("raddle_wait_frame_source_name", || {
        let waits = Frame::demand(frame, "raddle_wait_frame_source_name");
        copy_text(waits.source(index).map_or("", |source| WaitSource::name(&**source)), buffer, capacity)
    })
}

/// The moment of the runtime's clock at which the wait gives up; `RADDLE_NEVER` for none.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_wait_frame_deadline(frame: Option<&Frame>) -> Moment {
    infallible("raddle_wait_frame_deadline", || {
        Frame::demand(frame, "raddle_wait_frame_deadline").wait.deadline_ns
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_wait_frame_retain(frame: Option<&Frame>) {
    Frame::retain(frame, "raddle_wait_frame_retain");
}

/// One holder less. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_wait_frame_release(frame: Option<&Frame>) {
    Frame::release(frame, "raddle_wait_frame_release");
}

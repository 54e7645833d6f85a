//! The native module `hal`, version 7: what compiled programs call.
//!
//! Not here: what the functions do to devices and buffers; each file of this folder has those of one object.
//!
//! References of a wrong type, and null where something is needed, are INVALID_ARGUMENT; only the fences of queue
//! operations are looked at loosely: what is no fence is none.

mod allocators;
mod buffers;
mod channels;
mod commands;
mod devices;
mod executables;
mod fences;
mod queues;
mod views;

use crate::allocator::Allocator;
use crate::buffer::Buffer;
use crate::command_buffer::CommandBuffer;
use crate::device::{Count, Device};
use crate::executable::Executable;
use crate::fence::{Fence, FencePool, TimelineObject};
use crate::file::File;
use crate::view::BufferView;
use channels::{Channel, Event};
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer as Bytes, NativeBuilder, NativeModule, RefOf};
use std::sync::Arc;

/// The version that the module says it has.
pub const MODULE_VERSION: u32 = 7;

/// How often programs called what may suspend them.
#[derive(Clone, Default)]
pub struct AwaitCounts(Arc<Awaits>);

#[derive(Default)]
struct Awaits {
    calls: Count,
    suspensions: Count,
}

impl AwaitCounts {
    /// Calls of `fence.await`.
    pub fn calls(&self) -> u64 {
        self.0.calls.get()
    }

    /// Of those, the ones that suspended their program.
    pub fn suspensions(&self) -> u64 {
        self.0.suspensions.get()
    }
}

impl std::fmt::Debug for AwaitCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AwaitCounts({} of {} suspended)", self.suspensions(), self.calls())
    }
}

/// What the functions of one context share.
pub(crate) struct Hal {
    devices: Vec<RefOf<Device>>,
    fences: Arc<FencePool>,
    awaits: AwaitCounts,
}

/// The functions of each file are added to the builder in turn.
type Builder = NativeBuilder<Hal>;

/// The module `hal` for programs that may use these devices, in order of preference.
///
/// # Errors
/// INVALID_ARGUMENT: no device.
pub fn module(devices: &[Device], awaits: &AwaitCounts) -> Result<NativeModule> {
    let Some(first) = devices.first() else {
        return Err(Error::new(Code::InvalidArgument, "the module hal needs a device"));
    };
    let fences = first.0.fences.clone();
    let devices: Vec<RefOf<Device>> = devices.iter().cloned().map(RefOf::new).collect();
    let awaits = awaits.clone();
    let state = move || Ok(Hal { devices: devices.clone(), fences: fences.clone(), awaits: awaits.clone() });
    let builder = NativeModule::with_state("hal", state)
        .version(MODULE_VERSION)
        .object::<Allocator>()
        .object::<Buffer>()
        .object::<BufferView>()
        .object::<Channel>()
        .object::<CommandBuffer>()
        .object::<Device>()
        .object::<Event>()
        .object::<Executable>()
        .object::<Fence>()
        .object::<File>()
        .object::<TimelineObject>();
    let builder = allocators::add(builder);
    let builder = buffers::add(builder);
    let builder = channels::add(builder);
    let builder = commands::add(builder);
    let builder = devices::add(builder);
    let builder = executables::add(builder);
    let builder = fences::add(builder);
    let builder = queues::add(builder);
    views::add(builder).build()
}

/// A string, as programs pass it.
fn text(bytes: &Bytes) -> Result<String> {
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::new(Code::InvalidArgument, "a string of the program is not UTF-8"))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, text.into())
}

fn unimplemented(what: &str) -> Error {
    Error::new(Code::Unimplemented, format!("{what} is not supported on devices of this processor"))
}

#[cfg(test)]
mod tests;

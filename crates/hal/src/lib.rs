//! Devices of this processor for IREE's compiled programs: buffers, fences, command buffers, executables, as operations
//! that never park a thread.
//!
//! [`module()`] makes the native module `hal` that programs import; a [`Device`] carries out what they submit.
//!
//! | you want | start at |
//! |---|---|
//! | a device for programs | [`Device::builder`], [`module()`] |
//! | tensors in and out | [`BufferView`]; as text and files: [`tensor`] |
//! | to order work, to wait for it | [`Fence`] |
//! | memory, its limit and statistics | [`Allocator`] |
//! | how often programs waited | [`AwaitCounts`], [`Device::counts`] |
//!
//! Not here: modules and their bytecode (`raddle-vm`), threads and graphs (`raddle-task`).

#![deny(unsafe_code)]

mod allocator;
mod buffer;
mod bytecode;
mod command_buffer;
mod delay;
mod device;
mod element;
mod executable;
mod execution;
mod fence;
mod file;
pub mod flags;
mod map;
mod memory;
mod module;
pub mod parameters;
mod pool;
mod queue;
pub mod tensor;
mod tuning;
mod view;

pub use allocator::{Allocator, MemoryStatistics};
pub use buffer::{Buffer, BufferParams};
pub use command_buffer::CommandBuffer;
pub use device::{Device, DeviceBuilder, DeviceCounts, Held};
pub use element::{ENCODING_DENSE, ENCODING_OPAQUE, Element, ElementType};
pub use executable::Executable;
pub use fence::{Fence, FencePool, TimelineObject};
pub use file::File;
pub use map::map_file;
pub use module::{AwaitCounts, MODULE_VERSION, module};
pub use raddle_executable::{Features, Imports, LoadOptions, NativeCode};
pub use tuning::MEMORY_ALIGN;
pub use view::{BufferView, Shape};

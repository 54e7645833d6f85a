//! Native executables of IREE's CPU backend: load, check, call.
//!
//! A [`Library`] is one loaded executable. Its [`exports`](Library::exports) are kernels; [`Library::call`] runs a claim
//! (some consecutive tiles of a grid) of one of them on the thread that calls.
//!
//! # What a user may rely on
//! - No byte of the file is executed before the whole file was checked: tables, addresses, relocations, and, unless
//!   turned off, every instruction against what this processor has.
//! - No page is ever writable and executable at once; what relocation wrote is read-only afterwards; the pages before
//!   and after the image can't be touched.
//! - Floating-point modes hold inside kernels only: neither the caller of `call` nor a host function that a kernel
//!   imports ever sees subnormals flushed.
//! - Bad files are a status, never a panic.
//!
//! # What a user may not rely on
//! Containment. A kernel runs with the rights of the process and can do whatever a program can. The checks find files
//! that are damaged or that belong to another machine, not files that are malicious. Whoever loads one says so with
//! [`NativeCode::run`], which is unsafe for this reason.
//!
//! Not here: where executables come from (module files are read by `raddle-vm`), tasks and buffers (the HAL), executables
//! of bytecode (the VM runs those).

#![deny(unsafe_code)]

mod abi;
mod cache;
mod elf;
mod features;
mod format;
mod image;
mod imports;
mod instructions;
mod kernel;
mod library;
mod load;
mod mapping;
mod memory_file;
mod options;
mod tables;
mod trampoline;
mod tuning;
mod view;

pub use cache::InstructionCache;
pub use elf::{Access, ElfFile, Machine, Relocated};
pub use features::Features;
pub use format::Format;
pub use imports::Imports;
pub use kernel::{Dispatch, Export, Worker};
pub use library::Library;
pub use options::{LoadOptions, NativeCode};

//! `hal.executable`: a library of kernels, with what calls of them have cost.
//!
//! Not here: loading machine code and calling it (`raddle-executable`), running bytecode (`bytecode`).
//!
//! # Invariants
//! - I1: the addresses of a [`Call`] are those of buffers that its run keeps, with their lengths, and its local memory is
//!   the caller's alone. (`execution.rs`, I2)
#![allow(unsafe_code)]

use crate::buffer::Buffer;
use crate::bytecode::{self, Bytecode};
use crate::command_buffer::{BufferRef, Table};
use crate::device::Inner as Device;
use crate::memory::Address;
use crate::tuning::{CONSTANTS_MAX, TIMED_ALWAYS, TIMED_ONE_IN, UNKNOWN_TILE_NS};
use raddle_executable::{Dispatch, Format, Library, Worker};
use raddle_status::{Code, Error, Result};
use raddle_sync::counter::{AtomicU64, Relaxed};
use raddle_vm::{Buffer as Bytes, Object, RefOf};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;

/// A library of kernels. Thread-safe.
pub struct Executable {
    body: Body,
    kernels: Vec<Kernel>,
    costs: Vec<Cost>,
}

/// What runs its kernels.
enum Body {
    Native(Library),
    Bytecode(Bytecode),
}

/// What a dispatch of a kernel must bring.
pub(crate) struct Kernel {
    pub(crate) name: String,
    pub(crate) constants: usize,
    pub(crate) bindings: usize,
    /// What a workgroup needs. Unit: bytes.
    pub(crate) local_bytes: usize,
}

impl Object for Executable {
    const NAME: &'static str = "hal.executable";
}

/// A call of a kernel, without its tiles; see I1.
pub(crate) struct Call<'a> {
    pub(crate) function: u32,
    pub(crate) grid: [u32; 3],
    pub(crate) constants: &'a [u32],
    pub(crate) addresses: &'a [Address],
    pub(crate) lengths: &'a [usize],
    /// Where the addresses come from.
    pub(crate) references: &'a [BufferRef],
    pub(crate) table: &'a Table,
    pub(crate) local: Option<(NonNull<u8>, usize)>,
    pub(crate) processor: u32,
    pub(crate) concurrency: usize,
}

impl Call<'_> {
    /// The buffer behind a binding.
    pub(crate) fn buffer(&self, binding: usize) -> Result<RefOf<Buffer>> {
        let reference = &self.references[binding];
        match &reference.buffer {
            Some(buffer) => Ok(buffer.clone()),
            None => reference.entry(self.table).map(|(_, buffer)| buffer.clone()),
        }
    }
}

/// What a kernel costs, as its calls so far found it. A lost update is a lost measurement.
struct Cost {
    /// Of a tile. Unit: ns.
    tile_ns: AtomicU64,
    runs: AtomicU64,
}

impl Executable {
    /// Loads an executable.
    ///
    /// # Errors
    /// NOT_FOUND: no loader for the format. INVALID_ARGUMENT: the constants are no words. Otherwise the loader's.
    pub(crate) fn load(
        device: &Device,
        format: &str,
        data: &RefOf<Bytes>,
        constants: Vec<u8>,
    ) -> Result<Executable> {
        if !constants.len().is_multiple_of(4) {
            let text = format!("{} bytes of constants, which are words of 4 bytes", constants.len());
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let (body, kernels) = if format == bytecode::FORMAT {
            let (bytecode, kernels) = Bytecode::load(device, data, constants)?;
            (Body::Bytecode(bytecode), kernels)
        } else {
            let (library, kernels) = native(device, format, data, &constants)?;
            (Body::Native(library), kernels)
        };
        let cost = || Cost { tile_ns: AtomicU64::new(UNKNOWN_TILE_NS), runs: AtomicU64::new(0) };
        let costs = kernels.iter().map(|_| cost()).collect();
        Ok(Executable { body, kernels, costs })
    }

    /// The number by which a program names a kernel.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub(crate) fn find(&self, name: &[u8]) -> Result<u64> {
        let found =
            self.kernels.iter().position(|kernel| kernel.name.as_bytes() == name).ok_or_else(|| {
                let (name, count) = (String::from_utf8_lossy(name), self.kernels.len());
                Error::new(Code::NotFound, format!("no kernel '{name}' among the {count} of the executable"))
            })?;
        Ok(found as u64)
    }

    /// The kernel with this number, if it takes so many arguments.
    ///
    /// # Errors
    /// OUT_OF_RANGE: there is none. INVALID_ARGUMENT: it takes others.
    pub(crate) fn check(&self, id: u64, constants: usize, bindings: usize) -> Result<u32> {
        let kernels = &self.kernels;
        let kernel = usize::try_from(id).ok().and_then(|index| kernels.get(index)).ok_or_else(|| {
            let count = kernels.len();
            Error::new(Code::OutOfRange, format!("kernel {id} of an executable that has {count}"))
        })?;
        let Kernel { name, constants: want_constants, bindings: want_bindings, .. } = kernel;
        if (*want_constants, *want_bindings) != (constants, bindings) || constants > CONSTANTS_MAX {
            let text = format!(
                "kernel {name} takes {want_constants} constants and {want_bindings} bindings, and is dispatched with {constants} and {bindings}",
            );
            return Err(Error::new(Code::InvalidArgument, text));
        }
        Ok(id as u32)
    }

    /// What the thread that runs a tile must lend to it. Unit: bytes.
    pub(crate) fn local_bytes(&self, function: u32) -> usize {
        match self.body {
            Body::Native(_) => self.kernels[function as usize].local_bytes,
            Body::Bytecode(_) => 0,
        }
    }

    /// What a tile is likely to take. Unit: ns.
    pub(crate) fn cost_ns(&self, function: u32) -> u64 {
        self.costs[function as usize].tile_ns.load(Relaxed)
    }

    /// Counts a dispatch; says whether it is one of those whose time is taken.
    pub(crate) fn is_to_be_timed(&self, function: u32) -> bool {
        let runs = &self.costs[function as usize].runs;
        let run = runs.load(Relaxed);
        runs.store(run + 1, Relaxed);
        run < TIMED_ALWAYS || run.is_multiple_of(TIMED_ONE_IN)
    }

    /// Learns from a measurement: quickly that tiles are cheaper, slowly that they are dearer, since what disturbs a
    /// measurement makes it longer.
    pub(crate) fn learn(&self, function: u32, took_ns: u64, tiles: u64) {
        if tiles == 0 {
            return;
        }
        let cost = &self.costs[function as usize].tile_ns;
        let (known, found) = (cost.load(Relaxed), took_ns / tiles);
        let next = if found < known { known - (known - found) / 2 } else { known + (found - known) / 8 };
        cost.store(next, Relaxed);
    }

    /// Runs tiles of a kernel on this thread.
    ///
    /// # Errors
    /// What the kernel fails with.
    pub(crate) fn run(&self, call: &Call<'_>, tiles: Range<u64>) -> Result {
        let library = match &self.body {
            Body::Native(library) => library,
            Body::Bytecode(bytecode) => {
                return bytecode.run(&self.kernels[call.function as usize], call, tiles);
            }
        };
        let bindings = call.addresses.as_ptr().cast::<*mut u8>();
        // SAFETY: an `Address` is a pointer (`repr(transparent)`), and the slice is as long.
        let bindings = unsafe { std::slice::from_raw_parts(bindings, call.addresses.len()) };
        let dispatch = Dispatch {
            grid: call.grid,
            workgroup_size: [1; 3],
            constants: call.constants,
            bindings,
            lengths: call.lengths,
            concurrency: call.concurrency,
        };
        let local_memory: &mut [MaybeUninit<u8>] = match call.local {
            // SAFETY: I1: the memory is the caller's alone.
            Some((data, bytes)) => unsafe { std::slice::from_raw_parts_mut(data.cast().as_ptr(), bytes) },
            None => &mut [],
        };
        let worker = Worker { processor: call.processor, local_memory };
        // SAFETY: I1; overlapping work is what the program's fences and barriers allow.
        unsafe { library.call(call.function as usize, &dispatch, tiles, worker) }
    }
}

/// Loads machine code.
fn native(device: &Device, format: &str, data: &Bytes, constants: &[u8]) -> Result<(Library, Vec<Kernel>)> {
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap_or_default());
    let constants: Vec<u32> = constants.chunks_exact(4).map(word).collect();
    let copied;
    let data = match data.as_constant() {
        Some(constant) => constant,
        None => {
            copied = data.to_vec();
            &copied
        }
    };
    let library = Library::load(format, data, &constants, &device.executables)?;
    let kernels = library.exports().iter().map(|export| Kernel {
        name: export.name.clone(),
        constants: export.constant_count,
        bindings: export.binding_count,
        local_bytes: export.local_memory_bytes,
    });
    let kernels = kernels.collect();
    Ok((library, kernels))
}

impl Device {
    /// Whether executables of this format can be loaded.
    pub(crate) fn takes_format(&self, format: &str) -> bool {
        let is_native = || Format::parse(format).is_some_and(Format::is_supported);
        format == bytecode::FORMAT || (self.executables.native.is_run() && is_native())
    }
}

impl fmt::Debug for Executable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Executable")?;
        f.debug_list().entries(self.kernels.iter().map(|kernel| &kernel.name)).finish()
    }
}

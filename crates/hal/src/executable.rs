//! `hal.executable`: a library of kernels, with what calls of them have cost.
//!
//! Not here: loading machine code and calling it (`raddle-executable`).
//!
//! # Invariants
//! - I1: the addresses of a [`Call`] are those of buffers that its run keeps, with their lengths, and its local memory is
//!   the caller's alone. (`execution.rs`, I2)
#![allow(unsafe_code)]

use crate::device::Inner as Device;
use crate::memory::Address;
use crate::tuning::{CONSTANTS_MAX, TIMED_ALWAYS, TIMED_ONE_IN, UNKNOWN_TILE_NS};
use raddle_executable::{Dispatch, Format, Library, Worker};
use raddle_status::{Code, Error, Result};
use raddle_sync::counter::{AtomicU64, Relaxed};
use raddle_vm::{Buffer as Bytes, Object};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;

/// A library of kernels. Thread-safe.
pub struct Executable {
    library: Library,
    costs: Vec<Cost>,
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
    pub(crate) local: Option<(NonNull<u8>, usize)>,
    pub(crate) processor: u32,
    pub(crate) concurrency: usize,
}

/// What a kernel costs, as its calls so far found it. A lost update is a lost measurement.
struct Cost {
    /// Of a tile. Unit: ns.
    tile_ns: AtomicU64,
    runs: AtomicU64,
}

impl Executable {
    /// Loads a library.
    ///
    /// # Errors
    /// NOT_FOUND: no loader for the format. INVALID_ARGUMENT: the constants are no words. Otherwise the loader's.
    pub(crate) fn load(device: &Device, format: &str, data: &Bytes, constants: &[u8]) -> Result<Executable> {
        if !constants.len().is_multiple_of(4) {
            let text = format!("{} bytes of constants, which are words of 4 bytes", constants.len());
            return Err(Error::new(Code::InvalidArgument, text));
        }
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
        let cost = || Cost { tile_ns: AtomicU64::new(UNKNOWN_TILE_NS), runs: AtomicU64::new(0) };
        let costs = library.exports().iter().map(|_| cost()).collect();
        Ok(Executable { library, costs })
    }

    /// The number by which a program names a kernel.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub(crate) fn find(&self, name: &str) -> Result<u64> {
        Ok(self.library.lookup(name)? as u64)
    }

    /// The kernel with this number, if it takes so many arguments.
    ///
    /// # Errors
    /// OUT_OF_RANGE: there is none. INVALID_ARGUMENT: it takes others.
    pub(crate) fn check(&self, id: u64, constants: usize, bindings: usize) -> Result<u32> {
        let exports = self.library.exports();
        let export = usize::try_from(id).ok().and_then(|index| exports.get(index)).ok_or_else(|| {
            Error::new(Code::OutOfRange, format!("kernel {id} of an executable that has {}", exports.len()))
        })?;
        let (name, want) = (&export.name, (export.constant_count, export.binding_count));
        if want != (constants, bindings) || constants > CONSTANTS_MAX {
            let text = format!(
                "kernel {name} takes {} constants and {} bindings, and is dispatched with {constants} and {bindings}",
                want.0, want.1
            );
            return Err(Error::new(Code::InvalidArgument, text));
        }
        Ok(id as u32)
    }

    /// What a tile needs. Unit: bytes.
    pub(crate) fn local_bytes(&self, function: u32) -> usize {
        self.library.exports()[function as usize].local_memory_bytes
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
        unsafe { self.library.call(call.function as usize, &dispatch, tiles, worker) }
    }
}

impl Device {
    /// Whether executables of this format can be loaded.
    pub(crate) fn takes_format(&self, format: &str) -> bool {
        self.executables.native.is_run() && Format::parse(format).is_some_and(Format::is_supported)
    }
}

impl fmt::Debug for Executable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Executable({:?})", self.library)
    }
}

//! A loaded executable, and calls of its kernels.
//!
//! Not here: how it is loaded (`load.rs`); the loop over workgroups (`trampoline`).
//!
//! # Invariants
//! - I1: every export's address is code of the image. (T1 of `tables.rs`)
//! - I2: `environment` and what it points at live as long as `image`, and nobody changes them after `load`. (by
//!   construction: all are fields of `Loaded`)
//! - I3: the image's code may be called: whoever loaded it vouched for it. (`NativeCode::run`)

#![allow(unsafe_code)]

use crate::abi::{Kernel, WorkgroupState};
use crate::elf::bytes::invalid;
use crate::format::Format;
use crate::imports::take_failure;
use crate::kernel::{Dispatch, Export, Worker};
use crate::load::{Loaded, Request, embedded, system};
use crate::options::LoadOptions;
use crate::trampoline::{self, Claim};
use raddle_status::{Code, Error, Result, ResultExt};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

/// A native executable that was loaded and checked. Cloning is cheap; the last clone unloads it.
#[derive(Clone)]
pub struct Library {
    inner: Arc<Inner>,
}

struct Inner(Loaded);

// SAFETY: I2: what the pointers of the environment lead to is never changed; kernels may run on any thread.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Library {
    /// Loads an executable, with the values of its executable-level constants. Runs code of the file, after all checks.
    ///
    /// # Errors
    /// - PERMISSION_DENIED: native code was not opted into; the file wants memory that is writable and executable, or its
    ///   code relocated; the system refuses executable memory.
    /// - NOT_FOUND: the format is not one of this crate; the file is no executable; an import is missing.
    /// - INCOMPATIBLE: it is for another machine or another version of the library interface.
    /// - INVALID_ARGUMENT: the file is damaged. UNIMPLEMENTED, UNAVAILABLE: it needs what a loader here does not do.
    /// - FAILED_PRECONDITION: another number of constants than the library's.
    pub fn load(format: &str, data: &[u8], constants: &[u32], options: &LoadOptions) -> Result<Library> {
        if !options.native.is_run() {
            return Err(Error::new(
                Code::PermissionDenied,
                format!(
                    "native code is refused here, and '{format}' is native code: allow it, or compile for vmvx"
                ),
            ));
        }
        let Some(kind) = Format::parse(format) else {
            return Err(Error::new(Code::NotFound, format!("'{format}' is no format of native executables")));
        };
        let loaded = match kind {
            Format::EmbeddedElf(machine) => embedded(&Request { data, machine, constants, options }),
            Format::SystemElf(machine) => system(&Request { data, machine, constants, options }),
        };
        let loaded = loaded.within(|| format!("in an executable of format '{format}'"))?;
        Ok(Library { inner: Arc::new(Inner(loaded)) })
    }

    /// Its kernels, in the file's order. The position in this slice is what [`call`](Library::call) takes.
    pub fn exports(&self) -> &[Export] {
        &self.inner.0.tables.exports
    }

    /// The kernel of this name.
    ///
    /// # Errors
    /// NOT_FOUND if there is none.
    pub fn lookup(&self, name: &str) -> Result<usize> {
        self.exports().iter().position(|export| export.name == name).ok_or_else(|| {
            let count = self.exports().len();
            Error::new(Code::NotFound, format!("no kernel '{name}' among the {count} of the executable"))
        })
    }

    /// Runs workgroups `tiles` (x fastest) of one kernel on this thread, one after the other.
    ///
    /// Blocks while they run; they need up to 32 KiB of stack and some frames: a thread should have 128 KiB. May be
    /// called on any number of threads at once, for parts of one dispatch too. An empty range does nothing.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the arguments are not what the export wants or a binding is not 64-byte aligned; OUT_OF_RANGE if
    /// `tiles` leaves the grid; RESOURCE_EXHAUSTED for too little local memory; otherwise what the kernel failed with,
    /// INTERNAL, or the error of a host function that it called.
    ///
    /// # Safety
    /// Each binding is memory of its length that may be read and, where the kernel writes, written, for the time of the
    /// call; other workgroups, threads or calls touch it only as the program that the kernel was compiled from allows.
    ///
    /// # Panics
    /// If `export` is no position in [`exports`](Library::exports).
    pub unsafe fn call(
        &self,
        export: usize,
        dispatch: &Dispatch<'_>,
        tiles: Range<u64>,
        worker: Worker<'_>,
    ) -> Result {
        let export = &self.inner.0.tables.exports[export];
        let count = dispatch.tile_count()?;
        if tiles.start >= tiles.end {
            return Ok(());
        }
        if tiles.end > count {
            let text = format!("workgroups {tiles:?} of kernel {}: the grid has {count}", export.name);
            return Err(Error::new(Code::OutOfRange, text));
        }
        let state = dispatch.state(export)?;
        check_alignment(export, dispatch)?;
        let local_memory = local_memory(export, worker.local_memory)?;
        let [x, y, z] = dispatch.position(tiles.start);
        let mut claim = Claim {
            workgroup: WorkgroupState {
                x,
                y,
                z: z as u16,
                reserved: 0,
                processor: worker.processor,
                local_memory: local_memory.0.cast(),
                local_memory_bytes: local_memory.1,
            },
            kernel: self.kernel(export),
            environment: &*self.inner.0.environment,
            dispatch: &state,
            remaining: tiles.end - tiles.start,
            count_x: dispatch.grid[0],
            count_y: dispatch.grid[1],
            host_modes: 0,
        };
        let calls_host = !self.inner.0.imports.is_empty();
        if calls_host {
            take_failure();
        }
        // SAFETY: I1 and I2: kernel and environment; the caller's promise: the bindings; `tiles` lies in the grid.
        match unsafe { trampoline::run(&mut claim) } {
            0 => Ok(()),
            status => Err(failure(export, &claim, status, calls_host)),
        }
    }

    fn kernel(&self, export: &Export) -> Kernel {
        let address = std::ptr::with_exposed_provenance::<()>(export.address);
        // SAFETY: I1 and I3: the address of a workgroup function of the library.
        unsafe { std::mem::transmute::<*const (), Kernel>(address) }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.exports().iter().map(|export| &export.name)).finish()
    }
}

#[cold]
fn failure(export: &Export, claim: &Claim, status: u32, calls_host: bool) -> Error {
    let WorkgroupState { x, y, z, .. } = claim.workgroup;
    let place = format!("kernel {}, workgroup ({x}, {y}, {z})", export.name);
    match take_failure().filter(|_| calls_host) {
        Some(error) => error.within(format!("in a host function called by {place}")),
        None => Error::new(Code::Internal, format!("{place} failed with status {status}")),
    }
}

/// What vector instructions of kernels rely on. Unit: bytes.
const BINDING_ALIGNMENT: usize = 64;

fn check_alignment(export: &Export, dispatch: &Dispatch<'_>) -> Result {
    let bits = dispatch.bindings.iter().fold(0, |bits, pointer| bits | pointer.addr());
    if bits.is_multiple_of(BINDING_ALIGNMENT) {
        return Ok(());
    }
    let which =
        dispatch.bindings.iter().position(|pointer| !pointer.addr().is_multiple_of(BINDING_ALIGNMENT));
    Err(Error::new(
        Code::InvalidArgument,
        format!(
            "binding {} of kernel {} is at {:?}; kernels need multiples of {BINDING_ALIGNMENT}",
            which.unwrap_or_default(),
            export.name,
            dispatch.bindings[which.unwrap_or_default()],
        ),
    ))
}

/// Address and size as kernels are given them: nothing where nothing is wanted.
fn local_memory(export: &Export, have: &mut [MaybeUninit<u8>]) -> Result<(*mut u8, u32)> {
    let want = export.local_memory_bytes;
    if want == 0 {
        return Ok((std::ptr::null_mut(), 0));
    }
    if have.len() < want {
        let text = format!(
            "kernel {} needs {want} bytes of local memory, the worker has {}",
            export.name,
            have.len()
        );
        return Err(Error::new(Code::ResourceExhausted, text));
    }
    if !have.as_ptr().addr().is_multiple_of(BINDING_ALIGNMENT) {
        return Err(invalid(format!("local memory is not {BINDING_ALIGNMENT}-byte aligned")));
    }
    Ok((have.as_mut_ptr().cast(), u32::try_from(have.len()).unwrap_or(u32::MAX)))
}

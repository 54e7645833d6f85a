//! A loaded executable: its tables, read once, and calls of its kernels.
//!
//! Not here: the file's headers and relocations (`elf`); memory (`mapping.rs`).
//!
//! # Invariants
//! - I1: everything that was read from the library's tables was checked to lie in its image, and every export's address
//!   to be code of it. (`read_exports`)
//! - I2: `environment` and what it points at live as long as `image`, and nobody changes them after `load`. (by
//!   construction: all are fields of `Inner`)
//! - I3: the image's code may be called: whoever loaded it vouched for it. (`NativeCode::run`)

#![allow(unsafe_code)]

use crate::abi::{self, Environment, Kernel, Query, WorkgroupState};
use crate::elf::bytes::invalid;
use crate::elf::{Access, ElfFile, Machine};
use crate::format::Format;
use crate::image::{Fields, Image, Keep};
use crate::kernel::{Dispatch, Export, Worker};
use crate::mapping::Mapping;
use crate::options::LoadOptions;
use crate::trampoline::{self, Claim};
use crate::tuning::EXPORTS_MAX;
use raddle_status::{Code, Error, Result, ResultExt};
use std::fmt;
use std::ops::Range;
use std::ptr::null;
use std::sync::Arc;

/// A native executable that was loaded and checked. Cloning is cheap; the last clone unloads it.
#[derive(Clone)]
pub struct Library {
    inner: Arc<Inner>,
}

struct Inner {
    exports: Vec<Export>,
    environment: Environment,
    /// What `environment` points at.
    #[allow(dead_code)] // Held, never looked at.
    constants: Box<[u32]>,
    /// Last: the kernels' code.
    #[allow(dead_code)] // Held, never looked at.
    image: Image,
}

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
        let load = || match kind {
            Format::EmbeddedElf(machine) => load_embedded(machine, data, constants),
            Format::SystemElf(_) => Err(Error::new(Code::Unimplemented, "system ELF")),
        };
        load().within(|| format!("in an executable of format '{format}'"))
    }

    /// Its kernels, in the file's order. The position in this slice is what [`call`](Library::call) takes.
    pub fn exports(&self) -> &[Export] {
        &self.inner.exports
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
        let export = &self.inner.exports[export];
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
            environment: &self.inner.environment,
            dispatch: &state,
            remaining: tiles.end - tiles.start,
            count_x: dispatch.grid[0],
            count_y: dispatch.grid[1],
            host_modes: 0,
        };
        // SAFETY: I1 and I2: kernel and environment; the caller's promise: the bindings; `tiles` lies in the grid.
        match unsafe { trampoline::run(&mut claim) } {
            0 => Ok(()),
            status => Err(failure(export, &claim, status)),
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
fn failure(export: &Export, claim: &Claim, status: u32) -> Error {
    let WorkgroupState { x, y, z, .. } = claim.workgroup;
    Error::new(
        Code::Internal,
        format!("kernel {} failed with status {status} in workgroup ({x}, {y}, {z})", export.name),
    )
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
fn local_memory(export: &Export, have: &mut [std::mem::MaybeUninit<u8>]) -> Result<(*mut u8, u32)> {
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

fn load_embedded(machine: Machine, data: &[u8], constants: &[u32]) -> Result<Library> {
    let file = ElfFile::parse(data)?;
    if file.machine != machine || Some(machine) != Machine::HOST {
        let text = format!(
            "the file is for {:?}, the format names {machine:?}, this machine is {:?}",
            file.machine,
            Machine::HOST
        );
        return Err(Error::new(Code::Incompatible, text));
    }
    let mut mapping = Mapping::reserve(file.image_bytes())?;
    let base = mapping.address();
    let image = &mut mapping.writable()[..file.image_bytes()];
    let relocated = file.relocate_into(image, base)?;
    let query = relocated.function(&file, image, abi::QUERY_SYMBOL)?;
    let mapping = mapping.protect(&file)?;
    let here = |address: u64| base + (address - file.span().start);
    let parts: Vec<(Range<u64>, Access)> =
        file.segments.iter().map(|part| (here(part.address)..here(part.end()), part.access)).collect();
    // SAFETY: `protect` gave these ranges these rights; the mapping keeps them.
    let image = unsafe { Image::new(parts, Keep::Mapped(mapping)) };
    for &initialiser in &relocated.initialisers {
        let address = std::ptr::with_exposed_provenance::<()>(here(initialiser) as usize);
        // SAFETY: I3; the address is code of the image (`relocate_into`).
        let function = unsafe { std::mem::transmute::<*const (), unsafe extern "C" fn()>(address) };
        // SAFETY: as above.
        unsafe { function() };
    }
    finish(image, here(query), constants)
}

/// Asks the library for its tables and reads them.
fn finish(image: Image, query: u64, constants: &[u32]) -> Result<Library> {
    let constants: Box<[u32]> = constants.into();
    let environment = Environment {
        constants: if constants.is_empty() { null() } else { constants.as_ptr() },
        import_thunk: Some(trampoline::IMPORT),
        import_functions: null(),
        import_contexts: null(),
        processor: [0; 8],
    };
    let function = std::ptr::with_exposed_provenance::<()>(query as usize);
    // SAFETY: I3; the caller found the query function at this address of the image.
    let function = unsafe { std::mem::transmute::<*const (), Query>(function) };
    // SAFETY: as above; the environment is complete.
    let library = unsafe { function(abi::VERSION, &environment) }.expose_provenance() as u64;
    if library == 0 {
        let text = format!(
            "the library has no interface of version {}: compile it with iree-compile 3.13",
            abi::VERSION
        );
        return Err(Error::new(Code::Incompatible, text));
    }
    let fields = Fields(image.bytes(library, abi::library::BYTES, "library")?);
    check_header(&image, fields.u64(abi::library::HEADER))?;
    let wanted = fields.u32(abi::library::CONSTANT_COUNT) as usize;
    if wanted != constants.len() {
        let text = format!("the library has {wanted} constants and is given {}", constants.len());
        return Err(Error::new(Code::FailedPrecondition, text));
    }
    if fields.u32(abi::library::IMPORT_COUNT) != 0 {
        let symbols = fields.u64(abi::library::IMPORT_SYMBOLS);
        let name = image.text(image.pointer(symbols, 0, "import table")?, "name of an import")?;
        return Err(Error::new(Code::NotFound, format!("the import '{name}' is not provided")));
    }
    let exports = read_exports(&image, &fields)?;
    Ok(Library { inner: Arc::new(Inner { exports, environment, constants, image }) })
}

fn check_header(image: &Image, header: u64) -> Result {
    let fields = Fields(image.bytes(header, abi::header::BYTES, "library header")?);
    let version = fields.u32(abi::header::VERSION);
    if version != abi::VERSION {
        let text = format!("the library's interface has version {version}; {} is known here", abi::VERSION);
        return Err(Error::new(Code::Incompatible, text));
    }
    match fields.u32(abi::header::SANITIZER) {
        0 => Ok(()),
        kind => {
            let text = format!(
                "the library was compiled for sanitizer {kind}, which this process does not run under"
            );
            Err(Error::new(Code::Unavailable, text))
        }
    }
}

/// I1.
fn read_exports(image: &Image, library: &Fields<'_>) -> Result<Vec<Export>> {
    let count = library.u32(abi::library::EXPORT_COUNT) as usize;
    if count > EXPORTS_MAX {
        return Err(invalid(format!("the library promises {count} kernels; at most {EXPORTS_MAX}")));
    }
    let functions = library.u64(abi::library::EXPORT_FUNCTIONS);
    let attributes = library.u64(abi::library::EXPORT_ATTRIBUTES);
    let names = library.u64(abi::library::EXPORT_NAMES);
    // Before anything is reserved for so many.
    image.bytes(functions, 8 * count as u64, "table of kernels")?;
    let mut exports = Vec::with_capacity(count);
    for index in 0..count {
        let name = image.text(image.pointer(names, index, "table of names")?, "name of a kernel")?;
        let address = image.pointer(functions, index, "table of kernels")?;
        if !image.is_code(address) {
            return Err(invalid(format!("kernel {name} at {address:#x} is no code of the image")));
        }
        let mut export = Export {
            name,
            constant_count: 0,
            binding_count: 0,
            local_memory_bytes: 0,
            workgroup_size: [1; 3],
            is_size_dynamic: false,
            is_sequential: false,
            address: address as usize,
        };
        if attributes != 0 {
            let row = attributes.saturating_add(abi::attributes::BYTES * index as u64);
            read_attributes(&mut export, &Fields(image.bytes(row, abi::attributes::BYTES, "attributes")?))?;
        }
        exports.push(export);
    }
    Ok(exports)
}

fn read_attributes(export: &mut Export, fields: &Fields<'_>) -> Result {
    let flags = fields.u64(abi::attributes::FLAGS);
    export.is_sequential = flags & abi::attributes::SEQUENTIAL != 0;
    export.is_size_dynamic = flags & abi::attributes::WORKGROUP_SIZE_DYNAMIC != 0;
    export.local_memory_bytes =
        usize::from(fields.u16(abi::attributes::LOCAL_MEMORY_PAGES)) * abi::LOCAL_MEMORY_PAGE_BYTES;
    export.constant_count = usize::from(fields.u8(abi::attributes::CONSTANT_COUNT));
    export.binding_count = usize::from(fields.u8(abi::attributes::BINDING_COUNT));
    export.workgroup_size = [
        fields.u32(abi::attributes::WORKGROUP_SIZE_X),
        fields.u32(abi::attributes::WORKGROUP_SIZE_Y),
        u32::from(fields.u16(abi::attributes::WORKGROUP_SIZE_Z)),
    ];
    let most = export.constant_count.max(export.binding_count);
    if most > abi::DISPATCH_ARGUMENTS_MAX {
        let max = abi::DISPATCH_ARGUMENTS_MAX;
        return Err(invalid(format!(
            "kernel {} wants {most} constants or bindings; at most {max}",
            export.name
        )));
    }
    Ok(())
}

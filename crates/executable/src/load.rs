//! From bytes to a library: parse, relocate, survey the instructions, protect, and only then run what must be run.
//!
//! # Invariants
//! - I1: no code of a file runs before `check_instructions` has passed (or was turned off), its image is protected, and
//!   its tables were found to lie where they may. (the order in `embedded` and `system`)
//! - I2: whoever loads a file vouched for its code. (`NativeCode::run`; `Library::load` asks)

#![allow(unsafe_code)]

use crate::abi::{self, Environment, Query};
use crate::elf::{Access, ElfFile, Loader, Machine};
use crate::image::{Image, Keep};
use crate::imports::Resolved;
use crate::instructions::{Piece, survey};
use crate::mapping::Mapping;
use crate::memory_file::memory_file;
use crate::options::LoadOptions;
use crate::tables::Tables;
use crate::trampoline;
use crate::view::View;
use libloading::os::unix;
use raddle_status::{Code, Error, Result};
use std::ffi::c_void;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::null;

/// A library in memory, and what it is called with.
pub(crate) struct Loaded {
    pub(crate) tables: Tables,
    pub(crate) environment: Box<Environment>,
    /// What `environment` points at.
    #[allow(dead_code)] // Held, never looked at.
    pub(crate) constants: Box<[u32]>,
    /// As above.
    pub(crate) imports: Resolved,
    /// The kernels' code.
    #[allow(dead_code)] // Held, never looked at.
    pub(crate) image: Image,
}

/// What is to be loaded.
pub(crate) struct Request<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) machine: Machine,
    pub(crate) constants: &'a [u32],
    pub(crate) options: &'a LoadOptions,
}

/// Names of functions of the file, by address.
type Names = Vec<(u64, String)>;

/// An image that this crate relocates and maps.
pub(crate) fn embedded(request: &Request<'_>) -> Result<Loaded> {
    let file = parse(request, Loader::Own)?;
    let mut mapping = Mapping::reserve(file.image_bytes())?;
    let base = mapping.address();
    let first = file.span().start;
    let bytes = &mut mapping.writable()[..file.image_bytes()];
    let relocated = file.relocate_into(bytes, base)?;
    let query = relocated.function(&file, bytes, abi::QUERY_SYMBOL)?;
    let here = |address: u64| base + (address - first);
    check_instructions(request, &file, || {
        let guess = Tables::guess(&View::of_image(&file, bytes, base), here(query));
        let exports = guess.map(|tables| tables.exports).unwrap_or_default();
        exports.into_iter().map(|export| (export.address as u64 - base + first, export.name)).collect()
    })?;
    let mapping = mapping.protect(&file)?;
    let parts = parts(&file, base);
    // SAFETY: `protect` gave these ranges these rights; the mapping keeps them.
    let image = unsafe { Image::new(parts, Keep::Mapped(mapping)) };
    for &initialiser in &relocated.initialisers {
        let address = std::ptr::with_exposed_provenance::<()>(here(initialiser) as usize);
        // SAFETY: I2; the address is code of the image (`relocate_into`).
        let function = unsafe { std::mem::transmute::<*const (), unsafe extern "C" fn()>(address) };
        // SAFETY: I1 and I2.
        unsafe { function() };
    }
    finish(request, image, here(query))
}

/// A shared object that the system's loader maps, from a file in memory.
pub(crate) fn system(request: &Request<'_>) -> Result<Loaded> {
    let file = parse(request, Loader::System)?;
    check_instructions(request, &file, Vec::new)?;
    // Kernels call mathematical functions without saying where they are. Where there is no such file, they are in libc.
    // SAFETY: the system's own library.
    let math = unsafe { unix::Library::open(Some("libm.so.6"), unix::RTLD_NOW | unix::RTLD_GLOBAL) }.ok();
    let memory = memory_file(request.data)?;
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let flags = unix::RTLD_NOW | unix::RTLD_LOCAL;
    let unavailable = |error: libloading::Error| {
        Error::new(Code::Unavailable, format!("the system's loader refuses the shared object: {error}"))
    };
    // SAFETY: I1 and I2.
    let library = unsafe { unix::Library::open(Some(path), flags) }.map_err(unavailable)?;
    // SAFETY: the symbol is used as an address only.
    let query = unsafe { library.get::<*const c_void>(abi::QUERY_SYMBOL.as_bytes()) }
        .map_err(|error| Error::new(Code::NotFound, format!("this is no executable of IREE: {error}")))?
        .into_raw();
    let base = base_of(query.cast_const())?;
    // SAFETY: the loader has mapped the file's segments from `base` on, and the library keeps them.
    let image = unsafe { Image::new(parts(&file, base), Keep::System { library, math, file: memory }) };
    finish(request, image, query.expose_provenance() as u64)
}

fn parse<'a>(request: &Request<'a>, loader: Loader) -> Result<ElfFile<'a>> {
    let file = ElfFile::parse_for(request.data, loader)?;
    if file.machine != request.machine || Some(file.machine) != Machine::HOST {
        let (is, named, host) = (file.machine, request.machine, Machine::HOST);
        let text = format!("the file is for {is:?}, its format names {named:?}, this machine is {host:?}");
        return Err(Error::new(Code::Incompatible, text));
    }
    Ok(file)
}

/// The file's segments in an image that begins at `base`.
fn parts(file: &ElfFile<'_>, base: u64) -> Vec<(Range<u64>, Access)> {
    let here = |address: u64| base + (address - file.span().start);
    file.segments.iter().map(|part| (here(part.address)..here(part.end()), part.access)).collect()
}

/// Where the system's loader put the object that this address is in.
fn base_of(address: *const c_void) -> Result<u64> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `info` is writable.
    let is_found = unsafe { libc::dladdr(address, info.as_mut_ptr()) };
    // SAFETY: all zeroes are a value of this structure too.
    let info = unsafe { info.assume_init() };
    if is_found == 0 || info.dli_fbase.is_null() {
        return Err(Error::new(
            Code::Internal,
            "the system's loader does not know the object that it loaded",
        ));
    }
    Ok(info.dli_fbase.expose_provenance() as u64)
}

/// Compares the file's instructions with the processor. `names` is asked only if one is missing.
fn check_instructions(request: &Request<'_>, file: &ElfFile<'_>, names: impl FnOnce() -> Names) -> Result {
    let options = request.options;
    if !options.check_instructions || file.machine != Machine::X86_64 {
        return Ok(());
    }
    let needs = options.cache.get(request.data, || {
        let pieces = file.code().into_iter().map(|(address, bytes)| Piece { address, bytes });
        survey(&pieces.collect::<Vec<_>>())
    });
    needs.check(options.features, |address| {
        let mut names = names();
        names.extend(file.function_names());
        let before = names.into_iter().filter(|(start, _)| *start <= address);
        before.max_by_key(|(start, _)| *start).map(|(_, name)| name)
    })
}

/// Asks the library for its tables, reads them, and gives it what it asks for.
fn finish(request: &Request<'_>, image: Image, query: u64) -> Result<Loaded> {
    let constants: Box<[u32]> = request.constants.into();
    let mut environment = Box::new(Environment {
        constants: if constants.is_empty() { null() } else { constants.as_ptr() },
        import_thunk: Some(trampoline::IMPORT),
        import_functions: null(),
        import_contexts: null(),
        processor: request.options.features.processor_data(),
    });
    let function = std::ptr::with_exposed_provenance::<()>(query as usize);
    // SAFETY: I2; the caller found the query function at this address of the image.
    let function = unsafe { std::mem::transmute::<*const (), Query>(function) };
    // SAFETY: I1 and I2; the environment is complete but for imports, which this function does not call.
    let library = unsafe { function(abi::VERSION, &*environment) }.expose_provenance() as u64;
    if library == 0 {
        let text = format!(
            "the library lacks interface version {}: compile it with iree-compile 3.13",
            abi::VERSION
        );
        return Err(Error::new(Code::Incompatible, text));
    }
    // SAFETY: no kernel runs yet.
    let tables = Tables::read(&unsafe { image.view() }, library)?;
    if tables.constant_count != constants.len() {
        let text =
            format!("the library has {} constants and is given {}", tables.constant_count, constants.len());
        return Err(Error::new(Code::FailedPrecondition, text));
    }
    let imports = request.options.imports.resolve(&tables.imports)?;
    environment.import_functions = imports.addresses.as_ptr();
    environment.import_contexts = imports.contexts.as_ptr();
    Ok(Loaded { tables, environment, constants, imports, image })
}

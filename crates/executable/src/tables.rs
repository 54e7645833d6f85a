//! What a library says about itself: read from its image, every address checked.
//!
//! # Invariants
//! - T1: every export's address is code of the image, and it wants at most 64 constants and bindings. (`read_export`)

use crate::abi;
use crate::elf::bytes::invalid;
use crate::kernel::Export;
use crate::tuning::{EXPORTS_MAX, IMPORTS_MAX};
use crate::view::{Fields, View};
use iced_x86::{Decoder, DecoderOptions, Mnemonic, Register};
use raddle_status::{Code, Error, Result};

/// A library's tables.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) exports: Vec<Export>,
    /// Names of host functions; one that begins with '?' may be missing.
    pub(crate) imports: Vec<String>,
    pub(crate) constant_count: usize,
}

impl Tables {
    /// Reads the library at this address.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for addresses outside the image and numbers out of bounds; INCOMPATIBLE for another version;
    /// UNAVAILABLE for a library that needs a sanitizer's runtime.
    pub(crate) fn read(view: &View<'_>, library: u64) -> Result<Tables> {
        let fields = Fields(view.bytes(library, abi::library::BYTES, "library")?);
        check_header(view, fields.u64(abi::library::HEADER))?;
        Ok(Tables {
            exports: read_exports(view, fields)?,
            imports: read_imports(view, fields)?,
            constant_count: fields.u32(abi::library::CONSTANT_COUNT) as usize,
        })
    }

    /// The exports' addresses and names, found without running the query function: what it returns is an address that
    /// it loads. Nothing if it is not of the usual form.
    pub(crate) fn guess(view: &View<'_>, query: u64) -> Option<Tables> {
        const QUERY_BYTES_MAX: u64 = 64;
        let have = (1..=QUERY_BYTES_MAX).rev().find(|&bytes| view.bytes(query, bytes, "query").is_ok())?;
        let code = view.bytes(query, have, "query").ok()?;
        let decoder = Decoder::with_ip(64, code, query, DecoderOptions::NONE);
        let mut loads = decoder.into_iter().take_while(|instruction| instruction.mnemonic() != Mnemonic::Ret);
        let load = loads.find(|instruction| {
            instruction.mnemonic() == Mnemonic::Lea && instruction.memory_base() == Register::RIP
        })?;
        Tables::read(view, load.memory_displacement64()).ok()
    }
}

fn check_header(view: &View<'_>, header: u64) -> Result {
    let fields = Fields(view.bytes(header, abi::header::BYTES, "library header")?);
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

fn read_exports(view: &View<'_>, library: Fields<'_>) -> Result<Vec<Export>> {
    let count = library.u32(abi::library::EXPORT_COUNT) as usize;
    if count > EXPORTS_MAX {
        return Err(invalid(format!("the library promises {count} kernels; at most {EXPORTS_MAX}")));
    }
    if count > 0 {
        // Before anything is reserved for so many.
        view.bytes(library.u64(abi::library::EXPORT_FUNCTIONS), 8 * count as u64, "table of kernels")?;
    }
    (0..count).map(|index| read_export(view, library, index)).collect()
}

/// T1.
fn read_export(view: &View<'_>, library: Fields<'_>, index: usize) -> Result<Export> {
    let field = |at| library.u64(at);
    let name = view.pointer(field(abi::library::EXPORT_NAMES), index, "table of kernel names")?;
    let name = view.text(name, "name of a kernel")?;
    let address = view.pointer(field(abi::library::EXPORT_FUNCTIONS), index, "table of kernels")?;
    if !view.is_code(address) {
        return Err(invalid(format!("kernel {name} at {address:#x} is no code of the image")));
    }
    let mut export = Export {
        name: name.to_owned(),
        constant_count: 0,
        binding_count: 0,
        local_memory_bytes: 0,
        workgroup_size: [1; 3],
        is_size_dynamic: false,
        is_sequential: false,
        address: address as usize,
    };
    let attributes = field(abi::library::EXPORT_ATTRIBUTES);
    if attributes != 0 {
        let row = attributes.saturating_add(abi::attributes::BYTES * index as u64);
        let fields = Fields(view.bytes(row, abi::attributes::BYTES, "attributes of a kernel")?);
        read_attributes(&mut export, fields)?;
    }
    Ok(export)
}

fn read_attributes(export: &mut Export, fields: Fields<'_>) -> Result {
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

fn read_imports(view: &View<'_>, library: Fields<'_>) -> Result<Vec<String>> {
    let count = library.u32(abi::library::IMPORT_COUNT) as usize;
    if count > IMPORTS_MAX {
        return Err(invalid(format!("the library wants {count} imports; at most {IMPORTS_MAX}")));
    }
    let symbols = library.u64(abi::library::IMPORT_SYMBOLS);
    let name = |index| {
        let name = view.pointer(symbols, index, "table of imports")?;
        view.text(name, "name of an import").map(str::to_owned)
    };
    (0..count).map(name).collect()
}

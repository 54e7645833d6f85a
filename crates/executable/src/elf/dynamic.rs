//! The dynamic section: where the tables of symbols and relocations are, and what must run first.
//!
//! Not here: applying relocations (`relocate.rs`).
//!
//! # Invariants
//! - D1: the section ends with a null entry before its bytes do. (`read`)
//! - D2: every table lies in one segment of the file, and its size is a multiple of its row's. (`table`)

use super::bytes::{denied, invalid, u32_at, u64_at, unimplemented};
use super::file::ElfFile;
use raddle_status::{Code, Error, Result};
use std::ops::Range;

const ENTRY_BYTES: usize = 16;
pub(super) const SYMBOL_BYTES: usize = 24;
pub(super) const RELA_BYTES: usize = 24;

const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_PLTRELSZ: u64 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_RELAENT: u64 = 9;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_INIT: u64 = 12;
const DT_FINI: u64 = 13;
const DT_REL: u64 = 17;
const DT_PLTREL: u64 = 20;
const DT_TEXTREL: u64 = 22;
const DT_JMPREL: u64 = 23;
const DT_INIT_ARRAY: u64 = 25;
const DT_FINI_ARRAY: u64 = 26;
const DT_INIT_ARRAYSZ: u64 = 27;
const DT_FINI_ARRAYSZ: u64 = 28;
const DT_FLAGS: u64 = 30;
const DT_PREINIT_ARRAY: u64 = 32;
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;
const DF_TEXTREL: u64 = 4;

/// A symbol that the image defines, or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol<'a> {
    pub(super) name: &'a str,
    pub(super) address: u64,
    pub(super) is_defined: bool,
    pub(super) is_weak: bool,
}

/// Where the tables are. Ranges are offsets into the image.
#[derive(Clone, Debug, Default)]
pub(super) struct Dynamic {
    pub(super) relocations: Vec<Range<usize>>,
    symbols: Range<usize>,
    strings: Range<usize>,
    pub(super) init: Option<u64>,
    pub(super) init_array: Range<usize>,
}

/// Tags below this are looked at.
const TAGS: usize = 40;

/// The last value of each tag that matters.
struct Tags([Option<u64>; TAGS]);

impl Tags {
    fn get(&self, tag: u64) -> Option<u64> {
        self.0[tag as usize]
    }

    /// A table given by two tags: address, and size in bytes.
    fn table(&self, address: u64, bytes: u64, what: &str) -> Result<Option<(u64, u64)>> {
        match (self.get(address), self.get(bytes)) {
            (None, None | Some(0)) => Ok(None),
            (Some(_), Some(0)) => Ok(None),
            (Some(address), Some(bytes)) => Ok(Some((address, bytes))),
            (..) => Err(invalid(format!("{what} have an address or a size, not both"))),
        }
    }
}

impl Dynamic {
    /// Reads the section from an image that holds the file's segments.
    pub(super) fn read(file: &ElfFile<'_>, image: &[u8]) -> Result<Dynamic> {
        let tags = read_tags(file, image)?;
        refuse(&tags)?;
        let mut dynamic =
            Dynamic { init: tags.get(DT_INIT).filter(|&address| address != 0), ..Dynamic::default() };
        if let Some(size) = tags.get(DT_RELAENT).filter(|&size| size != RELA_BYTES as u64) {
            return Err(invalid(format!("relocations take {size} bytes each; {RELA_BYTES} are right")));
        }
        if let Some(size) = tags.get(DT_SYMENT).filter(|&size| size != SYMBOL_BYTES as u64) {
            return Err(invalid(format!("symbols take {size} bytes each; {SYMBOL_BYTES} are right")));
        }
        for (address, bytes, what) in
            [(DT_RELA, DT_RELASZ, "relocations"), (DT_JMPREL, DT_PLTRELSZ, "jump slot relocations")]
        {
            if let Some((address, bytes)) = tags.table(address, bytes, what)? {
                dynamic.relocations.push(table(file, address, bytes, RELA_BYTES, what)?);
            }
        }
        if let Some((address, bytes)) = tags.table(DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "initialisers")? {
            dynamic.init_array = table(file, address, bytes, 8, "initialisers")?;
        }
        let must = |tag, what: &str| tags.get(tag).ok_or_else(|| invalid(format!("there is no {what}")));
        let hash = table(file, must(DT_HASH, "symbol hash table (DT_HASH)")?, 8, 8, "the symbol hash table")?;
        let count = u32_at(image, hash.start + 4).unwrap_or_default();
        let bytes = u64::from(count) * SYMBOL_BYTES as u64;
        dynamic.symbols = table(file, must(DT_SYMTAB, "symbol table")?, bytes, SYMBOL_BYTES, "symbols")?;
        dynamic.strings = table(
            file,
            must(DT_STRTAB, "string table")?,
            must(DT_STRSZ, "size of the strings")?,
            1,
            "strings",
        )?;
        Ok(dynamic)
    }

    pub(super) fn symbol_count(&self) -> usize {
        self.symbols.len() / SYMBOL_BYTES
    }

    /// Symbol number `index`.
    pub(super) fn symbol<'a>(&self, image: &'a [u8], index: usize) -> Result<Symbol<'a>> {
        if index >= self.symbol_count() {
            return Err(invalid(format!("symbol {index} of {} is asked for", self.symbol_count())));
        }
        let row = &image[self.symbols.clone()][index * SYMBOL_BYTES..][..SYMBOL_BYTES];
        let name_at = u32_at(row, 0).unwrap_or_default() as usize;
        let strings = &image[self.strings.clone()];
        let name = strings.get(name_at..).and_then(|rest| {
            let end = rest.iter().position(|&byte| byte == 0)?;
            std::str::from_utf8(&rest[..end]).ok()
        });
        let Some(name) = name else {
            return Err(invalid(format!("the name of symbol {index} leaves the string table or is no text")));
        };
        Ok(Symbol {
            name,
            address: u64_at(row, 8).unwrap_or_default(),
            is_defined: row[6..8] != [0, 0],
            is_weak: row[4] >> 4 == 2,
        })
    }
}

/// D1.
fn read_tags(file: &ElfFile<'_>, image: &[u8]) -> Result<Tags> {
    let start = (file.dynamic.start - file.span().start) as usize;
    let bytes = (file.dynamic.end - file.dynamic.start) as usize;
    let mut tags = Tags([None; TAGS]);
    for entry in image[start..start + bytes].chunks_exact(ENTRY_BYTES) {
        let tag = u64_at(entry, 0).unwrap_or_default();
        if tag == DT_NULL {
            return Ok(tags);
        }
        if let Some(place) = usize::try_from(tag).ok().and_then(|tag| tags.0.get_mut(tag)) {
            *place = u64_at(entry, 8);
        }
    }
    Err(invalid("the dynamic section has no end (DT_NULL)"))
}

/// What this loader does not do.
fn refuse(tags: &Tags) -> Result {
    if tags.get(DT_NEEDED).is_some() {
        return Err(unimplemented("the image needs other libraries: load it as a system ELF"));
    }
    if tags.get(DT_REL).is_some() || tags.get(DT_PLTREL).is_some_and(|kind| kind != DT_RELA) {
        return Err(Error::new(
            Code::FailedPrecondition,
            "relocations without addends (DT_REL) are not used here",
        ));
    }
    if tags.get(DT_RELR).is_some() || tags.get(DT_RELRSZ).is_some() {
        return Err(unimplemented("packed relocations (DT_RELR): link with -z nopack-relative-relocs"));
    }
    if tags.get(DT_TEXTREL).is_some() || tags.get(DT_FLAGS).is_some_and(|flags| flags & DF_TEXTREL != 0) {
        return Err(denied(
            "the image wants its code relocated (DT_TEXTREL): compile it position-independent",
        ));
    }
    let has_end = tags.get(DT_FINI).is_some_and(|address| address != 0)
        || tags.get(DT_FINI_ARRAYSZ).or(tags.get(DT_FINI_ARRAY)).is_some_and(|bytes| bytes != 0);
    if has_end || tags.get(DT_PREINIT_ARRAY).is_some() {
        return Err(unimplemented(
            "the image wants code run before it is initialised or when it is unloaded",
        ));
    }
    Ok(())
}

/// D2: the range of a table, as offsets into the image.
fn table(file: &ElfFile<'_>, address: u64, bytes: u64, row_bytes: usize, what: &str) -> Result<Range<usize>> {
    if file.segment_of(address, bytes).is_none() {
        return Err(invalid(format!("{what} at {address:#x}, {bytes:#x} bytes, lie in no segment")));
    }
    if !bytes.is_multiple_of(row_bytes as u64) {
        return Err(invalid(format!("{what} take {bytes} bytes: no multiple of {row_bytes}")));
    }
    let start = (address - file.span().start) as usize;
    Ok(start..start + bytes as usize)
}

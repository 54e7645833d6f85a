//! The headers of an ELF file: which bytes go where, and with which rights.
//!
//! Not here: what the dynamic section says (`dynamic.rs`); relocation (`relocate.rs`); memory (`mapping.rs`).
//!
//! # Invariants
//! - E1: every segment's file range lies in the file, and its file bytes fit into its memory range. (`read_segment`)
//! - E2: segments ascend, no two share a page, and the span from the first page to the last is at most the limit.
//!   (`check_order`)
//! - E3: no segment is writable and executable. (`read_segment`)
//! - E4: the dynamic section lies in one segment, with bytes of the file; RELRO lies in one writable segment. (`parse`)

use super::bytes::{denied, invalid, u16_at, u32_at, u64_at, unimplemented};
use crate::tuning::{IMAGE_BYTES_MAX, PROGRAM_HEADERS_MAX};
use raddle_status::{Code, Error, Result};
use std::ops::Range;

/// The page size that files are laid out for. Unit: bytes.
const PAGE_BYTES: u64 = 4096;
const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
const SECTION_HEADER_BYTES: usize = 64;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_TLS: u32 = 7;
const PT_GNU_STACK: u32 = 0x6474_E551;
const PT_GNU_RELRO: u32 = 0x6474_E552;

const SHF_EXECINSTR: u64 = 4;
const SHT_SYMTAB: u32 = 2;
const SHT_NOBITS: u32 = 8;
const STT_FUNC: u8 = 2;
const SYMBOL_BYTES: usize = 24;

/// The processor that a file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Machine {
    /// The one of this process, if this crate knows it.
    pub const HOST: Option<Machine> = if cfg!(target_arch = "x86_64") {
        Some(Machine::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Machine::Aarch64)
    } else {
        None
    };

    fn from_number(number: u16) -> Option<Machine> {
        match number {
            0x3E => Some(Machine::X86_64),
            0xB7 => Some(Machine::Aarch64),
            _ => None,
        }
    }
}

/// Who maps a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loader {
    /// This crate, which does less.
    Own,
    System,
}

/// What a segment's pages may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Access {
    None,
    Read,
    ReadWrite,
    ReadExecute,
}

/// A part of the file that is loaded. Addresses are those of the file.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) address: u64,
    /// What the file gives; the rest is zero.
    pub(crate) file: Range<usize>,
    pub(crate) bytes: u64,
    pub(crate) access: Access,
}

impl Segment {
    pub(crate) fn end(&self) -> u64 {
        self.address + self.bytes
    }

    /// Whether the range lies in this segment.
    pub(crate) fn has(&self, address: u64, bytes: u64) -> bool {
        address >= self.address && address <= self.end() && bytes <= self.end() - address
    }

    /// Its pages.
    pub(crate) fn pages(&self) -> Range<u64> {
        page_down(self.address)..page_up(self.end())
    }
}

/// A file whose headers were checked.
#[derive(Debug)]
pub struct ElfFile<'a> {
    pub(super) data: &'a [u8],
    pub(crate) machine: Machine,
    pub(crate) segments: Vec<Segment>,
    /// Addresses at which sections of code begin.
    section_starts: Vec<u64>,
    /// The rows of the full symbol table and its strings, if there is one.
    symbols: (&'a [u8], &'a [u8]),
    pub(super) dynamic: Range<u64>,
    pub(crate) relro: Option<Range<u64>>,
}

impl<'a> ElfFile<'a> {
    /// Checks the headers.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for what is no 64-bit little-endian shared object or is damaged; UNIMPLEMENTED for thread-local
    /// storage and interpreters; PERMISSION_DENIED for memory that would be writable and executable, the stack
    /// included; RESOURCE_EXHAUSTED for an image that is too large.
    pub fn parse(data: &'a [u8]) -> Result<ElfFile<'a>> {
        ElfFile::parse_for(data, Loader::Own)
    }

    /// Checks the headers of a file that somebody else may load.
    pub(crate) fn parse_for(data: &'a [u8], loader: Loader) -> Result<ElfFile<'a>> {
        let machine = check_header(data)?;
        let headers = table(data, 32, 54, 56, PROGRAM_HEADER_BYTES, "program headers")?;
        if headers.len() > PROGRAM_HEADERS_MAX {
            return Err(invalid(format!("{} program headers; at most {PROGRAM_HEADERS_MAX}", headers.len())));
        }
        let mut file = ElfFile {
            data,
            machine,
            segments: Vec::new(),
            section_starts: Vec::new(),
            symbols: (&[], &[]),
            dynamic: 0..0,
            relro: None,
        };
        for header in headers {
            file.read_program_header(header, loader)?;
        }
        file.check_order()?;
        if file.dynamic.is_empty() {
            return Err(invalid("no dynamic section: this is no shared object"));
        }
        let dynamic = file.dynamic.clone();
        let holds = |segment: &Segment| {
            segment.has(dynamic.start, dynamic.end - dynamic.start)
                && dynamic.end - segment.address <= segment.file.len() as u64
        };
        if !file.segments.iter().any(holds) {
            return Err(invalid(format!("the dynamic section, {dynamic:#x?}, lies in no segment")));
        }
        if let Some(relro) = &file.relro {
            let holds = |segment: &Segment| {
                segment.access == Access::ReadWrite && segment.has(relro.start, relro.end - relro.start)
            };
            // The linker pads the range to its page's end, past the segment's bytes.
            if !file.segments.iter().any(|segment| holds(segment) || padded(segment, relro)) {
                return Err(invalid(format!("RELRO, {relro:#x?}, lies in no writable segment")));
            }
        }
        file.read_sections()?;
        Ok(file)
    }

    /// Addresses from the first page to the last.
    pub(crate) fn span(&self) -> Range<u64> {
        let start = self.segments.first().map_or(0, |segment| segment.pages().start);
        let end = self.segments.last().map_or(0, |segment| segment.pages().end);
        start..end
    }

    /// Bytes that the image takes.
    pub fn image_bytes(&self) -> usize {
        (self.span().end - self.span().start) as usize
    }

    /// The segment that holds the whole range.
    pub(crate) fn segment_of(&self, address: u64, bytes: u64) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.has(address, bytes))
    }

    fn read_program_header(&mut self, header: &[u8], loader: Loader) -> Result {
        let kind = u32_at(header, 0).unwrap_or_default();
        let flags = u32_at(header, 4).unwrap_or_default();
        let address = u64_at(header, 16).unwrap_or_default();
        let bytes = u64_at(header, 40).unwrap_or_default();
        let range = || {
            let end = address.checked_add(bytes);
            end.map(|end| address..end).ok_or_else(|| {
                invalid(format!("a program header's range, {address:#x} + {bytes:#x}, overflows"))
            })
        };
        match kind {
            PT_LOAD => {
                let segment = self.read_segment(header, range()?, flags)?;
                self.segments.extend(segment);
            }
            PT_DYNAMIC if !self.dynamic.is_empty() => return Err(invalid("two dynamic sections")),
            PT_DYNAMIC => self.dynamic = range()?,
            PT_GNU_RELRO if self.relro.is_some() => return Err(invalid("two RELRO ranges")),
            PT_GNU_RELRO => self.relro = Some(range()?),
            PT_INTERP | PT_TLS if loader == Loader::System => {}
            PT_INTERP => return Err(unimplemented("the file asks for an interpreter: use a system ELF")),
            PT_TLS => return Err(unimplemented("the file has thread-local storage: use a system ELF")),
            PT_GNU_STACK if flags & 1 != 0 => return Err(denied("the file asks for an executable stack")),
            _ => {}
        }
        Ok(())
    }

    /// E1, E3; nothing for an empty segment.
    fn read_segment(&self, header: &[u8], memory: Range<u64>, flags: u32) -> Result<Option<Segment>> {
        let offset = u64_at(header, 8).unwrap_or_default();
        let file_bytes = u64_at(header, 32).unwrap_or_default();
        let bytes = memory.end - memory.start;
        let name = format!("the segment at {:#x}", memory.start);
        if bytes == 0 {
            return Ok(None);
        }
        let file = (|| {
            let start = usize::try_from(offset).ok()?;
            let end = start.checked_add(usize::try_from(file_bytes).ok()?)?;
            (end <= self.data.len()).then_some(start..end)
        })();
        let Some(file) = file else {
            let have = self.data.len();
            return Err(invalid(format!(
                "{name} takes bytes {offset:#x} + {file_bytes:#x}; the file has {have:#x}: it is cut short"
            )));
        };
        if file_bytes > bytes {
            return Err(invalid(format!(
                "{name} has {file_bytes:#x} bytes of the file for {bytes:#x} of memory"
            )));
        }
        if memory.end > u64::MAX - PAGE_BYTES {
            return Err(invalid(format!("{name} ends at {:#x}, past the last page", memory.end)));
        }
        // Executable implies readable; write implies readable.
        let access = match flags & 7 {
            0 => Access::None,
            4 => Access::Read,
            2 | 6 => Access::ReadWrite,
            1 | 5 => Access::ReadExecute,
            _ => return Err(denied(format!("{name} is writable and executable"))),
        };
        Ok(Some(Segment { address: memory.start, file, bytes, access }))
    }

    /// E2.
    fn check_order(&self) -> Result {
        if self.segments.is_empty() {
            return Err(invalid("no segment to load"));
        }
        for pair in self.segments.windows(2) {
            if pair[1].pages().start < pair[0].pages().end {
                return Err(invalid(format!(
                    "the segments at {:#x} and {:#x} share a page or are out of order",
                    pair[0].address, pair[1].address
                )));
            }
        }
        let span = self.span();
        let bytes = span.end - span.start;
        if bytes > IMAGE_BYTES_MAX {
            return Err(Error::new(
                Code::ResourceExhausted,
                format!("the image takes {bytes} bytes, at most {IMAGE_BYTES_MAX}"),
            ));
        }
        Ok(())
    }

    /// Where code is and what functions are called, as far as sections say so.
    fn read_sections(&mut self) -> Result {
        if u64_at(self.data, 40) == Some(0) {
            return Ok(());
        }
        let sections: Vec<&[u8]> =
            table(self.data, 40, 58, 60, SECTION_HEADER_BYTES, "section headers")?.collect();
        for header in &sections {
            let kind = u32_at(header, 4).unwrap_or_default();
            let address = u64_at(header, 16).unwrap_or_default();
            let bytes = u64_at(header, 32).unwrap_or_default();
            if u64_at(header, 8).unwrap_or_default() & SHF_EXECINSTR != 0 && kind != SHT_NOBITS && bytes > 0 {
                if self.segment_of(address, bytes).is_none() {
                    return Err(invalid(format!("the code section at {address:#x} lies in no segment")));
                }
                self.section_starts.push(address);
            }
            // Only for names in messages: what is damaged is left out.
            let strings = u32_at(header, 40).and_then(|index| sections.get(index as usize));
            if let (SHT_SYMTAB, Some(strings)) = (kind, strings) {
                self.symbols = (self.section_bytes(header), self.section_bytes(strings));
            }
        }
        Ok(())
    }

    fn section_bytes(&self, header: &[u8]) -> &'a [u8] {
        let number = |at| u64_at(header, at).and_then(|number| usize::try_from(number).ok());
        let range = (|| Some(number(24)?..number(24)?.checked_add(number(32)?)?))();
        range.and_then(|range| self.data.get(range)).unwrap_or_default()
    }

    /// Functions of the full symbol table: address and name.
    pub(crate) fn function_names(&self) -> Vec<(u64, String)> {
        let (rows, strings) = self.symbols;
        let read = |row: &[u8]| {
            let name = strings.get(u32_at(row, 0)? as usize..)?;
            let end = name.iter().position(|&byte| byte == 0)?;
            let name = std::str::from_utf8(&name[..end]).ok()?;
            (row[4] & 0xF == STT_FUNC).then(|| Some((u64_at(row, 8)?, name.to_owned())))?
        };
        rows.chunks_exact(SYMBOL_BYTES).filter_map(read).collect()
    }

    /// The bytes of all executable segments, cut where a section or a named function begins.
    pub(crate) fn code(&self) -> Vec<(u64, &'a [u8])> {
        let mut cuts = self.section_starts.clone();
        cuts.extend(self.function_names().into_iter().map(|(address, _)| address));
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces = Vec::new();
        for segment in self.segments.iter().filter(|segment| segment.access == Access::ReadExecute) {
            let bytes = &self.data[segment.file.clone()];
            let end = segment.address + bytes.len() as u64;
            let inside = cuts.iter().copied().filter(|cut| (segment.address + 1..end).contains(cut));
            let mut start = segment.address;
            for cut in inside.chain([end]) {
                let range = (start - segment.address) as usize..(cut - segment.address) as usize;
                pieces.push((start, &bytes[range]));
                start = cut;
            }
        }
        pieces
    }
}

fn padded(segment: &Segment, relro: &Range<u64>) -> bool {
    segment.access == Access::ReadWrite && relro.start >= segment.address && relro.end <= segment.pages().end
}

/// The identification and the fields that everything else depends on.
fn check_header(data: &[u8]) -> Result<Machine> {
    if data.len() < HEADER_BYTES {
        return Err(invalid(format!("{} bytes: an ELF header takes {HEADER_BYTES}", data.len())));
    }
    if !data.starts_with(b"\x7FELF") {
        return Err(invalid("the file does not start with the magic number of ELF"));
    }
    if data[4..7] != [2, 1, 1] {
        return Err(invalid(format!(
            "class, order and version are {:?}; 64 bits, little endian, 1 are [2, 1, 1]",
            &data[4..7]
        )));
    }
    if u16_at(data, 16) != Some(3) {
        return Err(invalid("the file is no shared object (ET_DYN)"));
    }
    if u16_at(data, 52) != Some(HEADER_BYTES as u16) {
        return Err(invalid("the size of the ELF header is wrong"));
    }
    let number = u16_at(data, 18).unwrap_or_default();
    Machine::from_number(number).ok_or_else(|| {
        Error::new(Code::Incompatible, format!("machine {number:#x} is neither x86-64 nor aarch64"))
    })
}

/// The rows of a table whose offset, row size and count stand at these places of the header.
fn table<'a>(
    data: &'a [u8],
    offset_at: usize,
    size_at: usize,
    count_at: usize,
    row_bytes: usize,
    what: &str,
) -> Result<std::slice::ChunksExact<'a, u8>> {
    let offset = u64_at(data, offset_at).unwrap_or_default();
    let size = usize::from(u16_at(data, size_at).unwrap_or_default());
    let count = usize::from(u16_at(data, count_at).unwrap_or_default());
    if size != row_bytes && count != 0 {
        return Err(invalid(format!("{what} take {size} bytes each; {row_bytes} are right")));
    }
    let range = (|| {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(count * row_bytes)?;
        data.get(start..end)
    })();
    let rows = range.ok_or_else(|| {
        let have = data.len();
        invalid(format!("{count} {what} at {offset:#x} leave the file of {have:#x} bytes: it is cut short"))
    })?;
    Ok(rows.chunks_exact(row_bytes))
}

pub(crate) fn page_down(address: u64) -> u64 {
    address & !(PAGE_BYTES - 1)
}

/// The caller has checked that this does not overflow (E1: nothing ends in the last page).
pub(crate) fn page_up(address: u64) -> u64 {
    page_down(address + (PAGE_BYTES - 1))
}

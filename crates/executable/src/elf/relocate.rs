//! Fills memory with a file's segments and adjusts the addresses in it.
//!
//! # Invariants
//! - R1: only bytes of writable segments are changed by relocation. (`apply`)
//! - R2: what relocation writes is an address inside the image, or 0 for a weak symbol that nobody defines. (`target`)
//! - R3: a kind of relocation that is not named here is refused. (`Kind::of`)

use super::bytes::{invalid, u32_at, u64_at, unimplemented};
use super::dynamic::{Dynamic, RELA_BYTES};
use super::file::{Access, ElfFile, Machine};
use raddle_status::{Code, Error, Result};

/// What is to be done with eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nothing,
    /// Base and addend.
    Relative,
    /// A symbol's address and the addend.
    Symbol,
}

impl Kind {
    /// R3.
    fn of(machine: Machine, number: u32) -> Result<Kind> {
        match (machine, number) {
            (_, 0) => Ok(Kind::Nothing),
            // RELATIVE
            (Machine::X86_64, 8) | (Machine::Aarch64, 1027) => Ok(Kind::Relative),
            // 64, GLOB_DAT, JUMP_SLOT; ABS64, GLOB_DAT, JUMP_SLOT
            (Machine::X86_64, 1 | 6 | 7) | (Machine::Aarch64, 257 | 1025 | 1026) => Ok(Kind::Symbol),
            _ => Err(unimplemented(format!("relocation kind {number} is not known for {machine:?}"))),
        }
    }
}

/// What has to be run, and where the symbols are. Addresses are those of the file.
#[derive(Debug)]
pub struct Relocated {
    dynamic: Dynamic,
    /// Functions to be called in this order before any other.
    pub initialisers: Vec<u64>,
}

impl ElfFile<'_> {
    /// Copies the segments into `image`, which is zeroed, takes [`image_bytes`](ElfFile::image_bytes), and will be
    /// reached at the address `base`; then adjusts every address in it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for tables or addresses that are damaged or leave the image; UNIMPLEMENTED for a kind of
    /// relocation or a part that is not known; PERMISSION_DENIED for relocations of code; UNAVAILABLE for a symbol that
    /// the file doesn't define; FAILED_PRECONDITION for relocations without addends.
    pub fn relocate_into(&self, image: &mut [u8], base: u64) -> Result<Relocated> {
        let start = self.span().start;
        assert_eq!(image.len(), self.image_bytes(), "an image has the size of its file's span");
        for segment in &self.segments {
            let at = (segment.address - start) as usize;
            image[at..at + segment.file.len()].copy_from_slice(&self.data[segment.file.clone()]);
        }
        let dynamic = Dynamic::read(self, image)?;
        for table in dynamic.relocations.clone() {
            for at in table.step_by(RELA_BYTES) {
                self.apply(&dynamic, image, at, base)?;
            }
        }
        let initialisers = self.initialisers(&dynamic, image, base)?;
        Ok(Relocated { dynamic, initialisers })
    }

    /// The relocation at this offset of the image.
    fn apply(&self, dynamic: &Dynamic, image: &mut [u8], at: usize, base: u64) -> Result {
        let row = &image[at..at + RELA_BYTES];
        let place = u64_at(row, 0).unwrap_or_default();
        let number = u32_at(row, 8).unwrap_or_default();
        let symbol = u32_at(row, 12).unwrap_or_default() as usize;
        let addend = u64_at(row, 16).unwrap_or_default();
        let value = match Kind::of(self.machine, number)? {
            Kind::Nothing => return Ok(()),
            Kind::Relative => self.target(addend, base)?,
            Kind::Symbol => {
                let symbol = dynamic.symbol(image, symbol)?;
                match (symbol.is_defined, symbol.is_weak) {
                    (true, _) => self.target(symbol.address.wrapping_add(addend), base)?,
                    (false, true) => 0,
                    (false, false) => {
                        let text = format!(
                            "the symbol '{}' is not in the image, and nothing else is linked",
                            symbol.name
                        );
                        return Err(Error::new(Code::Unavailable, text));
                    }
                }
            }
        };
        match self.segment_of(place, 8).map(|segment| segment.access) {
            Some(Access::ReadWrite) => {}
            Some(_) => {
                let text = format!("a relocation would change {place:#x}, which is code or read-only");
                return Err(Error::new(Code::PermissionDenied, text));
            }
            None => return Err(invalid(format!("a relocation would change {place:#x}, outside the image"))),
        }
        let at = (place - self.span().start) as usize;
        image[at..at + 8].copy_from_slice(&value.to_le_bytes());
        Ok(())
    }

    /// R2: where an address of the file is in memory.
    fn target(&self, address: u64, base: u64) -> Result<u64> {
        let span = self.span();
        if address < span.start || address > span.end {
            return Err(invalid(format!("a relocation leads to {address:#x}, outside the image {span:#x?}")));
        }
        Ok(base.wrapping_add(address - span.start))
    }

    fn initialisers(&self, dynamic: &Dynamic, image: &[u8], base: u64) -> Result<Vec<u64>> {
        let mut list: Vec<u64> = dynamic.init.into_iter().collect();
        for at in dynamic.init_array.clone().step_by(8) {
            let pointer = u64_at(image, at).unwrap_or_default();
            // Both mean: no entry.
            if pointer != 0 && pointer != u64::MAX {
                list.push(pointer.wrapping_sub(base).wrapping_add(self.span().start));
            }
        }
        match list.iter().find(|&&address| !self.is_code(address)) {
            Some(address) => Err(invalid(format!("an initialiser at {address:#x} is no code of the image"))),
            None => Ok(list),
        }
    }

    /// Whether the address is in an executable segment.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.segment_of(address, 1).is_some_and(|segment| segment.access == Access::ReadExecute)
    }
}

impl Relocated {
    /// The address of a function that the file defines under this name.
    ///
    /// # Errors
    /// NOT_FOUND if there is none; INVALID_ARGUMENT if a symbol is damaged or its address is no code.
    pub fn function(&self, file: &ElfFile<'_>, image: &[u8], name: &str) -> Result<u64> {
        for index in 0..self.dynamic.symbol_count() {
            let symbol = self.dynamic.symbol(image, index)?;
            if symbol.is_defined && symbol.name == name {
                if !file.is_code(symbol.address) {
                    return Err(invalid(format!(
                        "'{name}' at {:#x} is no code of the image",
                        symbol.address
                    )));
                }
                return Ok(symbol.address);
            }
        }
        Err(Error::new(
            Code::NotFound,
            format!("the image defines no '{name}': this is no executable of IREE"),
        ))
    }
}

//! The `.vmasm` text of a module, in both directions.
//!
//! What [`disassemble()`] writes, [`assemble()`] reads back to the same code; stock IREE's assembler reads it too,
//! as far as its syntax goes. What that syntax can't say stands in lines that start with `//!`, comments to stock:
//!
//! ```text
//! //! attr "key" = "value"            of the module, or of the next function
//! //! depends @name version 3         with `optional` behind it if so
//! //! globals 16 bytes, 3 refs        capacity, if instructions alone don't show it
//! //! requires 12                     of the next function: its requirement bits
//! //! registers 12, 6                 of the next function: values, refs
//! //! cconv "0v"                      of the next function: its exact calling convention
//! ```
//! Further extensions, written only where plain text can't say it: `e"..."` is a string with the escapes `\"`, `\\`,
//! `\n` and `\xHH`; `@"..."` is a symbol of any characters; `nan:0x7FC00001` is a NaN with its bits.
//!
//! Not here: which text an instruction has (the table's `form` column).

mod assemble;
mod body;
mod disassemble;
mod form;
mod literal;
mod scan;

pub use assemble::assemble;
pub use disassemble::{Listing, disassemble};

#[cfg(test)]
mod tests;

//! Parameters: named bytes in archives, and the native module `io_parameters` through which programs load them.
//!
//! An archive is mapped, and what programs load of it is the mapping itself wherever alignment and usage allow it.
//!
//! Formats: `.irpa`. Not known: `.safetensors`, `.gguf`; `iree-convert-parameters` makes an `.irpa` of them.

mod archive;
mod irpa;
mod module;

pub use archive::ParameterArchive;
pub use module::Parameters;

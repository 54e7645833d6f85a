//! A file that exists in memory only, filled once and sealed.
//!
//! # Sources
//! memfd_create(2), fcntl(2): file sealing

use raddle_status::{Code, Error, Result};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::File;
use std::io::Write;

/// A file with these bytes that nobody can change any more; it may be mapped as code.
///
/// # Errors
/// PERMISSION_DENIED if the system has no such files; RESOURCE_EXHAUSTED if there is no room.
pub(crate) fn memory_file(bytes: &[u8]) -> Result<File> {
    let refused = |what: &str, errno: rustix::io::Errno| {
        Error::new(
            Code::PermissionDenied,
            format!("the system gives this process no executable file in memory ({what}: {errno})"),
        )
    };
    // Kernels before 6.3 don't know the second flag, and need none.
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create(c"raddle-executable", flags | MemfdFlags::EXEC)
        .or_else(|_| memfd_create(c"raddle-executable", flags))
        .map_err(|errno| refused("memfd_create", errno))?;
    let mut file = File::from(file);
    file.write_all(bytes).map_err(|error| {
        Error::new(Code::ResourceExhausted, format!("no room for a file in memory: {error}"))
    })?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals).map_err(|errno| refused("sealing", errno))?;
    Ok(file)
}

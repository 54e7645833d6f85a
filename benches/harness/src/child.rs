//! A process that is seen from outside.
#![allow(unsafe_code)]

use nix::libc;
use std::io::{Error, Read, Result};
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};

/// What a process printed, and what it took.
#[derive(Debug)]
pub struct Ended {
    /// Its standard output.
    pub output: Vec<u8>,
    /// The most memory that it was resident with, in bytes.
    pub peak_bytes: f64,
}

/// Runs a process to its end. Its standard error is this one's.
///
/// # Errors
/// It does not start, or does not end with success.
pub fn run(command: &mut Command) -> Result<Ended> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut output = Vec::new();
    child.stdout.take().expect("it is piped").read_to_end(&mut output)?;
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both places are ours; the child is not waited for by anybody else, since its handle is dropped.
    let found = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, usage.as_mut_ptr()) };
    if found < 0 {
        return Err(Error::last_os_error());
    }
    if status != 0 {
        return Err(Error::other(format!("{command:?} ended with {status:#x}")));
    }
    // SAFETY: zeroed is a value of it, and `wait4` has succeeded.
    let usage = unsafe { usage.assume_init() };
    Ok(Ended { output, peak_bytes: usage.ru_maxrss as f64 * 1024.0 })
}

//! Ctrl-C and SIGTERM as a wait source: they are blocked and read from a descriptor, and no handler is installed.
//!
//! A process that does not react to them can be ended with Ctrl-\\ (SIGQUIT).

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use raddle::wait::{Condition, Descriptor};
use raddle::{Code, Error, Result};
use std::os::fd::AsFd;
use std::sync::Arc;

/// Blocks the signals in this thread and in those that it starts; the condition holds when one has come.
///
/// # Errors
/// RESOURCE_EXHAUSTED: the process has no descriptor left.
pub fn take() -> Result<Condition> {
    let refused = |errno| Error::new(Code::ResourceExhausted, format!("signals can't be read: {errno}"));
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().map_err(refused)?;
    let fd =
        SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(refused)?;
    // Nobody reads the signal: it stays, and with it the wish to stop.
    let descriptor = Descriptor::duplicate(fd.as_fd())?;
    Ok(Condition::from(Arc::new(descriptor.readable())))
}

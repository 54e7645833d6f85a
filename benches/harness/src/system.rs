//! What the system says about this process, and eventfds.

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::os::fd::{AsFd, OwnedFd};

/// Processor time of this process, in seconds.
pub fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Memory that is resident now, in bytes: what an allocator does not see (stacks, mappings) is in it.
pub fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.expect("Linux says how much is resident") * 1024.0
}

/// Raises the limit on descriptors as far as it goes; returns it.
pub fn raise_descriptor_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.or(limit.current);
    // A refusal is answered by the limit that is returned.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize)
}

/// A new eventfd that does not block.
pub fn new_eventfd() -> OwnedFd {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("descriptors are left")
}

/// Signals an eventfd.
pub fn kick(fd: impl AsFd) {
    rustix::io::write(fd, &1_u64.to_ne_bytes()).expect("an eventfd takes a write");
}

/// Takes an eventfd's signal; `WouldBlock` if there was none.
pub fn take(fd: impl AsFd) -> std::io::Result<()> {
    rustix::io::read(fd, &mut [0; 8])?;
    Ok(())
}

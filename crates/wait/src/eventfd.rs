//! An event's outlet on Linux: an eventfd that outsiders poll.
//!
//! Not here: when it is raised (`event.rs`); waiting for a descriptor (the wait set).
//!
//! # Sources
//! eventfd(2): a write adds to a counter, a read takes all of it; both can't fail for want of room here, since the
//! counter is 0 or 1.

use crate::event::{Event, Outlet};
use raddle_status::{Code, Error, Result};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::OwnedFd;

struct EventFd(OwnedFd);

impl Outlet for EventFd {
    fn raise(&mut self) {
        let written = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        debug_assert_eq!(written, Ok(8));
    }

    fn lower(&mut self) {
        // An outsider may have read it.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl Event {
    /// A descriptor that is readable while the event is set, for a foreign poll, select or epoll. Poll it, and don't read
    /// or write it: the event does. The descriptor is the caller's to close.
    ///
    /// # Errors
    /// ALREADY_EXISTS when the event has an outlet; RESOURCE_EXHAUSTED when the process has no descriptor left.
    pub fn export(&self) -> Result<OwnedFd> {
        let no_descriptor =
            |errno| Error::new(Code::ResourceExhausted, format!("no descriptor for an event: {errno}"));
        let own = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(no_descriptor)?;
        let theirs = rustix::io::fcntl_dupfd_cloexec(&own, 0).map_err(no_descriptor)?;
        match self.export_to(Box::new(EventFd(own))) {
            true => Ok(theirs),
            false => Err(Error::new(Code::AlreadyExists, "the event is exported already")),
        }
    }
}

#[cfg(all(test, not(raddle_loom)))]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_readable(fd: &OwnedFd) -> bool {
        poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
    }

    #[test]
    fn it_shows_the_event() {
        let event = Event::manual();
        event.set();
        let fd = event.export().unwrap();
        assert!(is_readable(&fd));
        event.set();
        assert!(event.reset());
        assert!(!is_readable(&fd));
        event.set();
        assert!(is_readable(&fd));
        assert_eq!(event.export().unwrap_err().code(), Code::AlreadyExists);
    }
}

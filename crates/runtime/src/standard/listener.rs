//! Listeners on this machine's loopback address.

use super::stream::{StreamObject, loopback, tcp_socket, until};
use super::{Clock, io_error};
use raddle_status::Result;
use raddle_vm::{Flow, Object, RefOf, Resume, WaitOutcome};
use raddle_wait::{Drained, Interest};
use rustix::net::SocketFlags;
use std::io;

/// Connections that wait to be accepted. Guess: as many as others admit.
const BACKLOG: i32 = 128;

/// A listener as programs hold it: `raddle.listener`.
#[derive(Debug)]
pub struct ListenerObject {
    drained: Drained,
    port: u16,
    clock: Clock,
}

impl ListenerObject {
    /// The port that it listens on.
    pub fn port(&self) -> i32 {
        self.port.into()
    }
}

impl Object for ListenerObject {
    const NAME: &'static str = "raddle.listener";
}

pub(super) struct Accept(RefOf<ListenerObject>);

impl Accept {
    fn go(self) -> Result<Flow<RefOf<StreamObject>, Accept>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            let accepted =
                self.0.drained.try_io(Interest::Read, |fd| Ok(rustix::net::accept_with(fd, flags)?));
            match accepted {
                Ok(socket) => return Ok(Flow::Ready(RefOf::new(StreamObject::new(&self.0.clock, socket)?))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flow::Wait(until(&self.0.drained, Interest::Read), self));
                }
                // A connection that was given up before it was accepted is none.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => return Err(io_error("accept", &error)),
            }
        }
    }
}

impl Resume for Accept {
    type Output = RefOf<StreamObject>;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<RefOf<StreamObject>, Accept>> {
        outcome.into_result()?;
        self.go()
    }
}

/// Listens on a port of this machine; 0 is any that is free.
pub(super) fn bind(clock: &Clock, port: i32) -> Result<RefOf<ListenerObject>> {
    let failed = |error: rustix::io::Errno| io_error("listen", &error.into());
    let address = loopback(port)?;
    let socket = tcp_socket()?;
    rustix::net::bind(&socket, &address).map_err(failed)?;
    rustix::net::listen(&socket, BACKLOG).map_err(failed)?;
    let own = std::net::TcpListener::from(socket);
    let port = own.local_addr().map_err(|error| io_error("listen", &error))?.port();
    let drained = clock.drained(own)?;
    Ok(RefOf::new(ListenerObject { drained, port, clock: clock.clone() }))
}

pub(super) fn accept(listener: RefOf<ListenerObject>) -> Result<Flow<RefOf<StreamObject>, Accept>> {
    Accept(listener).go()
}

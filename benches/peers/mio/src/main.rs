//! mio: a thread that polls, and runs the continuation inline; or hands it to another (form `hand-off`).

#![forbid(unsafe_code)]

use bench_harness::{Answer, Counting, Counts, Stamp};
use bench_harness::{kick, new_eventfd, raise_descriptor_limit, serve, take};
use bench_waits::{Keep, PAIRS, Waits};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

#[global_allocator]
static MEMORY: Counting = Counting;

struct Mio {
    threads: usize,
    is_handed_off: bool,
}

fn register(poll: &Poll, fd: &OwnedFd, token: usize) {
    let registered =
        poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), Token(token), Interest::READABLE);
    registered.expect("an eventfd can be polled");
}

/// Registers descriptors that are never written, under a token that is nobody's.
fn others(poll: &Poll, count: usize) -> Vec<OwnedFd> {
    raise_descriptor_limit();
    let fds: Vec<_> = (0..count).map(|_| new_eventfd()).collect();
    fds.iter().for_each(|fd| register(poll, fd, usize::MAX));
    fds
}

/// A thread that runs continuations.
fn worker(stamp: &'static Stamp) -> Sender<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        while receiver.recv().is_ok() {
            stamp.resumed();
        }
    });
    sender
}

impl Waits for Mio {
    fn descriptor(&self, count: usize, stamp: &'static Stamp) -> Option<(Arc<OwnedFd>, Keep)> {
        let mut poll = Poll::new().expect("descriptors are left");
        let keep = others(&poll, count);
        let signal = Arc::new(new_eventfd());
        register(&poll, &signal, 0);
        let (own, hand_off) = (signal.clone(), self.is_handed_off.then(|| worker(stamp)));
        std::thread::spawn(move || {
            let mut events = Events::with_capacity(1024);
            loop {
                poll.poll(&mut events, None).expect("nobody sends signals");
                for event in &events {
                    assert_eq!(event.token(), Token(0));
                    take(&*own).expect("an event means that it is readable");
                    match &hand_off {
                        Some(worker) => worker.send(()).expect("the worker is there"),
                        None => stamp.resumed(),
                    }
                }
            }
        });
        Some((signal, Box::new(keep)))
    }

    /// Pairs are dealt to threads with a poll each: mio's own way to use more than one.
    fn descriptor_pairs(&self, count: usize, counts: &Counts) -> Option<Keep> {
        if self.is_handed_off {
            return None;
        }
        let mut keep = Vec::new();
        for thread in 0..self.threads {
            let mut poll = Poll::new().expect("descriptors are left");
            keep.extend(others(&poll, count / self.threads));
            let sides = 2 * PAIRS / self.threads;
            let fds: Vec<_> = (0..sides).map(|_| new_eventfd()).collect();
            fds.iter().enumerate().for_each(|(index, fd)| register(&poll, fd, index));
            fds.iter().step_by(2).for_each(kick);
            let counts = counts.clone();
            std::thread::spawn(move || {
                let mut events = Events::with_capacity(1024);
                loop {
                    poll.poll(&mut events, None).expect("nobody sends signals");
                    for event in &events {
                        let Token(index) = event.token();
                        take(&fds[index]).expect("an event means that it is readable");
                        counts.hit(thread * sides + index);
                        kick(&fds[index ^ 1]);
                    }
                }
            });
        }
        Some(Box::new(keep))
    }
}

fn main() -> ExitCode {
    serve("1.2", |request| match request.parts().0 {
        "waits" => {
            let mio = Mio { threads: request.workers, is_handed_off: request.form == "hand-off" };
            bench_waits::answer(request, &mio)
        }
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}

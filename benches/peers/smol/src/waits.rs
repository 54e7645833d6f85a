//! Waits: `Async` descriptors, `Event`s with a flag, `Timer`s.

use crate::Smol;
use async_io::{Async, Timer};
use bench_harness::{Counts, Late, Stamp, kick, new_eventfd, raise_descriptor_limit, take};
use bench_waits::{Keep, PAIRS, Waits};
use event_listener::Event;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::Instant;

type Fd = Async<Arc<OwnedFd>>;

fn registered() -> (Arc<OwnedFd>, Fd) {
    let fd = Arc::new(new_eventfd());
    (fd.clone(), Async::new_nonblocking(fd).expect("an eventfd can be polled"))
}

async fn taken(fd: &Fd) {
    fd.read_with(|fd| take(fd)).await.expect("an eventfd can be read");
}

/// A flag that one program waits for and takes.
#[derive(Default)]
struct Flag {
    is_set: AtomicBool,
    event: Event,
}

impl Flag {
    fn set(&self) {
        self.is_set.store(true, Release);
        self.event.notify(1);
    }

    async fn taken(&self) {
        while !self.is_set.swap(false, AcqRel) {
            let listener = self.event.listen();
            if self.is_set.swap(false, AcqRel) {
                break;
            }
            listener.await;
        }
    }
}

impl Smol {
    fn others(&self, count: usize) {
        raise_descriptor_limit();
        for _ in 0..count {
            let (_, fd) = registered();
            self.executor.spawn(async move { taken(&fd).await }).detach();
        }
    }

    /// Programs that wait for an event that never comes; returns when all of them do.
    fn pend(&self, count: usize) -> Vec<Arc<Event>> {
        let begun = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..count).map(|_| Arc::new(Event::new())).collect();
        for event in &all {
            let (event, begun) = (event.clone(), begun.clone());
            let program = async move {
                let listener = event.listen();
                begun.fetch_add(1, Release);
                listener.await;
            };
            self.executor.spawn(program).detach();
        }
        while begun.load(Acquire) < count {
            std::thread::yield_now();
        }
        all
    }
}

impl Waits for Smol {
    fn descriptor(&self, others: usize, stamp: &'static Stamp) -> Option<(Arc<OwnedFd>, Keep)> {
        self.others(others);
        let (signal, fd) = registered();
        let program = async move {
            loop {
                taken(&fd).await;
                stamp.resumed();
            }
        };
        self.executor.spawn(program).detach();
        Some((signal, Box::new(())))
    }

    fn descriptor_pairs(&self, others: usize, counts: &Counts) -> Option<Keep> {
        self.others(others);
        for pair in 0..PAIRS {
            let sides = [registered(), registered()];
            let [first, second] = [sides[0].0.clone(), sides[1].0.clone()];
            kick(&*first);
            for (own, ((_, fd), signal)) in sides.into_iter().zip([second, first]).enumerate() {
                let counts = counts.clone();
                let program = async move {
                    loop {
                        taken(&fd).await;
                        counts.hit(2 * pair + own);
                        kick(&*signal);
                    }
                };
                self.executor.spawn(program).detach();
            }
        }
        Some(Box::new(()))
    }

    fn pairs(&self, others: usize, counts: &Counts) -> Option<Keep> {
        let keep = self.pend(others);
        for pair in 0..PAIRS {
            let sides = [Arc::new(Flag::default()), Arc::new(Flag::default())];
            sides[0].set();
            for own in 0..2 {
                let (counts, flag, other) = (counts.clone(), sides[own].clone(), sides[1 - own].clone());
                let program = async move {
                    loop {
                        flag.taken().await;
                        counts.hit(2 * pair + own);
                        other.set();
                    }
                };
                self.executor.spawn(program).detach();
            }
        }
        Some(Box::new(keep))
    }

    fn pending(&self, waits: usize) -> Option<Keep> {
        Some(Box::new(self.pend(waits)))
    }

    fn timers(&self, moments: &[Instant], late: &Late) -> Option<Keep> {
        for (index, &moment) in moments.iter().enumerate() {
            let late = late.clone();
            let program = async move {
                Timer::at(moment).await;
                late.fired(index, moment);
            };
            self.executor.spawn(program).detach();
        }
        Some(Box::new(()))
    }
}

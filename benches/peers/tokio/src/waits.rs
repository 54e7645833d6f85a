//! Waits: `AsyncFd`, `Notify`, `sleep_until`.

use crate::Tokio;
use bench_harness::{Counts, Late, Stamp, kick, new_eventfd, raise_descriptor_limit, take};
use bench_waits::{Keep, PAIRS, Waits};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::time::Instant;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

type Fd = AsyncFd<Arc<OwnedFd>>;

#[expect(
    deprecated,
    reason = "its successor is unsafe: the descriptor must stay open, which the Arc sees to"
)]
fn registered() -> (Arc<OwnedFd>, Fd) {
    let fd = Arc::new(new_eventfd());
    (fd.clone(), AsyncFd::with_interest(fd, Interest::READABLE).expect("an eventfd can be polled"))
}

async fn taken(fd: &Fd) {
    fd.async_io(Interest::READABLE, |fd| take(fd)).await.expect("an eventfd can be read");
}

impl Tokio {
    /// Programs whose descriptors are never written.
    fn others(&self, count: usize) {
        raise_descriptor_limit();
        for _ in 0..count {
            let (_, fd) = registered();
            self.runtime.spawn(async move { taken(&fd).await });
        }
    }

    /// Programs that wait for a `Notify` that never comes; returns when all of them do.
    fn pend(&self, count: usize) -> Vec<Arc<Notify>> {
        let begun = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..count).map(|_| Arc::new(Notify::new())).collect();
        for notify in &all {
            let (notify, begun) = (notify.clone(), begun.clone());
            self.runtime.spawn(async move {
                let mut notified = std::pin::pin!(notify.notified());
                notified.as_mut().enable();
                begun.fetch_add(1, Release);
                notified.await;
            });
        }
        while begun.load(Acquire) < count {
            std::thread::yield_now();
        }
        all
    }
}

impl Waits for Tokio {
    fn descriptor(&self, others: usize, stamp: &'static Stamp) -> Option<(Arc<OwnedFd>, Keep)> {
        let _guard = self.runtime.enter();
        self.others(others);
        let (signal, fd) = registered();
        self.runtime.spawn(async move {
            loop {
                taken(&fd).await;
                stamp.resumed();
            }
        });
        Some((signal, Box::new(())))
    }

    fn descriptor_pairs(&self, others: usize, counts: &Counts) -> Option<Keep> {
        let _guard = self.runtime.enter();
        self.others(others);
        for pair in 0..PAIRS {
            let sides = [registered(), registered()];
            let [first, second] = [sides[0].0.clone(), sides[1].0.clone()];
            kick(&*first);
            let signals = [second, first];
            for (own, ((_, fd), signal)) in sides.into_iter().zip(signals).enumerate() {
                let counts = counts.clone();
                self.runtime.spawn(async move {
                    loop {
                        taken(&fd).await;
                        counts.hit(2 * pair + own);
                        kick(&*signal);
                    }
                });
            }
        }
        Some(Box::new(()))
    }

    fn pairs(&self, others: usize, counts: &Counts) -> Option<Keep> {
        let keep = self.pend(others);
        for pair in 0..PAIRS {
            let sides = [Arc::new(Notify::new()), Arc::new(Notify::new())];
            sides[0].notify_one();
            for own in 0..2 {
                let (counts, notify, other) = (counts.clone(), sides[own].clone(), sides[1 - own].clone());
                self.runtime.spawn(async move {
                    loop {
                        notify.notified().await;
                        counts.hit(2 * pair + own);
                        other.notify_one();
                    }
                });
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
            self.runtime.spawn(async move {
                tokio::time::sleep_until(moment.into()).await;
                late.fired(index, moment);
            });
        }
        Some(Box::new(()))
    }
}

//! Tasks without waits.

use crate::Tokio;
use bench_graphs::{Body, Graphs, ROUNDS, Round, Square};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::oneshot::{Sender, channel};

impl Tokio {
    /// Runs a future as a task, so that what it spawns goes into a worker's own queue.
    fn inside<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        self.runtime.block_on(self.runtime.spawn(future)).expect("no task panics");
    }
}

fn link<B: Body>(at: usize, count: usize, end: Sender<()>) {
    tokio::spawn(async move {
        B::run(at);
        if at + 1 < count {
            link::<B>(at + 1, count, end);
        } else {
            end.send(()).expect("somebody waits for the end");
        }
    });
}

async fn at_once<B: Body>(count: usize) {
    let handles: Vec<_> = (0..count).map(|index| tokio::spawn(async move { B::run(index) })).collect();
    for handle in handles {
        handle.await.expect("no task panics");
    }
}

/// Each worker claims tiles until there are none: tokio has no parallel loop of its own.
async fn claimed<B: Body>(tiles: usize, workers: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let claim = |next: Arc<AtomicUsize>| async move {
        loop {
            let index = next.fetch_add(1, Relaxed);
            if index >= tiles {
                break;
            }
            B::run(index);
        }
    };
    let handles: Vec<_> = (0..workers).map(|_| tokio::spawn(claim(next.clone()))).collect();
    for handle in handles {
        handle.await.expect("no task panics");
    }
}

fn wave<B: Body>(square: Arc<Square>, end: Arc<Mutex<Option<Sender<()>>>>, at: usize) {
    tokio::spawn(async move {
        B::run(at);
        for next in square.next(at).into_iter().flatten() {
            wave::<B>(square.clone(), end.clone(), next);
        }
        if square.is_last(at) {
            let end = end.lock().expect("nobody panics with it").take().expect("there is one last task");
            end.send(()).expect("somebody waits for the end");
        }
    });
}

impl Graphs for Tokio {
    fn chain<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        Some(Box::new(move || {
            self.inside(async move {
                let (end, ended) = channel();
                link::<B>(0, tasks, end);
                ended.await.expect("the last task says so");
            });
        }))
    }
    fn fan<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        Some(Box::new(move || self.inside(at_once::<B>(tasks))))
    }
    fn rounds<B: Body>(&self, width: usize) -> Option<Round<'_>> {
        Some(Box::new(move || {
            self.inside(async move {
                for _ in 0..ROUNDS {
                    at_once::<B>(width).await;
                }
            });
        }))
    }
    fn wavefront<B: Body>(&self, side: usize) -> Option<Round<'_>> {
        let square = Arc::new(Square::new(side));
        Some(Box::new(move || {
            square.reset();
            let square = square.clone();
            self.inside(async move {
                let (end, ended) = channel();
                wave::<B>(square, Arc::new(Mutex::new(Some(end))), 0);
                ended.await.expect("the last task says so");
            });
        }))
    }
    fn outside<B: Body>(&self) -> Option<Round<'_>> {
        Some(Box::new(|| {
            self.runtime.block_on(self.runtime.spawn(async { B::run(0) })).expect("no task panics");
        }))
    }
    fn dispatch<B: Body>(&self, tiles: usize) -> Option<Round<'_>> {
        Some(Box::new(move || {
            let workers = self.workers;
            self.inside(async move {
                for _ in 0..ROUNDS {
                    claimed::<B>(tiles, workers).await;
                }
            });
        }))
    }
}

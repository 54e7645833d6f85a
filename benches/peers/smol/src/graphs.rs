//! Tasks without waits.

use crate::Smol;
use async_executor::Executor;
use bench_graphs::{Body, Graphs, ROUNDS, Round, Square};
use futures_lite::future::block_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};

type Ex = &'static Executor<'static>;

fn link<B: Body>(executor: Ex, at: usize, count: usize, end: Sender<()>) {
    let task = executor.spawn(async move {
        B::run(at);
        if at + 1 < count {
            link::<B>(executor, at + 1, count, end);
        } else {
            end.send(()).expect("somebody waits for the end");
        }
    });
    task.detach();
}

async fn at_once<B: Body>(executor: Ex, count: usize) {
    let mut tasks = Vec::with_capacity(count);
    // One lock for all of them: the faster of its two ways.
    executor.spawn_many((0..count).map(|index| async move { B::run(index) }), &mut tasks);
    for task in tasks {
        task.await;
    }
}

async fn claimed<B: Body>(executor: Ex, tiles: usize, workers: usize) {
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
    let tasks: Vec<_> = (0..workers).map(|_| executor.spawn(claim(next.clone()))).collect();
    for task in tasks {
        task.await;
    }
}

fn wave<B: Body>(executor: Ex, square: Arc<Square>, end: Sender<()>, at: usize) {
    let task = executor.spawn(async move {
        B::run(at);
        for next in square.next(at).into_iter().flatten() {
            wave::<B>(executor, square.clone(), end.clone(), next);
        }
        if square.is_last(at) {
            end.send(()).expect("somebody waits for the end");
        }
    });
    task.detach();
}

impl Smol {
    /// Runs a future as a task.
    fn inside(&self, future: impl Future<Output = ()> + Send + 'static) {
        block_on(self.executor.spawn(future));
    }
}

impl Graphs for Smol {
    fn chain<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        Some(Box::new(move || {
            let (end, ended) = channel();
            link::<B>(self.executor, 0, tasks, end);
            ended.recv().expect("the last task says so");
        }))
    }
    fn fan<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        Some(Box::new(move || self.inside(at_once::<B>(self.executor, tasks))))
    }
    fn rounds<B: Body>(&self, width: usize) -> Option<Round<'_>> {
        Some(Box::new(move || {
            let executor = self.executor;
            self.inside(async move {
                for _ in 0..ROUNDS {
                    at_once::<B>(executor, width).await;
                }
            });
        }))
    }
    fn wavefront<B: Body>(&self, side: usize) -> Option<Round<'_>> {
        let square = Arc::new(Square::new(side));
        Some(Box::new(move || {
            square.reset();
            let (end, ended) = channel();
            wave::<B>(self.executor, square.clone(), end, 0);
            ended.recv().expect("the last task says so");
        }))
    }
    fn outside<B: Body>(&self) -> Option<Round<'_>> {
        Some(Box::new(|| self.inside(async { B::run(0) })))
    }
    fn dispatch<B: Body>(&self, tiles: usize) -> Option<Round<'_>> {
        Some(Box::new(move || {
            let (executor, workers) = (self.executor, self.workers);
            self.inside(async move {
                for _ in 0..ROUNDS {
                    claimed::<B>(executor, tiles, workers).await;
                }
            });
        }))
    }
}

//! rayon: tasks are spawned into a scope, or come out of a parallel iterator (form `iterator`).

#![forbid(unsafe_code)]

use bench_graphs::{Body, Graphs, ROUNDS, Round, Square};
use bench_harness::{Answer, Counting, serve};
use rayon::prelude::*;
use rayon::{Scope, ThreadPool, ThreadPoolBuilder};
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Counting = Counting;

struct Pool {
    pool: ThreadPool,
    is_iterator: bool,
}

fn chain_on<'s, B: Body>(scope: &Scope<'s>, at: usize, count: usize) {
    B::run(at);
    if at + 1 < count {
        scope.spawn(move |scope| chain_on::<B>(scope, at + 1, count));
    }
}

fn wave_on<'s, B: Body>(scope: &Scope<'s>, square: &'s Square, at: usize) {
    B::run(at);
    for next in square.next(at).into_iter().flatten() {
        scope.spawn(move |scope| wave_on::<B>(scope, square, next));
    }
}

/// So many tasks, and their join.
fn at_once<B: Body>(count: usize, is_iterator: bool) {
    if is_iterator {
        // One task for each element, as the case has it; rayon's own choice is one for each worker.
        (0..count).into_par_iter().with_max_len(1).for_each(B::run);
    } else {
        rayon::scope(|scope| (0..count).for_each(|index| scope.spawn(move |_| B::run(index))));
    }
}

impl Pool {
    fn times<B: Body>(&self, times: usize, count: usize) -> Option<Round<'_>> {
        let is_iterator = self.is_iterator;
        Some(Box::new(move || {
            self.pool.install(|| (0..times).for_each(|_| at_once::<B>(count, is_iterator)));
        }))
    }
}

impl Graphs for Pool {
    fn chain<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        (!self.is_iterator)
            .then(|| Box::new(move || self.pool.scope(|scope| chain_on::<B>(scope, 0, tasks))) as Round<'_>)
    }
    fn fan<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        self.times::<B>(1, tasks)
    }
    fn rounds<B: Body>(&self, width: usize) -> Option<Round<'_>> {
        self.times::<B>(ROUNDS, width)
    }
    fn wavefront<B: Body>(&self, side: usize) -> Option<Round<'_>> {
        if self.is_iterator {
            return None;
        }
        let square = Square::new(side);
        Some(Box::new(move || {
            square.reset();
            self.pool.scope(|scope| scope.spawn(|scope| wave_on::<B>(scope, &square, 0)));
        }))
    }
    fn outside<B: Body>(&self) -> Option<Round<'_>> {
        (!self.is_iterator).then(|| Box::new(|| self.pool.install(|| B::run(0))) as Round<'_>)
    }
    fn dispatch<B: Body>(&self, tiles: usize) -> Option<Round<'_>> {
        self.is_iterator.then(|| self.times::<B>(ROUNDS, tiles))?
    }
}

fn main() -> ExitCode {
    serve("1.12", |request| match request.parts().0 {
        "graphs" => {
            let pool = ThreadPoolBuilder::new().num_threads(request.workers).build().expect("threads start");
            bench_graphs::answer(request, &Pool { pool, is_iterator: request.form == "iterator" })
        }
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}

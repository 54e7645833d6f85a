//! The same work in a loop: what a task costs beyond its body, and from which size on threads are worth anything.

#![forbid(unsafe_code)]

use bench_graphs::{Body, Graphs, ROUNDS, Round};
use bench_harness::{Answer, Counting, serve};
use std::hint::black_box;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Counting = Counting;

/// Calls through boxed closures, as a graph keeps them.
struct Sequential;

type Task = Box<dyn Fn()>;

fn tasks<B: Body>(count: usize) -> Vec<Task> {
    (0..count).map(|index| Box::new(move || B::run(index)) as Task).collect()
}

/// Runs them in order, `times` times.
fn in_order<B: Body>(count: usize, times: usize) -> Option<Round<'static>> {
    let tasks = tasks::<B>(count);
    Some(Box::new(move || {
        for _ in 0..times {
            black_box(&tasks).iter().for_each(|task| task());
        }
    }))
}

impl Graphs for Sequential {
    fn chain<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        in_order::<B>(tasks, 1)
    }
    fn fan<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        in_order::<B>(tasks, 1)
    }
    fn rounds<B: Body>(&self, width: usize) -> Option<Round<'_>> {
        in_order::<B>(width, ROUNDS)
    }
    fn wavefront<B: Body>(&self, side: usize) -> Option<Round<'_>> {
        in_order::<B>(side * side, 1)
    }
    fn outside<B: Body>(&self) -> Option<Round<'_>> {
        in_order::<B>(1, 1)
    }
    fn dispatch<B: Body>(&self, tiles: usize) -> Option<Round<'_>> {
        in_order::<B>(tiles, ROUNDS)
    }
}

fn main() -> ExitCode {
    serve("", |request| match request.parts().0 {
        "graphs" => bench_graphs::answer(request, &Sequential),
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}

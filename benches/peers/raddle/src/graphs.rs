//! Task graphs, built once and run many times.

use bench_graphs::{Body, Graphs, ROUNDS, Round};
use raddle_task::{Executor, Graph, GraphBuilder, TaskId};
use std::sync::Arc;

/// An executor, and how work is given to it.
pub struct Ours {
    pub executor: Executor,
    pub is_lent: bool,
}

const OF_THIS_GRAPH: &str = "tasks of this graph";

fn tasks<B: Body>(builder: &mut GraphBuilder, count: usize) -> Vec<TaskId> {
    (0..count).map(|index| builder.call(move |_| B::run(index))).collect()
}

/// Adds `width` tasks after `before`, and their join.
fn add_fan<B: Body>(builder: &mut GraphBuilder, before: TaskId, width: usize) -> TaskId {
    let tasks = tasks::<B>(builder, width);
    let join = builder.barrier();
    for task in tasks {
        builder.edge(before, task).expect(OF_THIS_GRAPH);
        builder.edge(task, join).expect(OF_THIS_GRAPH);
    }
    join
}

fn fans<B: Body>(times: usize, width: usize) -> GraphBuilder {
    let mut builder = GraphBuilder::new();
    let mut before = builder.barrier();
    for _ in 0..times {
        before = add_fan::<B>(&mut builder, before, width);
    }
    builder
}

impl Ours {
    fn round(&self, builder: GraphBuilder) -> Option<Round<'_>> {
        let graph: Arc<Graph> = builder.build().expect("no cycle");
        let scope = self.executor.scope("bench");
        Some(match self.is_lent {
            true => Box::new(move || self.executor.run(&graph, &scope).expect("no task fails")),
            false => Box::new(move || {
                self.executor.submit(&graph, &scope).expect("it is open").wait().expect("no task fails");
            }),
        })
    }
}

impl Graphs for Ours {
    fn chain<B: Body>(&self, count: usize) -> Option<Round<'_>> {
        let mut builder = GraphBuilder::new();
        let tasks = tasks::<B>(&mut builder, count);
        builder.chain(tasks).expect(OF_THIS_GRAPH);
        self.round(builder)
    }
    fn fan<B: Body>(&self, tasks: usize) -> Option<Round<'_>> {
        self.round(fans::<B>(1, tasks))
    }
    fn rounds<B: Body>(&self, width: usize) -> Option<Round<'_>> {
        self.round(fans::<B>(ROUNDS, width))
    }
    fn wavefront<B: Body>(&self, side: usize) -> Option<Round<'_>> {
        let mut builder = GraphBuilder::new();
        let tasks = tasks::<B>(&mut builder, side * side);
        for at in 0..tasks.len() {
            if !(at + 1).is_multiple_of(side) {
                builder.edge(tasks[at], tasks[at + 1]).expect(OF_THIS_GRAPH);
            }
            if at + side < tasks.len() {
                builder.edge(tasks[at], tasks[at + side]).expect(OF_THIS_GRAPH);
            }
        }
        self.round(builder)
    }
    fn outside<B: Body>(&self) -> Option<Round<'_>> {
        let mut builder = GraphBuilder::new();
        tasks::<B>(&mut builder, 1);
        self.round(builder)
    }
    fn dispatch<B: Body>(&self, tiles: usize) -> Option<Round<'_>> {
        let mut builder = GraphBuilder::new();
        let grid = [u32::try_from(tiles).ok()?, 1, 1];
        let tasks: Vec<_> =
            (0..ROUNDS).map(|_| builder.dispatch(grid, |cx| B::run(cx.tile[0] as usize))).collect();
        builder.chain(tasks).expect(OF_THIS_GRAPH);
        self.round(builder)
    }
}

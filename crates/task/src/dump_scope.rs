//! What a dump says about scopes, their runs, and what they wait on.
//!
//! Facts are gathered under the scope's lock; sources, which are foreign code, are asked after it was released.

use crate::block::Block;
use crate::graph::Graph;
use crate::node::Work;
use crate::program::ProgramFacts;
use crate::scope;
use crate::waiting::Limit;
use raddle_status::Error;
use raddle_sync::atomic::Ordering::Relaxed;
use raddle_wait::{Condition, Moment, NEVER, Route, SharedSource};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// One scope in a dump.
#[derive(Clone, Debug)]
pub struct ScopeDump {
    /// Its name.
    pub name: String,
    /// Its failure.
    pub failure: Option<Error>,
    /// Its runs that have not ended.
    pub runs: Vec<RunDump>,
}

/// One run in a dump.
#[derive(Clone, Debug)]
pub struct RunDump {
    /// What the run is called, if it is a program with a name.
    pub name: Option<String>,
    /// Tasks of its graph.
    pub tasks: usize,
    /// Sinks and shares that have not ended.
    pub remaining: u32,
    /// Whether it was stopped.
    pub is_stopped: bool,
    /// Tasks that wait.
    pub waits: Vec<WaitDump>,
}

/// One wait in a dump.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitDump {
    /// The number of the task in its graph.
    pub task: u32,
    /// What it waits for: names of sources, numbers of descriptors, moments.
    pub condition: String,
    /// Until it gives up, or its delay has passed; `None` for never.
    pub left: Option<Duration>,
}

/// What a run says of itself under a lock.
pub(crate) struct RunFacts {
    /// None for a program, which is one task.
    pub(crate) graph: Option<Arc<Graph>>,
    /// What asks a program about itself.
    pub(crate) program: Option<Box<dyn FnOnce() -> ProgramFacts>>,
    pub(crate) remaining: u32,
    pub(crate) is_stopped: bool,
    /// Which wait of the graph, and when it gives up.
    pub(crate) waits: Vec<(usize, Moment)>,
}

impl RunFacts {
    /// What there is to say of a run of a graph.
    pub(crate) fn of(block: &Block) -> RunFacts {
        let waits = block.waits.iter().enumerate().filter(|(_, cell)| cell.cancel.is_waiting());
        RunFacts {
            graph: Some(block.state().graph.clone()),
            program: None,
            remaining: block.remaining.load(Relaxed),
            is_stopped: block.is_stopped.load(Relaxed),
            waits: waits.map(|(wait, cell)| (wait, cell.gives_up_at())).collect(),
        }
    }
}

impl ScopeDump {
    pub(crate) fn of(scope: &scope::Inner, now: Moment) -> ScopeDump {
        let (failure, runs) = scope.describe();
        let runs = runs.into_iter().map(|facts| facts.into_dump(now)).collect();
        ScopeDump { name: scope.name().to_owned(), failure, runs }
    }
}

impl RunFacts {
    fn into_dump(self, now: Moment) -> RunDump {
        let RunFacts { graph, program, remaining, is_stopped, waits } = self;
        let Some(graph) = graph else {
            let ask = program.unwrap_or_else(|| Box::new(ProgramFacts::default));
            let facts = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_default();
            let condition = facts.condition.as_ref().map_or_else(
                || "a program's wait".to_owned(),
                |condition| {
                    let mut text = String::new();
                    describe(condition, now, &mut text);
                    text
                },
            );
            let waits = waits.iter().map(|&(_, moment)| WaitDump {
                task: 0,
                condition: condition.clone(),
                left: left(moment, now),
            });
            return RunDump { name: facts.name, tasks: 1, remaining, is_stopped, waits: waits.collect() };
        };
        let tasks: Vec<u32> = match waits.is_empty() {
            true => Vec::new(),
            false => (0..)
                .zip(&graph.nodes)
                .filter(|(_, node)| matches!(node.work, Work::Wait(_)))
                .map(|(task, _)| task)
                .collect(),
        };
        let describe = |&(wait, gives_up_at): &(usize, Moment)| {
            let plan = &graph.waits[wait];
            let mut condition = String::new();
            match plan.limit {
                Limit::Delay(_) => condition.push_str("delay"),
                Limit::None | Limit::Deadline(_) => describe(&plan.condition, now, &mut condition),
            }
            WaitDump { task: tasks[wait], condition, left: left(gives_up_at, now) }
        };
        RunDump {
            name: None,
            tasks: graph.nodes.len(),
            remaining,
            is_stopped,
            waits: waits.iter().map(describe).collect(),
        }
    }
}

/// How long until a moment; `None` for never.
pub(crate) fn left(moment: Moment, now: Moment) -> Option<Duration> {
    (moment != NEVER).then(|| Duration::from_nanos(moment.saturating_sub(now)))
}

/// A condition in words.
fn describe(condition: &Condition, now: Moment, text: &mut String) {
    let (name, children) = match condition {
        Condition::Until(source) => return text.push_str(&describe_source(source, now)),
        Condition::At(moment) => return text.push_str(&describe_moment("Until", *moment, now)),
        Condition::After(duration) => return text.push_str(&format!("Elapsed for {duration:?}")),
        Condition::Any(children) => ("any of (", children),
        Condition::All(children) => ("all of (", children),
    };
    text.push_str(name);
    for (at, child) in children.iter().enumerate() {
        text.push_str(if at > 0 { ", " } else { "" });
        describe(child, now, text);
    }
    text.push(')');
}

fn describe_moment(name: &str, moment: Moment, now: Moment) -> String {
    match left(moment, now) {
        Some(left) => format!("{name} in {left:?}"),
        None => format!("{name} never"),
    }
}

fn describe_source(source: &SharedSource, now: Moment) -> String {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let name = short(source.name());
        match source.route() {
            Route::Moment(moment) => describe_moment(&name, moment, now),
            Route::Delay(delay) => format!("{name} for {delay:?}"),
            Route::Descriptor(fd, interest) => format!("{name}: descriptor {}, {interest:?}", fd.as_raw_fd()),
            Route::Watch(watch) => {
                let (fd, interest) = watch.what();
                format!("{name}: descriptor {}, {interest:?}", fd.as_raw_fd())
            }
            _ => name,
        }
    }));
    told.unwrap_or_else(|_| "a source that panics when it is asked for its name".to_owned())
}

/// A type's name without the paths of its modules.
fn short(name: &str) -> String {
    let mut text = String::new();
    let mut word = 0;
    for letter in name.chars() {
        match letter {
            ':' => text.truncate(word),
            letter => text.push(letter),
        }
        if !(letter.is_alphanumeric() || letter == '_' || letter == ':') {
            word = text.len();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_lose_their_paths() {
        let name = "a::b::Source<c::d::F, [&dyn e::G]>";
        assert_eq!(super::short(name), "Source<F, [&dyn G]>");
        assert_eq!(super::short("Plain"), "Plain");
    }
}

//! "What is it waiting on?": workers, queues, scopes and outstanding waits.
//!
//! Not here: the text and JSON forms (`dump_text.rs`), scopes and runs (`dump_scope.rs`).
//!
//! It costs the paths of tasks nothing: it walks scopes under their own locks and reads words racily. Numbers of one dump
//! need not fit together exactly.

use crate::core::Core;
use crate::counters::Counts;
use crate::dump_scope::{ScopeDump, left};
use crate::executor::{Driver, Executor};
use crate::idle::Place;
use crate::priority::PRIORITIES;
use raddle_sync::atomic::Ordering::Relaxed;
use raddle_wait::SlotCounts;
use std::time::Duration;

/// What an executor does and waits on at a moment. `Display` is a page of text, [`to_json`](Dump::to_json) the same as JSON.
#[derive(Clone, Debug)]
pub struct Dump {
    /// The executor's name.
    pub name: String,
    /// Who looks at the wait set.
    pub driver: Driver,
    /// Whether it takes no new work any more.
    pub is_closed: bool,
    /// Its workers.
    pub workers: Vec<WorkerDump>,
    /// Threads inside a blocking wait or a section that blocks.
    pub blocked: usize,
    /// What lies in shared queues.
    pub queues: QueueDump,
    /// Waits on descriptors and moments, deadlines included.
    pub outstanding: usize,
    /// Until the next of their moments.
    pub next_moment: Option<Duration>,
    /// Wait slots.
    pub slots: SlotCounts,
    /// Scopes that somebody holds or that are busy.
    pub scopes: Vec<ScopeDump>,
    /// Counts since the executor was built.
    pub counts: Counts,
    /// What is probably wrong.
    pub remarks: Vec<String>,
}

/// One worker in a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkerDump {
    /// Its number.
    pub index: usize,
    /// Whether it runs or sleeps.
    pub state: WorkerState,
    /// Tasks in its own queues.
    pub tasks: usize,
}

/// Where a worker is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkerState {
    /// Inside a task, or looking for one.
    Running,
    /// Asleep until there is work.
    Parked,
    /// Asleep in the kernel, on the wait set.
    InKernel,
}

/// Shared queues in a dump.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct QueueDump {
    /// Tasks from outside, by priority, as far as they were counted.
    pub outside: [usize; PRIORITIES],
    /// Whether there are more that were not counted.
    pub is_more_outside: bool,
    /// Tasks for which a worker's queue had no room.
    pub spilled: usize,
    /// Tasks in the queues of threads that lend themselves, and of the host.
    pub guests: usize,
}

impl Executor {
    /// What it does and waits on. Blocks: for short locks of scopes, one after another. Thread-safe.
    pub fn dump(&self) -> Dump {
        Dump::of(self.core())
    }
}

impl Dump {
    pub(crate) fn of(core: &Core) -> Dump {
        let now = core.now();
        let workers =
            core.remotes[..core.worker_count].iter().enumerate().map(|(index, remote)| WorkerDump {
                index,
                state: match remote.sleeps_at() {
                    None => WorkerState::Running,
                    Some(Place::Parker) => WorkerState::Parked,
                    Some(Place::Kernel) => WorkerState::InKernel,
                },
                tasks: remote.task_count(),
            });
        let mut dump = Dump {
            name: core.name.clone(),
            driver: core.driver,
            is_closed: core.is_closed.load(Relaxed),
            workers: workers.collect(),
            blocked: core.blocked.load(Relaxed) + core.in_sections.load(Relaxed),
            queues: queues(core),
            outstanding: core.set.outstanding(),
            next_moment: left(core.set.next_deadline(), now),
            slots: core.slots.counts(),
            scopes: core.scopes.all().iter().map(|scope| ScopeDump::of(scope, now)).collect(),
            counts: core.counts(),
            remarks: Vec::new(),
        };
        dump.add_remarks(core);
        dump
    }

    /// Whether there is something to run.
    pub fn has_tasks(&self) -> bool {
        self.queues != QueueDump::default() || self.workers.iter().any(|worker| worker.tasks > 0)
    }

    fn add_remarks(&mut self, core: &Core) {
        let is_busy = self.has_tasks() || self.outstanding > 0;
        if self.driver == Driver::Host && is_busy {
            let host = core.remotes.last().expect("the host has a place");
            let text = match host.counters.read().poller_turns {
                0 => "there is work, but the host never called `turn`",
                _ if core.host.try_lock().is_some() => "there is work, and the host is not inside `turn` now",
                _ => "",
            };
            if !text.is_empty() {
                self.remarks.push(text.to_owned());
            }
        }
        let count = self.workers.len();
        if count > 0 && self.blocked >= count && is_busy {
            self.remarks.push(format!("all {count} workers are inside something that blocks"));
        }
        if self.is_closed && self.scopes.iter().any(|scope| !scope.runs.is_empty()) {
            self.remarks.push("it is shutting down, and runs have not ended".to_owned());
        }
    }
}

fn queues(core: &Core) -> QueueDump {
    let mut queues = QueueDump {
        spilled: core.spilled_count(),
        guests: core.remotes[core.worker_count..].iter().map(|remote| remote.task_count()).sum(),
        ..QueueDump::default()
    };
    for (priority, counted) in queues.outside.iter_mut().enumerate() {
        let (count, is_more) = core.outside_glance(priority);
        *counted = count;
        queues.is_more_outside |= is_more;
    }
    queues
}

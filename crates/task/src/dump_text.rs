//! A dump as text and as JSON.

use crate::dump::{Dump, WorkerState};
use crate::dump_scope::{RunDump, ScopeDump};
use std::fmt::{self, Write};
use std::time::Duration;

/// Waits of one run that the text shows; JSON has all. Unit: lines.
const WAITS_SHOWN: usize = 32;

impl fmt::Display for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WorkerState::Running => "running",
            WorkerState::Parked => "parked",
            WorkerState::InKernel => "in the kernel",
        })
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closed { ", shutting down" } else { "" };
        writeln!(
            f,
            "executor {} ({} workers, driver {:?}{state})",
            self.name,
            self.workers.len(),
            self.driver
        )?;
        for remark in &self.remarks {
            writeln!(f, "  ! {remark}")?;
        }
        for worker in &self.workers {
            writeln!(f, "  worker {}: {}, {} tasks queued", worker.index, worker.state, worker.tasks)?;
        }
        let queues = &self.queues;
        let more = if queues.is_more_outside { " and more" } else { "" };
        let [high, normal, low] = queues.outside;
        writeln!(f, "  outside: {high} high, {normal} normal, {low} low{more}; spilled: {}", queues.spilled)?;
        writeln!(f, "  blocked: {} threads; lent and host's queues: {} tasks", self.blocked, queues.guests)?;
        write!(f, "  wait set: {} armed", self.outstanding)?;
        match self.next_moment {
            Some(left) => writeln!(f, ", next moment in {left:?}")?,
            None => writeln!(f, ", no moment")?,
        }
        let used = self.slots.made - self.slots.free - self.slots.worn;
        writeln!(f, "  wait slots: {used} used of {}", self.slots.made)?;
        for scope in &self.scopes {
            write_scope(f, scope)?;
        }
        f.write_str("  counts:")?;
        for (name, count) in self.counts.iter().filter(|(_, count)| *count > 0) {
            write!(f, " {name} {count}")?;
        }
        Ok(())
    }
}

fn write_scope(f: &mut fmt::Formatter<'_>, scope: &ScopeDump) -> fmt::Result {
    write!(f, "  scope {}: {} runs", scope.name, scope.runs.len())?;
    match &scope.failure {
        Some(failure) => writeln!(f, ", failed: {failure}")?,
        None => writeln!(f)?,
    }
    for run in &scope.runs {
        let stopped = if run.is_stopped { ", stopped" } else { "" };
        match &run.name {
            Some(name) => writeln!(f, "    {name}{stopped}")?,
            None => writeln!(f, "    run of {} tasks, {} ends left{stopped}", run.tasks, run.remaining)?,
        }
        for wait in run.waits.iter().take(WAITS_SHOWN) {
            write!(f, "      task {} waits for {}", wait.task, wait.condition)?;
            match wait.left {
                Some(left) => writeln!(f, ", {left:?} left")?,
                None => writeln!(f)?,
            }
        }
        if run.waits.len() > WAITS_SHOWN {
            writeln!(f, "      and {} waits more", run.waits.len() - WAITS_SHOWN)?;
        }
    }
    Ok(())
}

impl Dump {
    /// The same as one line of JSON. Times are in nanoseconds; `null` is never.
    pub fn to_json(&self) -> String {
        let mut json = Json::default();
        json.object(|json| {
            json.key("name").text(&self.name);
            json.key("driver").text(&format!("{:?}", self.driver));
            json.key("is_closed").raw(self.is_closed);
            json.key("workers").list(&self.workers, |json, worker| {
                json.object(|json| {
                    json.key("index").raw(worker.index);
                    json.key("state").text(&worker.state.to_string());
                    json.key("tasks").raw(worker.tasks);
                });
            });
            json.key("blocked").raw(self.blocked);
            json.key("outside").list(self.queues.outside, |json, count| json.raw(count));
            json.key("is_more_outside").raw(self.queues.is_more_outside);
            json.key("spilled").raw(self.queues.spilled);
            json.key("guests").raw(self.queues.guests);
            json.key("outstanding").raw(self.outstanding);
            json.key("next_moment_ns").time(self.next_moment);
            json.key("slots_made").raw(self.slots.made);
            json.key("slots_free").raw(self.slots.free);
            json.key("scopes").list(&self.scopes, write_scope_json);
            json.key("counts").object(|json| {
                for (name, count) in self.counts.iter() {
                    json.key(name).raw(count);
                }
            });
            json.key("remarks").list(&self.remarks, |json, remark| json.text(remark));
        });
        json.text
    }
}

fn write_scope_json(json: &mut Json, scope: &ScopeDump) {
    json.object(|json| {
        json.key("name").text(&scope.name);
        match &scope.failure {
            Some(failure) => json.key("failure").text(&failure.to_string()),
            None => json.key("failure").raw("null"),
        }
        json.key("runs").list(&scope.runs, write_run_json);
    });
}

fn write_run_json(json: &mut Json, run: &RunDump) {
    json.object(|json| {
        if let Some(name) = &run.name {
            json.key("name").text(name);
        }
        json.key("tasks").raw(run.tasks);
        json.key("remaining").raw(run.remaining);
        json.key("is_stopped").raw(run.is_stopped);
        json.key("waits").list(&run.waits, |json, wait| {
            json.object(|json| {
                json.key("task").raw(wait.task);
                json.key("condition").text(&wait.condition);
                json.key("left_ns").time(wait.left);
            });
        });
    });
}

/// Writes JSON.
#[derive(Default)]
struct Json {
    text: String,
    needs_comma: bool,
}

impl Json {
    fn object(&mut self, fill: impl FnOnce(&mut Json)) {
        self.text.push('{');
        self.needs_comma = false;
        fill(self);
        self.text.push('}');
        self.needs_comma = true;
    }

    fn key(&mut self, key: &str) -> &mut Json {
        if self.needs_comma {
            self.text.push(',');
        }
        self.text(key);
        self.text.push(':');
        self
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Json, T)) {
        self.text.push('[');
        for (at, item) in items.into_iter().enumerate() {
            self.text.push_str(if at > 0 { "," } else { "" });
            write(self, item);
        }
        self.text.push(']');
        self.needs_comma = true;
    }

    fn time(&mut self, time: Option<Duration>) {
        match time {
            Some(time) => self.raw(time.as_nanos()),
            None => self.raw("null"),
        }
    }

    fn raw(&mut self, value: impl fmt::Display) {
        write!(self.text, "{value}").expect("a string takes any text");
        self.needs_comma = true;
    }

    fn text(&mut self, text: &str) {
        self.text.push('"');
        for letter in text.chars() {
            match letter {
                '"' | '\\' => self.text.extend(['\\', letter]),
                letter if letter < ' ' => self.raw(format_args!("\\u{:04x}", letter as u32)),
                letter => self.text.push(letter),
            }
        }
        self.text.push('"');
        self.needs_comma = true;
    }
}

//! What a batch says of itself: progress while it runs, a summary at its end.

use raddle_status::{Code, Error};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// How far a batch is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Items that ended as they should.
    pub succeeded: u64,
    /// Items that failed for good.
    pub failed: u64,
    /// Items that were not run, since a former run had finished them.
    pub resumed: u64,
    /// Of these, those that had failed.
    pub resumed_failed: u64,
    /// Items that belong to other shards.
    pub elsewhere: u64,
    /// Calls that were tried again.
    pub retried: u64,
    /// Calls that run or wait.
    pub in_flight: usize,
    /// Of these, those that wait, roughly.
    pub waiting: usize,
    /// The most calls that ran or waited at a time.
    pub in_flight_most: usize,
    /// Waits of programs that were not satisfied when they began, and have ended: of the whole runtime, since the batch began.
    pub waits: u64,
    /// Awaits of fences that suspended a call.
    pub suspended_awaits: u64,
    /// How many items there are, if the input knows; those of other shards included.
    pub total: Option<u64>,
    /// Since the batch began.
    pub elapsed: Duration,
}

impl Progress {
    /// Items that have ended in this run.
    pub fn ended(&self) -> u64 {
        self.succeeded + self.failed
    }

    /// Items that were ended, found finished, or left to others.
    pub fn passed(&self) -> u64 {
        self.ended() + self.resumed + self.elsewhere
    }

    /// Items that end in a second.
    pub fn rate(&self) -> f64 {
        self.ended() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// When it will be done, at this rate; `None` if that can't be said.
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.passed());
        let share = self.ended() as f64 / (self.ended() + self.elsewhere).max(1) as f64;
        Duration::try_from_secs_f64(left as f64 * share / self.rate().max(1e-9)).ok()
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How far it came.
    pub progress: Progress,
    /// Why it ended before its input did; `None` if it is complete.
    pub stopped: Option<Error>,
    /// How many items failed with which status.
    pub failures: BTreeMap<Code, u64>,
}

impl Summary {
    /// Whether every item of the input, or of the shard, has ended.
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none()
    }

    /// The summary as one line of JSON.
    pub fn to_json(&self) -> String {
        let Progress { succeeded, failed, resumed, resumed_failed, elsewhere, retried, elapsed, .. } =
            &self.progress;
        let Progress { in_flight_most, waits, suspended_awaits, .. } = &self.progress;
        let mut text = format!(
            "{{\"complete\":{},\"succeeded\":{succeeded},\"failed\":{failed},\"resumed\":{resumed},\"resumed_failed\":{resumed_failed},\
             \"elsewhere\":{elsewhere},\"retried\":{retried},\"in_flight_most\":{in_flight_most},\"waits\":{waits},\
             \"suspended_awaits\":{suspended_awaits},\"seconds\":{:.3},\"failures\":{{",
            self.is_complete(),
            elapsed.as_secs_f64()
        );
        for (at, (code, count)) in self.failures.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            // A string takes any text.
            let _ = write!(text, "{comma}\"{code}\":{count}");
        }
        text.push('}');
        if let Some(error) = &self.stopped {
            let quoted = serde_json::Value::from(error.to_string());
            let _ = write!(text, ",\"stopped\":{quoted}");
        }
        text.push('}');
        text
    }
}

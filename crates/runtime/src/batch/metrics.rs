//! Progress and counts in the text form that Prometheus reads.
//!
//! # Sources
//! The exposition format, version 0.0.4: `# HELP`, `# TYPE`, name and value on a line.

use super::report::Progress;
use raddle_task::Counts;
use std::fmt::{Display, Write as _};

/// The metrics of a batch and of the executor that runs it.
pub fn prometheus(progress: &Progress, counts: &Counts) -> String {
    let mut text = String::new();
    let mut put = |name: &str, kind: &str, help: &str, value: &dyn Display| {
        // A string takes any text.
        let _ =
            writeln!(text, "# HELP raddle_{name} {help}\n# TYPE raddle_{name} {kind}\nraddle_{name} {value}");
    };
    let p = progress;
    put("batch_succeeded_total", "counter", "Items that ended as they should.", &p.succeeded);
    put("batch_failed_total", "counter", "Items that failed for good.", &p.failed);
    put("batch_resumed_total", "counter", "Items that a former run had finished.", &p.resumed);
    put("batch_resumed_failed_total", "counter", "Of these, those that had failed.", &p.resumed_failed);
    put("batch_elsewhere_total", "counter", "Items that belong to other shards.", &p.elsewhere);
    put("batch_retried_total", "counter", "Calls that were tried again.", &p.retried);
    put("batch_in_flight", "gauge", "Calls that run or wait.", &p.in_flight);
    put("batch_waiting", "gauge", "Of these, those that wait, roughly.", &p.waiting);
    put("batch_seconds", "gauge", "Since the batch began.", &p.elapsed.as_secs_f64());
    if let Some(total) = p.total {
        put("batch_items", "gauge", "Items of the input.", &total);
    }
    for (name, value) in counts.iter() {
        put(&format!("executor_{name}_total"), "counter", "A count of the executor.", &value);
    }
    text
}

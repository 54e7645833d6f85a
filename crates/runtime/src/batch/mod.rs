//! Batches: one function over many items, a bounded number in flight, one failing item harming no other.
//!
//! | file | owns |
//! |---|---|
//! | `plan.rs` | what a batch is to do |
//! | `engine.rs` | the loop: launching, retrying, telling |
//! | `item.rs` | items, their ids, what became of them |
//! | `items.rs` | where they come from |
//! | `shard.rs` | which items belong to one of several machines |
//! | `tray.rs` | what it hands to workers |
//! | `launcher.rs` | what takes it there, and begins the calls |
//! | `mailbox.rs` | what workers hand to the thread that runs the batch |
//! | `stopper.rs` | what stops it from outside |
//! | `order.rs` | results in the order of their items |
//! | `duplicates.rs` | ids that were seen before |
//! | `report.rs` | progress and summary |
//! | `metrics.rs` | the same for Prometheus |
//! | `sink.rs` | a file of results that survives a crash |
//! | `log.rs` | which results are in it, with checksums |
//! | `format/` | items from files, results to files |
//!
//! Not here: the command line (`tools/raddle`).

mod duplicates;
mod engine;
pub mod format;
mod item;
mod items;
mod launcher;
mod log;
pub(crate) mod mailbox;
mod metrics;
mod order;
mod plan;
mod report;
mod shard;
mod sink;
mod stopper;
pub(crate) mod tray;

pub use engine::Sink;
pub use item::{Done, Item, ItemId};
pub use items::{Feed, Feeder, Items, feed};
pub use log::Fingerprint;
pub use metrics::prometheus;
pub use plan::{Batch, State};
pub use report::{Progress, Summary};
pub use shard::Shard;
pub use sink::{Encode, Finished, Opening, ResultFile};

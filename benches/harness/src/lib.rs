//! What problems, peers and the driver share.
//!
//! A problem (`problems/*`) states cases and a trait; a peer (`peers/*`) is a program that implements the trait for one
//! library; the driver (`drive`) runs the programs in turn. Between them: a [`Request`] on a command line, an
//! [`Answer`] of one line of JSON. A program measures one case and ends, so that no case inherits another's threads,
//! heap or caches.
//!
//! | module | owns |
//! |---|---|
//! | `case` | what is measured, in which unit, and which aim is set |
//! | `request`, `answer` | the two lines between the driver and a peer's program |
//! | `child` | a process that is seen from outside |
//! | `clock` | how rounds, rates and wake-ups are timed |
//! | `memory` | an allocator that counts |
//! | `system` | processor time, resident memory, eventfds |
//! | `serve` | the `main` of a peer's program |

#![deny(unsafe_code)]

mod answer;
mod case;
mod child;
mod clock;
mod memory;
mod request;
mod serve;
mod system;

pub use answer::Answer;
pub use case::{Aim, Axis, Better, Case, Goal, Metric};
pub use child::{Ended, run};
pub use clock::{Counts, Late, Stamp, rate, rounds, spaced};
pub use memory::{Counting, heap_bytes, take_heap_peak};
pub use request::Request;
pub use serve::serve;
pub use system::{cpu_s, kick, new_eventfd, raise_descriptor_limit, resident_bytes, take};

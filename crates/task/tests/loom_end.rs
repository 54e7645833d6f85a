//! Models of the end of a program (`src/end.rs`).
//!
//! # Models
//! - `end_is_told`: an end that comes while somebody asks for its event: he sees that it has come, or finds the event
//!   set, and either way what was done before. 2 threads, exhaustive: 32 schedules, 0.00 s. Fails under end.come,
//!   end.tell.

#![cfg(raddle_loom)]

mod modelling;

use modelling::Data;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::End;
use std::sync::Arc;

#[test]
fn end_is_told() {
    Model::new(
        "end_is_told",
        "an end that comes while somebody asks for its event: he sees that it has come, or finds the event set, and either way what was done before",
    )
    .kills("end.come", "Causality violation")
    .kills("end.tell", "nobody is told")
    .check(|| {
        let (end, data) = (Arc::new(End::default()), Data::new());
        let ender = {
            let (end, data) = (end.clone(), data.clone());
            thread::spawn(move || {
                data.write(0);
                end.come();
            })
        };
        let event = end.event();
        if event.is_none_or(|event| event.is_set()) {
            data.read(0);
        }
        ender.join().unwrap();
        assert!(end.has_come());
        assert!(event.is_none_or(|event| event.is_set()), "nobody is told");
    });
}

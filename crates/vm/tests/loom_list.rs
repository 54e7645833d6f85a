//! Models of lists that two programs have (`src/list.rs`): they take turns, one operation each.
//!
//! # Models
//! - `list_operations_take_turns`: two threads append to one list: each value is there once, and nobody reaches the
//!   elements beside another. 2 threads, exhaustive: 6355 schedules, 0.68 s. Fails under list.lock, list.unlock.

#![cfg(raddle_loom)]

use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_vm::{List, Value};
use std::sync::Arc;

#[test]
fn list_operations_take_turns() {
    Model::new(
        "list_operations_take_turns",
        "two threads append to one list: each value is there once, and nobody reaches the elements beside another",
    )
    .kills("list.lock", "Causality violation")
    .kills("list.unlock", "Causality violation")
    .check(|| {
        let list = Arc::new(List::from_values([]));
        let other = {
            let list = list.clone();
            thread::spawn(move || list.push(Value::I32(1)).is_ok())
        };
        // A list that stays locked for long is refused. It may seem to stay so for ever: the checker leaves open where in the
        // word's history the store of an unlock comes, also behind an exchange that came before it.
        let mine = list.push(Value::I32(2)).is_ok();
        let theirs = other.join().unwrap();
        if let Ok(length) = list.len() {
            assert_eq!(length, usize::from(mine) + usize::from(theirs), "an element was lost or doubled");
        }
    });
}

//! Models of the tray of a batch (`src/batch/tray.rs`): one thread lays items down, launchers come when they are asked for and
//! leave when they find nothing.
//!
//! # Models
//! - `tray_leaves_no_item_behind`: a second item is laid down beside a launcher that is about to leave: it is taken. 3
//!   threads, exhaustive: 7 schedules, 0.00 s. Fails under tray.leave.

#![cfg(raddle_loom)]

use raddle::internals::Items;
use raddle_sync::model::Model;
use raddle_sync::thread;
use std::sync::Arc;

#[test]
fn tray_leaves_no_item_behind() {
    Model::new(
        "tray_leaves_no_item_behind",
        "a second item is laid down beside a launcher that is about to leave: it is taken",
    )
    .kills("tray.leave", "an item was left behind")
    .check(|| {
        let tray = Arc::new(Items::new(1));
        let mut launchers = Vec::new();
        for item in 0..2 {
            if tray.lay(item) {
                let tray = tray.clone();
                launchers.push(thread::spawn(move || {
                    let mut count = 0;
                    while let Some(taken) = tray.take() {
                        count += taken;
                    }
                    count
                }));
            }
        }
        let taken: usize = launchers.into_iter().map(|launcher| launcher.join().unwrap()).sum();
        assert_eq!(taken, 2, "an item was left behind");
    });
}

//! The library's batches: bounds, order, stops, sources of items, runtimes with and without workers.

mod support;

use raddle::batch::{Done, Item, Progress, Shard, feed};
use raddle::wait::Event;
use raddle::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use support::*;

fn delays(count: i32, ns: i64) -> impl Iterator<Item = Result<Item>> {
    (0..count).map(move |value| Ok(Item::new([Value::I64(ns), Value::I32(value)])))
}

fn value(done: &Done) -> i32 {
    done.result.as_ref().unwrap().to::<i32>().unwrap()
}

#[test]
fn every_item_is_told_once_with_and_without_workers() {
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        for is_ordered in [false, true] {
            let mut told = Vec::new();
            let batch = runtime.batch(&session, "waits.delay").unwrap().in_flight(50).ordered(is_ordered);
            let summary = batch.run(delays(500, 100_000), &mut |done: &mut Done| {
                assert_eq!(u64::try_from(value(done)).unwrap(), done.index);
                told.push(done.index);
                Ok(())
            });
            assert!(summary.is_complete() && summary.progress.succeeded == 500, "{summary:?}");
            if !is_ordered {
                told.sort_unstable();
            }
            assert_eq!(told, (0..500).collect::<Vec<u64>>());
        }
    }
}

#[test]
fn items_are_pulled_when_there_is_room() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let (gate, gate_value) = event();
    let pulled = Rc::new(Cell::new(0));
    let counted = pulled.clone();
    // The first item waits until the input has gone as far as the order admits.
    let items = (0..100_000).map(move |index| {
        counted.set(index + 1);
        assert!(index < 4 + 4 * 8, "{index} items were pulled");
        Ok(Item::new([if index == 0 { gate_value.clone() } else { Value::Ref(None) }, Value::I32(index)]))
    });
    let seen = pulled.clone();
    let stop = Arc::new(Event::manual());
    let told = stop.clone();
    let batch = runtime.batch(&session, "until").unwrap().in_flight(4).ordered(true).stop_on(stop);
    let report = move |_: &Progress| {
        if seen.get() >= 4 * 8 {
            told.set();
        }
    };
    let batch = batch.on_progress(Duration::from_millis(1), report);
    let summary = batch.run(items, &mut |_: &mut Done| Ok(()));
    assert_eq!(summary.stopped.unwrap().code(), Code::Cancelled);
    assert_eq!(pulled.get(), 32);
    drop(gate);
}

#[test]
fn a_stop_cancels_what_is_in_flight_and_tells_it_not() {
    for workers in [0, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let stop = Arc::new(Event::manual());
        let told = stop.clone();
        let items = delays(100, LONG).chain(delays(10, 0));
        let batch = runtime.batch(&session, "delay").unwrap().stop_on(stop);
        let summary = batch.run(items, &mut |done: &mut Done| {
            assert!(done.index >= 100 && done.result.is_ok());
            told.set();
            Ok(())
        });
        assert!(summary.progress.succeeded >= 1 && summary.progress.failed == 0);
        assert_eq!(summary.stopped.unwrap().code(), Code::Cancelled);
        assert!(session.function("add").unwrap().invoke((1, 2)).wait().is_ok());
    }
}

#[test]
fn an_item_pauses_before_it_is_tried_again() {
    const HOUR: Duration = Duration::from_secs(3600);
    for workers in [0, 1] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let batch =
            || runtime.batch(&session, "delay").unwrap().timeout(Duration::from_millis(1)).in_flight(2);
        let mut attempts = Vec::new();
        let summary = batch().retries(3).retry_pause(Duration::from_millis(1)).run(
            delays(4, LONG),
            &mut |done: &mut Done| {
                attempts.push(done.attempts);
                Ok(())
            },
        );
        assert_eq!((attempts, summary.progress.retried), (vec![4; 4], 12));
        assert_eq!(summary.failures[&Code::DeadlineExceeded], 4);
        // The pause of a batch that is stopped is not waited for, and its item is not told.
        let stop = Arc::new(Event::manual());
        let told = stop.clone();
        let report = move |progress: &Progress| {
            if progress.retried == 2 {
                told.set();
            }
        };
        let batch =
            batch().retries(1).retry_pause(HOUR).stop_on(stop).on_progress(Duration::from_millis(1), report);
        let summary =
            batch.run(delays(4, LONG), &mut |_: &mut Done| -> Result { unreachable!("none has ended") });
        assert_eq!(summary.stopped.unwrap().code(), Code::Cancelled);
        assert_eq!((summary.progress.retried, summary.progress.ended()), (2, 0));
    }
}

#[test]
fn a_sink_that_fails_stops_the_batch() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let mut count = 0;
    let batch = runtime.batch(&session, "delay").unwrap().in_flight(8);
    let summary = batch.run(delays(1000, 0).chain(delays(1000, LONG)), &mut |_: &mut Done| {
        count += 1;
        if count == 5 { Err(Error::new(Code::ResourceExhausted, "full")) } else { Ok(()) }
    });
    assert_eq!(summary.stopped.unwrap().code(), Code::ResourceExhausted);
    assert!(summary.progress.succeeded < 1000);
}

#[test]
fn an_input_that_fails_ends_the_batch_after_what_came_before() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let broken = std::iter::once(Err(Error::new(Code::DataLoss, "the input ends here")));
    let batch = runtime.batch(&session, "delay").unwrap();
    let summary = batch.run(broken.chain(delays(5, 0)), &mut |_: &mut Done| Ok(()));
    assert_eq!(summary.stopped.unwrap().code(), Code::DataLoss);
    assert_eq!(runtime.batch(&session, "none").unwrap_err().code(), Code::NotFound);
}

#[test]
fn results_are_told_while_a_feed_has_nothing() {
    for workers in [0, 1] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let (feeder, items) = feed(1);
        let (sender, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            for round in 0..20 {
                assert!(feeder.send(Ok(Item::new([Value::I64(1000), Value::I32(round)]))));
                // The next one comes only when this one was told.
                assert_eq!(told.recv(), Ok(round));
            }
        });
        let batch = runtime.batch(&session, "delay").unwrap();
        let summary = batch.run_from(items, &mut |done: &mut Done| {
            sender.send(value(done)).unwrap();
            Ok(())
        });
        thread.join().unwrap();
        assert!(summary.is_complete() && summary.progress.succeeded == 20);
    }
}

#[test]
fn names_shards_and_progress() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let named = |name: &'static str| Ok(Item::new([Value::I64(0), Value::I32(1)]).id(name));
    let items = || [named("a"), named("b"), named("c"), named("a")];
    let mut ids = Vec::new();
    let mut failed = 0;
    for index in 0..2 {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let kept = reports.clone();
        let batch = runtime.batch(&session, "delay").unwrap().shard(Shard::new(index, 2).unwrap());
        let batch =
            batch.on_progress(Duration::ZERO, move |progress| kept.borrow_mut().push(progress.clone()));
        let summary = batch.run(items(), &mut |done: &mut Done| {
            ids.push(done.id.to_string());
            Ok(())
        });
        failed += summary.failures.get(&Code::AlreadyExists).copied().unwrap_or(0);
        let last = reports.borrow().last().cloned().unwrap();
        assert_eq!((last.total, last.passed(), last.in_flight), (Some(4), 4, 0));
    }
    ids.sort_unstable();
    assert_eq!((ids, failed), (["a", "a", "b", "c"].map(str::to_owned).to_vec(), 1));
}

#[test]
fn an_item_begins_before_the_next_is_pulled() {
    const SAYS: &str = r#"
vm.module @says
vm.import @host.say cconv "0i_v"
vm.export @says
vm.func @says(%i0: i32) -> () {
  vm.call @host.say(%i0)
  vm.return
}
"#;
    let (said, heard) = std::sync::mpsc::channel();
    let host = vm::NativeModule::builder("host").function("say", move |_: &(), number: i32| {
        let _ = said.send(number);
        Ok(())
    });
    let runtime = runtime(2);
    let session = runtime.session().native(host.build().unwrap());
    let session = session.bytes(vm::assemble(SAYS).unwrap().build()).unwrap().build().unwrap();
    // Who makes the items waits on this thread, each time for what the item before has done.
    let items = (0..1000).map(|number| {
        if number > 0 {
            assert_eq!(heard.recv_timeout(Duration::from_secs(60)), Ok(number - 1));
        }
        Ok(Item::new([Value::I32(number)]))
    });
    let summary = runtime.batch(&session, "says").unwrap().run(items, &mut |_: &mut Done| Ok(()));
    assert!(summary.is_complete() && summary.progress.succeeded == 1000, "{summary:?}");
}

#[test]
fn a_shutdown_under_a_batch_ends_every_item() {
    for workers in [0, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let mut told = 0;
        // Some wait, some lie on the tray, some are still to be pulled.
        let items = delays(1, 0).chain(delays(200, LONG)).chain(delays(300, 0));
        let batch = runtime.batch(&session, "delay").unwrap().in_flight(250);
        let summary = batch.run(items, &mut |done: &mut Done| {
            told += 1;
            if told == 1 {
                assert!(done.result.is_ok());
                let report =
                    runtime.shutdown(raddle::wait::after(runtime.now(), Duration::from_secs(60))).unwrap();
                assert!(report.leaked.is_empty(), "{report:?}");
            }
            Ok(())
        });
        assert_eq!(told, 501);
        assert!(summary.is_complete(), "{summary:?}");
        assert!(summary.progress.failed >= 200, "{summary:?}");
    }
}

//! Invocations of the turn-key runtime.

use bench_flights::{FIB, Flights, Waiting};
use bench_machines::raddle_of;
use raddle::wait::Event;
use raddle::{EventObject, Function, Invocation, Outputs, Result, Runtime, Session};
use raddle_vm::assemble;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Waits for an event, then returns a number.
const UNTIL: &str = r#"
vm.module @flights
vm.import @raddle.event.wait cconv "0r_v"
vm.export @until
vm.func @until(%r0: !vm.ref<?>, %i0: i32) -> (i32) {
  vm.call.yieldable @raddle.event.wait(%r0) -> ^bb1()
^bb1:
  vm.return %i0
}
"#;

/// A runtime and its sessions.
pub struct Ours {
    _runtime: Runtime,
    until: (Session, Function),
    fib: (Session, Function),
}

fn session(runtime: &Runtime, text: &str, name: &str) -> (Session, Function) {
    let bytes = assemble(text).expect("the programs are right").build();
    let session = runtime.session().bytes(bytes).expect("it loads").build().expect("it links");
    let function = session.function(name).expect("it is exported");
    (session, function)
}

/// The sum of results, and how many are still to come.
struct Tally {
    left: AtomicUsize,
    sum: AtomicU64,
    done: Sender<()>,
}

impl Tally {
    fn new(count: usize) -> (Arc<Tally>, Receiver<()>) {
        let (done, all_done) = channel();
        (Arc::new(Tally { left: AtomicUsize::new(count), sum: AtomicU64::new(0), done }), all_done)
    }

    fn add(&self, result: Result<Outputs>) {
        let value = result.and_then(|outputs| outputs.to::<i32>()).expect("no program fails");
        self.sum.fetch_add(value as u64, Relaxed);
        if self.left.fetch_sub(1, AcqRel) == 1 {
            self.done.send(()).expect("somebody waits for the end");
        }
    }
}

impl Ours {
    pub fn new(workers: usize) -> Ours {
        let runtime = Runtime::builder().workers(workers).build().expect("threads start");
        let until = session(&runtime, UNTIL, "until");
        let fib = session(&runtime, &raddle_of(1), "f0");
        Ours { _runtime: runtime, until, fib }
    }
}

impl Flights for Ours {
    fn waiting(&self, programs: usize) -> Option<Waiting<'_>> {
        let start = |index: usize| {
            let event = Arc::new(Event::manual());
            let mut invocation = self.until.1.invoke((EventObject::value(&event), index as i32));
            invocation.start().expect("the runtime is open");
            (event, invocation)
        };
        let all: Vec<_> = (0..programs).map(start).collect();
        for (_, invocation) in &all {
            while !invocation.is_waiting() {
                std::thread::yield_now();
            }
        }
        Some(Box::new(move || {
            all.iter().for_each(|(event, _)| event.set());
            let result = |invocation: Invocation| invocation.wait().and_then(|outputs| outputs.to::<i32>());
            all.into_iter().map(|(_, invocation)| result(invocation).expect("no program fails") as u64).sum()
        }))
    }

    fn batch(&self, items: usize) -> Option<Box<dyn FnMut() -> u64 + '_>> {
        Some(Box::new(move || {
            let (tally, all_done) = Tally::new(items);
            for _ in 0..items {
                let tally = tally.clone();
                self.fib.1.invoke((FIB,)).on_complete(move |result| tally.add(result));
            }
            all_done.recv().expect("the last one says so");
            tally.sum.load(Relaxed)
        }))
    }
}

//! Where workers run, and how they are built.

mod support;

use raddle_status::Code;
use raddle_task::*;
use raddle_wait::*;
use rustix::thread::{CpuSet, sched_getaffinity};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;

fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|processor| set.is_set(*processor)).collect()
}

#[test]
fn workers_are_bound_to_their_processors() {
    let processors = allowed();
    let sets = [vec![processors[0]], processors.clone(), vec![*processors.last().unwrap()]];
    let seen = Arc::new(Mutex::new(Vec::<(usize, Vec<usize>)>::new()));
    let executor = {
        let seen = seen.clone();
        Executor::builder()
            .topology(Topology::bound(sets.clone()).unwrap())
            .on_start(move |worker| seen.lock().unwrap().push((worker, allowed())))
            .build()
            .unwrap()
    };
    assert_eq!(executor.worker_count(), 3);
    executor.run(&single(|_| ()), &executor.scope("bound")).unwrap();
    executor.shutdown(NEVER).unwrap();
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, Vec::from_iter(sets.into_iter().enumerate()));
    // Nobody else was bound.
    assert_eq!(allowed(), processors);
}

#[test]
fn processors_that_are_not_there_are_named() {
    let error = Topology::bound([vec![0], vec![]]).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "worker 1 is bound to no processor"));
    let error = Topology::bound([vec![1 << 20]]).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let mine = allowed();
    let absent = (0..CpuSet::MAX_CPU).rev().find(|processor| !mine.contains(processor)).unwrap();
    let topology = Topology::bound([vec![mine[0]], vec![absent]]).unwrap();
    let error = Executor::builder().topology(topology).build().unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(
        error.message().starts_with(&format!("worker 1 can't be bound to processors [{absent}]")),
        "{error}"
    );
}

#[test]
fn what_is_available_is_within_the_affinity_mask() {
    let count = Topology::available().worker_count();
    assert!((1..=allowed().len()).contains(&count));
    assert_eq!(Topology::one_per_processor().unwrap().worker_count(), allowed().len());
    assert_eq!(Executor::builder().build().unwrap().worker_count(), count);
}

#[test]
fn hooks_names_and_stacks() {
    let names: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let stopped = Arc::new(AtomicUsize::new(0));
    let executor = {
        let (names, stopped) = (names.clone(), stopped.clone());
        let name = || std::thread::current().name().unwrap().to_owned();
        Executor::builder()
            .workers(3)
            .name("hooked")
            .stack_bytes(8 << 20)
            .on_start(move |_| assert!(names.lock().unwrap().insert(name())))
            .on_stop(move |_| {
                stopped.fetch_add(1, Relaxed);
            })
            .build()
            .unwrap()
    };
    // More than std's threads have.
    let deep = single(|_| {
        let page = std::hint::black_box([1u8; 3 << 20]);
        assert_eq!(page[page.len() - 1], 1);
    });
    executor.submit(&deep, &executor.scope("deep")).unwrap().wait().unwrap();
    executor.shutdown(NEVER).unwrap();
    assert_eq!(
        Vec::from_iter(names.lock().unwrap().iter().map(String::as_str)),
        ["hooked-0", "hooked-1", "hooked-2"]
    );
    assert_eq!(stopped.load(Relaxed), 3);
}

#[test]
fn workers_that_spin_lose_nothing() {
    for workers in [1, 3] {
        for bound in [Duration::from_micros(50), Duration::from_millis(2)] {
            let executor = Executor::builder().workers(workers).spin(bound).build().unwrap();
            let scope = executor.scope("spins");
            let event = Arc::new(Event::auto());
            let mut builder = GraphBuilder::new();
            let (wait, delay) = (builder.wait(event.clone()), builder.delay(Duration::from_micros(100)));
            builder.edge(wait, delay).unwrap();
            let graph = builder.build().unwrap();
            for _ in 0..100 {
                let run = executor.submit(&graph, &scope).unwrap();
                event.set();
                run.wait().unwrap();
            }
            // It stops: every worker goes to sleep in the end.
            while executor.dump().workers.iter().any(|worker| worker.state == WorkerState::Running) {
                std::thread::yield_now();
            }
        }
    }
}

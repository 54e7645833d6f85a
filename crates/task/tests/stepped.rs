//! Workers stepped by one thread on a kernel in memory and a virtual clock: what is bounded by time or by a number of tasks,
//! and what is counted and dumped, exactly.

#![cfg(not(raddle_loom))]

use raddle_task::internals::{Hand, Place, Probe, Rig, Step};
use raddle_task::{Driver, Graph, GraphBuilder, Run};
use raddle_wait::{Descriptor, Event, Kernel};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

/// What one step of a worker, or one wake-up of a thread, is taken to last. Unit: ns. Measured: a step that finds nothing
/// takes about 1 us, a wake-up 6 to 35.
const STEP_NS: u64 = 5_000;
const WAKE_NS: u64 = 50_000;
/// The bound of the promise: while a worker is idle, a wait fires within this time. Unit: ns.
const TAKEOVER_NS: u64 = 1_000_000;

fn graph(build: impl FnOnce(&mut GraphBuilder)) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    build(&mut builder);
    builder.build().unwrap()
}

/// A chain of calls.
fn chain(count: usize, call: impl Fn(usize) + Send + Sync + Clone + 'static) -> Arc<Graph> {
    graph(|builder| {
        let calls: Vec<_> = (0..count)
            .map(|index| {
                let call = call.clone();
                builder.call(move |_| call(index))
            })
            .collect();
        builder.chain(calls).unwrap();
    })
}

/// Workers that run beside each other as far as the virtual clock goes: each step takes its time.
struct World {
    rig: Rig,
    /// None for one that is inside a task.
    hands: Mutex<Vec<Option<Hand>>>,
    asleep: Mutex<Vec<Option<Place>>>,
}

impl World {
    fn new(workers: usize) -> Arc<World> {
        let (rig, hands) = Rig::new(workers, Driver::Workers, 1);
        let asleep = Mutex::new(vec![None; workers]);
        Arc::new(World { rig, hands: Mutex::new(hands.into_iter().map(Some).collect()), asleep })
    }

    fn hands(&self) -> MutexGuard<'_, Vec<Option<Hand>>> {
        self.hands.lock().unwrap()
    }

    fn asleep(&self) -> MutexGuard<'_, Vec<Option<Place>>> {
        self.asleep.lock().unwrap()
    }

    fn spend(&self, ns: u64) {
        self.rig.kernel.advance_to(self.rig.kernel.now() + ns);
    }

    /// Each worker that is not inside a task does one thing, if it can: says whether one did. As on a machine with one
    /// processor, the steps take their time one after another.
    fn round(&self) -> bool {
        let mut has_moved = false;
        let count = self.asleep().len();
        for index in 0..count {
            let Some(mut hand) = self.hands()[index].take() else { continue };
            let place = self.asleep()[index];
            match place {
                None => {
                    self.spend(STEP_NS);
                    has_moved = true;
                    match hand.step() {
                        Step::Ran => {}
                        Step::Sleep(place) => self.asleep()[index] = Some(place),
                        Step::Leave => unreachable!("nobody was told to leave"),
                    }
                }
                Some(Place::Kernel) if !self.rig.kernel.is_readable() => {}
                Some(place) => {
                    if hand.try_wake(place) {
                        self.spend(WAKE_NS);
                        has_moved = true;
                        self.asleep()[index] = None;
                    }
                }
            }
            self.hands()[index] = Some(hand);
        }
        has_moved
    }

    /// Goes on until `holds`, or until nothing moves any more.
    fn until(&self, holds: impl Fn() -> bool) {
        while !holds() && self.round() {}
    }
}

#[test]
fn a_wait_fires_within_a_millisecond_while_a_worker_is_idle() {
    for workers in 1..=8 {
        let world = World::new(workers);
        let fds: Vec<Descriptor> =
            (0..workers).map(|_| Descriptor::new(world.rig.kernel.counter())).collect();
        let entered: Arc<Vec<AtomicU64>> = Arc::new((0..workers).map(|_| AtomicU64::new(0)).collect());
        let scope = world.rig.scope("takeover");
        let mut runs = Vec::new();
        for (number, fd) in fds.iter().enumerate() {
            // Behind each wait, a task that does not return before the next wait has fired: each poller runs into one.
            let (here, next, entered) = (world.clone(), fds.get(number + 1).cloned(), entered.clone());
            let long = graph(|builder| {
                let wait = builder.wait(Arc::new(fd.readable()));
                let long = builder.call(move |_| {
                    entered[number].store(here.rig.kernel.now(), Relaxed);
                    let Some(next) = &next else { return };
                    let start = here.rig.kernel.now();
                    here.rig.kernel.add(next, 1);
                    here.until(|| entered[number + 1].load(Relaxed) > 0);
                    let fired = entered[number + 1].load(Relaxed);
                    assert!(fired > 0, "wait {} never fires: {:?}", number + 1, here.rig);
                    let took = fired - start;
                    assert!(took <= TAKEOVER_NS, "{took} ns until wait {} of {workers} fired", number + 1);
                });
                builder.edge(wait, long).unwrap();
            });
            runs.push(world.rig.submit(&long, &scope).unwrap());
        }
        world.until(|| false);
        world.rig.kernel.add(&fds[0], 1);
        world.until(|| runs.iter().all(Run::is_done));
        let results: Vec<_> = runs.iter().map(|run| run.result()).collect();
        assert!(
            results.iter().all(|result| matches!(result, Some(Ok(())))),
            "{workers} workers: {results:?}"
        );
    }
}

#[test]
fn a_busy_worker_looks_around_in_time() {
    // What a task costs, and how many tasks or how much time may pass until work from outside was taken and a wait has fired.
    for (cost_ns, tasks_max, ns_max) in [(1, 61, u64::MAX), (50_000, 61, 250_000), (1_000_000, 1, 1_000_000)]
    {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let scope = rig.scope("busy");
        let fd = Descriptor::new(rig.kernel.counter());
        let waits = graph(|builder| _ = builder.wait(Arc::new(fd.readable())));
        let waiting = rig.submit(&waits, &scope).unwrap();
        hands[0].drain();
        // It has learned what tasks cost by then.
        let comes_at = 500;
        let (seen, taken, fired) =
            (rig.clone(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (when_taken, when_fired) = (taken.clone(), fired.clone());
        let probe = Probe::new(|| ());
        let before = rig.counts().tasks_from_outside + 1;
        let busy = chain(1_000, move |index| {
            seen.kernel.advance_to(seen.kernel.now() + cost_ns);
            if index == comes_at {
                seen.kernel.add(&fd, 1);
                seen.enqueue_quietly(&probe);
            }
            if seen.counts().tasks_from_outside > before {
                let _ = when_taken.compare_exchange(0, index, Relaxed, Relaxed);
            }
            if seen.stage().outstanding() == 0 {
                let _ = when_fired.compare_exchange(0, index, Relaxed, Relaxed);
            }
        });
        let run = rig.submit(&busy, &scope).unwrap();
        while !(run.is_done() && waiting.is_done()) {
            assert_eq!(hands[0].step(), Step::Ran);
        }
        for (what, at) in [("was taken", taken.load(Relaxed)), ("fired", fired.load(Relaxed))] {
            assert!(at > comes_at, "{what} at task {at}, costs {cost_ns}");
            let late = at - comes_at;
            assert!(late <= tasks_max + 1, "{what} after {late} tasks of {cost_ns} ns");
            assert!(
                late as u64 * cost_ns <= ns_max.saturating_add(cost_ns),
                "{what} after {late} of {cost_ns} ns"
            );
        }
    }
}

#[test]
fn a_worker_inside_a_range_or_a_dispatch_looks_around_too() {
    for is_range in [true, false] {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let scope = rig.scope("wide");
        let (ran, taken_at) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (seen, count, taken) = (rig.clone(), ran.clone(), taken_at.clone());
        let probe = Probe::new(|| ());
        let unit = move || {
            seen.kernel.advance_to(seen.kernel.now() + 50_000);
            let number = count.fetch_add(1, Relaxed) + 1;
            if number == 200 {
                seen.enqueue_quietly(&probe);
            }
            // The entry of the run was the first.
            if seen.counts().tasks_from_outside > 1 {
                let _ = taken.compare_exchange(0, number, Relaxed, Relaxed);
            }
        };
        let wide = graph(|builder| match is_range {
            true => {
                let root = builder.barrier();
                for _ in 0..1_000 {
                    let unit = unit.clone();
                    let task = builder.call(move |_| unit());
                    builder.edge(root, task).unwrap();
                }
            }
            false => _ = builder.dispatch([1_000, 1, 1], move |_| unit()),
        });
        let run = rig.submit(&wide, &scope).unwrap();
        // The other worker never gets to it.
        while !run.is_done() {
            assert_eq!(hands[0].step(), Step::Ran);
        }
        assert_eq!(ran.load(Relaxed), 1_000);
        let late = taken_at.load(Relaxed) - 200;
        // 200 us, and one batch, which takes 20 us or is one unit.
        assert!(late <= 6, "work from outside is taken after {late} units of 50 us; a range: {is_range}");
    }
}

#[test]
fn resumes_are_first_in_first_out_and_get_every_fourth_turn() {
    let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let probes: Vec<_> = (0..10)
        .map(|number| {
            let order = order.clone();
            Probe::new(move || order.lock().unwrap().push(number))
        })
        .collect();
    // So many tasks of its own, each a turn, that they would go before without end.
    let scope = rig.scope("own");
    let own = graph(|builder| {
        for _ in 0..60 {
            builder.call(|_| ());
        }
    });
    let run = rig.submit(&own, &scope).unwrap();
    assert_eq!(hands[0].step(), Step::Ran);
    probes.iter().for_each(|probe| hands[0].enqueue(probe));
    for number in 0..probes.len() {
        let mut turns = 0;
        while order.lock().unwrap().len() <= number {
            turns += 1;
            assert_eq!(hands[0].step(), Step::Ran);
        }
        assert!(turns <= 4, "resume {number} waited for {turns} turns");
        assert!(!run.is_done(), "own tasks are left: nothing was shown");
    }
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

/// How many tasks of a fan-out a worker runs before it offers the rest, when a task costs so much.
fn own_tasks_of_a_range(cost_ns: u64) -> u64 {
    let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
    let scope = rig.scope("range");
    let (ran, offered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
    let wide = graph(|builder| {
        let root = builder.barrier();
        for _ in 0..2_000 {
            let (seen, ran, offered) = (rig.clone(), ran.clone(), offered.clone());
            let task = builder.call(move |_| {
                seen.kernel.advance_to(seen.kernel.now() + cost_ns);
                if seen.dump().workers[0].tasks > 0 {
                    offered.fetch_min(ran.load(Relaxed), Relaxed);
                }
                ran.fetch_add(1, Relaxed);
            });
            builder.edge(root, task).unwrap();
        }
    });
    // The first runs find out what a task costs.
    for _ in 0..3 {
        ran.store(0, Relaxed);
        offered.store(u64::MAX, Relaxed);
        let run = rig.submit(&wide, &scope).unwrap();
        while !run.is_done() {
            assert_eq!(hands[0].step(), Step::Ran);
        }
    }
    offered.load(Relaxed)
}

#[test]
fn a_range_is_offered_after_64_tasks_or_5_us() {
    for (cost_ns, own) in [(1, 64), (50, 64), (100, 50), (1_000, 5), (6_000, 0)] {
        assert_eq!(own_tasks_of_a_range(cost_ns), own, "tasks of {cost_ns} ns");
    }
}

#[test]
fn what_workers_do_is_counted() {
    let world = World::new(3);
    let (rig, scope) = (&world.rig, world.rig.scope("counts"));
    let since = |before: raddle_task::Counts| {
        let now = rig.counts();
        (
            (now.parks - before.parks, now.kernel_sleeps - before.kernel_sleeps),
            (now.wakes - before.wakes, now.poller_turns - before.poller_turns),
            (now.tasks_stolen - before.tasks_stolen, now.tasks_from_outside - before.tasks_from_outside),
        )
    };
    // All go to sleep: there is nothing to watch.
    let before = rig.counts();
    world.until(|| false);
    assert_eq!(since(before), ((3, 0), (0, 0), (0, 0)));
    // One is woken for work from outside; its wait must be watched, which another is woken for.
    let before = rig.counts();
    let fd = Descriptor::new(rig.kernel.counter());
    let waits = graph(|builder| {
        let wait = builder.wait(Arc::new(fd.readable()));
        let after = builder.call(|_| ());
        builder.edge(wait, after).unwrap();
    });
    let run = rig.submit(&waits, &scope).unwrap();
    world.until(|| false);
    let ((parks, sleeps), (wakes, turns), (stolen, outside)) = since(before);
    assert_eq!((stolen, outside, turns, sleeps), (0, 1, 0, 0), "nobody has come back from the kernel");
    assert_eq!((wakes, parks), (2, 0), "two sleep in the kernel, and the third where it was: {rig:?}");
    assert_eq!((rig.idle().parked(), rig.idle().kernel()), (1, 2));
    // A fire wakes one sleeper of the kernel's, and nobody else.
    let before = rig.counts();
    rig.kernel.add(&fd, 1);
    world.until(|| false);
    assert!(run.is_done());
    let ((parks, sleeps), (wakes, turns), (stolen, outside)) = since(before);
    assert_eq!((sleeps, turns, wakes, stolen, outside), (1, 1, 0, 0, 0));
    assert_eq!(parks, 1, "with nothing to watch it sleeps on its parker");
}

#[test]
fn a_theft_is_counted() {
    let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
    let scope = rig.scope("theft");
    let roots = graph(|builder| {
        for _ in 0..8 {
            builder.call(|_| ());
        }
    });
    let run = rig.submit(&roots, &scope).unwrap();
    // The first worker begins the run: seven roots lie in its deque.
    assert_eq!(hands[0].step(), Step::Ran);
    assert_eq!((rig.counts().tasks_stolen, rig.dump().workers[0].tasks), (0, 7));
    assert_eq!(hands[1].step(), Step::Ran);
    assert_eq!(rig.counts().tasks_stolen, 1, "a theft of several counts once");
    hands.iter_mut().for_each(Hand::drain);
    assert!(run.is_done());
    assert_eq!(rig.counts().tasks_run, 8, "each task once, and nothing else");
}

#[test]
fn a_dump_says_what_lies_in_the_queues() {
    let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
    let probes: Vec<_> = (0..5).map(|_| Probe::new(|| ())).collect();
    let idle = rig.dump();
    assert!(!idle.has_tasks() && idle.queues == Default::default(), "{idle}");
    assert!(idle.to_string().contains("outside: 0 high, 0 normal, 0 low; spilled: 0"), "{idle}");

    rig.enqueue_quietly(&probes[0]);
    rig.enqueue_quietly(&probes[1]);
    rig.spill(&probes[2]);
    hands[1].enqueue(&probes[3]);
    let dump = rig.dump();
    assert!(dump.has_tasks());
    assert_eq!((dump.queues.spilled, dump.queues.guests), (1, 0));
    // What nobody has turned round yet is not counted, but told.
    assert!(dump.queues.is_more_outside && dump.queues.outside == [0, 0, 0], "{:?}", dump.queues);
    assert_eq!(dump.workers.iter().map(|worker| worker.tasks).collect::<Vec<_>>(), [0, 1]);
    let text = dump.to_string();
    assert!(text.contains("outside: 0 high, 0 normal, 0 low and more; spilled: 1"), "{text}");
    assert!(text.contains("worker 1: running, 1 tasks queued"), "{text}");
    let json = dump.to_json();
    for field in [r#""outside":[0,0,0]"#, r#""is_more_outside":true"#, r#""spilled":1"#, r#""guests":0"#] {
        assert!(json.contains(field), "{field} is not in {json}");
    }
    assert!(json.contains(r#"{"index":1,"state":"running","tasks":1}"#), "{json}");
    hands.iter_mut().for_each(Hand::drain);
    assert!(!rig.dump().has_tasks());
}

#[test]
fn a_wait_that_is_set_while_its_worker_is_busy_is_not_lost() {
    // The last line of a stepped world: nothing moves, and nothing is left.
    let world = World::new(2);
    let event = Arc::new(Event::manual());
    let ran = Arc::new(AtomicBool::new(false));
    let (own, seen) = (event.clone(), ran.clone());
    let waits = graph(|builder| {
        let wait = builder.wait(own);
        let after = builder.call(move |_| seen.store(true, Relaxed));
        builder.edge(wait, after).unwrap();
    });
    let run = world.rig.submit(&waits, &world.rig.scope("event")).unwrap();
    world.until(|| false);
    assert!(!run.is_done());
    event.set();
    world.until(|| false);
    assert!(run.is_done() && ran.load(Relaxed));
}

//! The sources of this crate, and waits as futures, one thread at a time.

#![cfg(not(raddle_loom))]
#![allow(unsafe_code)]

mod support;

use raddle_status::{Code, Error};
use raddle_wait::*;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use support::*;

/// Counts its wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn poll<F: Future>(future: Pin<&mut F>, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(wakes.clone())))
}

/// Runs jobs when it is told to.
#[derive(Default)]
struct Host(Mutex<Vec<Job>>);

impl Host {
    fn turn(&self) -> usize {
        let jobs = std::mem::take(&mut *self.0.lock().unwrap());
        jobs.into_iter().map(Job::run).count()
    }
}

impl JobHost for Host {
    fn run_soon(&self, job: Job) {
        self.0.lock().unwrap().push(job);
    }
}

#[test]
fn sizes_and_threads() {
    assert_eq!(size_of::<SourceWaker>(), 16);
    assert!(size_of::<Frame>() <= 144, "a frame takes {} bytes", size_of::<Frame>());
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<Frame>();
    is_send::<Waiting>();
    is_send::<Job>();
    is_send::<SourceWaker>();
    is_sync::<SourceWaker>();
    is_sync::<SlotPool>();
    is_sync::<CancelPoint>();
    is_sync::<Event>();
    is_sync::<Semaphore>();
    is_sync::<Permits>();
    is_sync::<VirtualTime>();
    is_sync::<FutureSource<std::future::Ready<()>>>();
}

#[test]
fn moments_are_never_early() {
    let (pool, program, time) = (SlotPool::new(), Program::new(), VirtualTime::new());
    let frame = frame(&pool, Arc::new(delay(&time, Duration::from_nanos(7))));
    // SAFETY: concluded below, once scheduled.
    assert!(matches!(unsafe { frame.begin(&time, program.header(), None) }, Progress::Waiting));
    time.advance_to(6);
    assert_eq!((program.scheduled(), time.next_moment()), (0, Some(7)));
    time.advance_to(7);
    assert_eq!(program.scheduled(), 1);
    // SAFETY: scheduled.
    let progress = unsafe { frame.conclude(&time, program.header(), None) };
    assert!(matches!(progress, Progress::Done(Outcome::Ready { index: 0 })));
    // The moment has passed: ready at once, though the deadline has passed too.
    let late: Frame = Frame::new(&pool, Until(3).into(), 4).unwrap();
    assert!(program.wait_in(&time, &late, None).into_result().is_ok());
    let deadline: Frame = Frame::new(&pool, Until(30).into(), 4).unwrap();
    assert!(matches!(program.wait_in(&time, &deadline, None), Outcome::TimedOut));
}

#[test]
fn of_deadline_and_moment_the_earlier_decides() {
    for (moment, deadline, is_ready) in
        [(5, 9, true), (9, 5, false), (5, 5, true), (5, NEVER, true), (NEVER, 5, false)]
    {
        let (pool, program, time) = (SlotPool::new(), Program::new(), VirtualTime::new());
        let frame: Frame = Frame::new(&pool, Until(moment).into(), deadline).unwrap();
        // SAFETY: concluded below, once scheduled.
        assert!(matches!(unsafe { frame.begin(&time, program.header(), None) }, Progress::Waiting));
        assert_eq!(time.outstanding(), 1);
        time.advance_to(NEVER);
        assert_eq!(program.scheduled(), 1);
        // SAFETY: scheduled.
        match unsafe { frame.conclude(&time, program.header(), None) } {
            Progress::Done(outcome) => assert_eq!(matches!(outcome, Outcome::Ready { .. }), is_ready),
            Progress::Waiting => panic!("goes on waiting"),
        }
        assert_eq!(time.outstanding(), 0);
    }
}

#[test]
fn never_never_comes() {
    let (pool, program, time) = (SlotPool::new(), Program::new(), VirtualTime::new());
    let frame = frame(&pool, delay(&time, Duration::MAX));
    // SAFETY: abandoned below.
    assert!(matches!(unsafe { frame.begin(&time, program.header(), None) }, Progress::Waiting));
    time.advance_to(NEVER);
    assert_eq!((program.scheduled(), time.outstanding()), (0, 1));
    // SAFETY: it waits.
    assert!(unsafe { frame.abandon(&time, None) });
    assert_eq!(time.outstanding(), 0);
}

#[test]
fn timeout_tells_which() {
    let (pool, time) = (SlotPool::new(), Arc::new(VirtualTime::new()));
    let event = Arc::new(Event::manual());
    let nested: Condition = any![Arc::new(Never), timeout_at(event.clone(), 5)];
    let wakes = Arc::new(Wakes::default());
    let mut waiting = pin!(Waiting::on(&pool, time.clone(), nested.clone(), 9));
    assert!(poll(waiting.as_mut(), &wakes).is_pending());
    time.advance_to(5);
    assert_eq!(wakes.0.load(Relaxed), 1);
    assert!(matches!(poll(waiting.as_mut(), &wakes), Poll::Ready(Ok(1))));
    let mut late = pin!(Waiting::on(&pool, &*time, Condition::Until(Arc::new(Never) as SharedSource), 9));
    assert!(poll(late.as_mut(), &wakes).is_pending());
    time.advance_to(9);
    let Poll::Ready(Err(error)) = poll(late.as_mut(), &wakes) else { panic!("no failure") };
    assert!(error.is_deadline_exceeded());
}

#[test]
fn a_delay_counts_from_the_begin_of_its_wait() {
    let (pool, program, time) = (SlotPool::new(), Program::new(), VirtualTime::new());
    let permits = Arc::new(Permits::new(0));
    let ten = Duration::from_nanos(10);
    let frame: Frame = Frame::new(&pool, timeout(permits.clone(), ten), NEVER).unwrap();
    time.advance_to(100);
    for round in 0..2 {
        let began = time.now();
        // SAFETY: concluded below, once scheduled.
        assert!(matches!(unsafe { frame.begin(&time, program.header(), None) }, Progress::Waiting));
        time.advance_to(began + 4);
        // Somebody else is faster: the wait goes on, and so does its time.
        permits.release(1);
        assert!(permits.try_acquire());
        assert_eq!(program.scheduled(), 2 * round + 1);
        // SAFETY: scheduled; nothing moves.
        let progress = unsafe { frame.conclude(&time, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting), "{progress:?}");
        assert_eq!(time.next_moment(), Some(began + 10));
        time.advance_to(began + 9);
        assert_eq!(program.scheduled(), 2 * round + 1, "a delay is never early");
        time.advance_to(began + 10);
        // SAFETY: scheduled.
        let progress = unsafe { frame.conclude(&time, program.header(), None) };
        assert!(matches!(progress, Progress::Done(Outcome::Ready { index: 1 })), "{progress:?}");
    }
    // No time at all has passed at once; more than any clock holds never does.
    let none: Frame = Frame::new(&pool, Elapsed(Duration::ZERO).into(), NEVER).unwrap();
    assert!(program.wait_in(&time, &none, None).into_result().is_ok());
    let absurd: Frame = Frame::new(&pool, Elapsed(Duration::MAX).into(), time.now()).unwrap();
    assert!(matches!(program.wait_in(&time, &absurd, None), Outcome::TimedOut));
    let blind = Frame::new(&pool, Elapsed(ten).into(), NEVER).unwrap();
    assert_eq!(program.wait(&blind, None).into_result().unwrap_err().code(), Code::FailedPrecondition);
}

#[test]
fn a_select_tells_which_and_what() {
    let (pool, wakes) = (SlotPool::new(), Arc::new(Wakes::default()));
    let (stop, work) = (Arc::new(Event::manual()), Arc::new(Permits::new(0)));
    let choices = || select![stop.clone() => "stop".to_owned(), work.clone() => "work".to_owned()];
    for (signal, expected) in [(None, (1, "work")), (Some(&stop), (0, "stop"))] {
        let mut first = pin!(choices().on(|condition| Waiting::new(&pool, condition)));
        assert!(poll(first.as_mut(), &wakes).is_pending());
        match signal {
            None => work.release(1),
            Some(stop) => stop.set(),
        }
        let Poll::Ready(Ok((index, value))) = poll(first.as_mut(), &wakes) else { panic!("it is ready") };
        assert_eq!((index, &*value), expected);
        assert_eq!(choices().value(index), Some(&value));
    }
    let mut none = pin!(Select::<()>::new().on(|condition| Waiting::new(&pool, condition)));
    let Poll::Ready(Err(error)) = poll(none.as_mut(), &wakes) else { panic!("nothing to wait for") };
    assert_eq!(error.code(), Code::InvalidArgument);
    // One source that is never ready, and time.
    let (time, never) = (VirtualTime::new(), Arc::new(Never));
    let late = select![never => 'n', Elapsed(Duration::from_nanos(3)) => 't'];
    let mut late = pin!(late.on(|condition| Waiting::on(&pool, &time, condition, NEVER)));
    assert!(poll(late.as_mut(), &wakes).is_pending());
    time.advance_to(3);
    assert!(matches!(poll(late.as_mut(), &wakes), Poll::Ready(Ok((1, 't')))));
}

#[test]
fn a_moment_without_a_clock_is_an_error() {
    let (pool, program) = (SlotPool::new(), Program::new());
    let moment = frame(&pool, Until(1));
    let error = program.wait(&moment, None).into_result().unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
}

#[test]
fn an_event_ends_every_wait_or_one() {
    let (pool, wakes) = (SlotPool::new(), Arc::new(Wakes::default()));
    let begin = |event: &Arc<Event>| {
        let mut wait = Box::pin(Waiting::new(&pool, event.clone()));
        assert!(poll(wait.as_mut(), &wakes).is_pending());
        wait
    };
    let ready = |waits: &mut Vec<Pin<Box<Waiting>>>| {
        let before = waits.len();
        waits.retain_mut(|wait| poll(wait.as_mut(), &wakes).is_pending());
        before - waits.len()
    };
    let manual = Arc::new(Event::manual());
    let mut waits: Vec<_> = (0..5).map(|_| begin(&manual)).collect();
    manual.set();
    assert_eq!((ready(&mut waits), wakes.0.load(Relaxed)), (5, 5));
    // It stays set for those who come later, until it is reset.
    assert!(poll(pin!(Waiting::new(&pool, manual.clone())), &wakes).is_ready());
    assert!(manual.reset() && !manual.reset());
    let mut waits = vec![begin(&manual)];
    assert_eq!(ready(&mut waits), 0);

    let auto = Arc::new(Event::auto());
    let mut waits: Vec<_> = (0..5).map(|_| begin(&auto)).collect();
    for left in (1..=5).rev() {
        assert_eq!(waits.len(), left);
        auto.set();
        assert_eq!((ready(&mut waits), auto.is_set()), (1, false), "a signal ends one wait");
    }
    // Signals don't add up, and one that nobody waited for is kept.
    auto.set();
    auto.set();
    assert!(poll(pin!(Waiting::new(&pool, auto.clone())), &wakes).is_ready());
    let mut waits = vec![begin(&auto)];
    assert_eq!(ready(&mut waits), 0);
}

#[test]
fn a_semaphore_only_grows_and_fails_for_ever() {
    let semaphore = Arc::new(Semaphore::new(3));
    for value in [0, 2, 3] {
        assert_eq!(semaphore.signal(value).unwrap_err().code(), Code::InvalidArgument);
    }
    let (pool, program) = (SlotPool::new(), Program::new());
    let waits = [9, 4, u64::MAX, 6].map(|value| (frame(&pool, semaphore.at(value)), Program::new()));
    for (frame, program) in &waits {
        // SAFETY: concluded below, once scheduled.
        let progress = unsafe { frame.begin(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
    }
    let scheduled = || waits.each_ref().map(|(_, program)| program.scheduled());
    semaphore.signal(6).unwrap();
    assert_eq!(scheduled(), [0, 1, 0, 1]);
    assert!(semaphore.fail(Error::new(Code::Unavailable, "link down")));
    assert!(!semaphore.fail(Error::new(Code::Aborted, "second")));
    assert_eq!(scheduled(), [1, 1, 1, 1]);
    for ((frame, program), is_due) in waits.iter().zip([false, true, false, true]) {
        // SAFETY: scheduled.
        match unsafe { frame.conclude(&NoStage, program.header(), None) } {
            Progress::Done(Outcome::Ready { .. }) => assert!(is_due),
            Progress::Done(Outcome::Failed(error)) => {
                assert_eq!((is_due, error.message()), (false, "link down"));
            }
            other => panic!("{other:?}"),
        }
    }
    let later = frame(&pool, semaphore.at(1));
    assert_eq!(program.wait(&later, None).into_result().unwrap_err().message(), "link down");
    assert_eq!(semaphore.signal(10).unwrap_err().message(), "link down");
    assert_eq!(semaphore.value().unwrap_err().message(), "link down");
}

#[test]
fn a_source_may_pass_its_arm_on() {
    struct Wrapped(SharedSource);
    impl WaitSource for Wrapped {
        fn arm(&self, waker: SourceWaker) {
            self.0.arm(waker);
        }
        fn disarm(&self, waker: WakerId) {
            self.0.disarm(waker);
        }
        fn commit(&self) -> Commit {
            self.0.commit()
        }
    }
    let (event, semaphore, permits) =
        (Arc::new(Event::auto()), Arc::new(Semaphore::new(0)), Arc::new(Permits::new(0)));
    let sources: [SharedSource; 3] = [event.clone(), Arc::new(semaphore.at(2)), permits.clone()];
    let (pool, wakes) = (SlotPool::new(), Arc::new(Wakes::default()));
    let parts = sources.map(|source| Condition::Until(Arc::new(Wrapped(source)) as SharedSource));
    let given_up = Waiting::new(&pool, Condition::All(parts.to_vec()));
    let mut waiting = pin!(Waiting::new(&pool, Condition::All(parts.to_vec())));
    {
        let mut given_up = pin!(given_up);
        assert!(poll(given_up.as_mut(), &wakes).is_pending());
    }
    assert!(poll(waiting.as_mut(), &wakes).is_pending());
    event.set();
    semaphore.signal(2).unwrap();
    assert_eq!(wakes.0.load(Relaxed), 0);
    permits.release(1);
    assert_eq!(wakes.0.load(Relaxed), 1);
    assert!(poll(waiting.as_mut(), &wakes).is_ready());
    assert_eq!((event.is_set(), permits.available()), (false, 0));
}

#[test]
fn permits_are_a_budget() {
    let (pool, wakes, permits) = (SlotPool::new(), Arc::new(Wakes::default()), Arc::new(Permits::new(2)));
    assert!(permits.try_acquire());
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(Waiting::new(&pool, permits.clone()))).collect();
    let is_ready: Vec<_> = waits.iter_mut().map(|wait| poll(wait.as_mut(), &wakes).is_ready()).collect();
    assert_eq!(is_ready, [true, false, false]);
    permits.release(1);
    assert_eq!(wakes.0.load(Relaxed), 1);
    // The one that was woken goes away: the next is woken instead.
    drop(waits.remove(1));
    assert_eq!(wakes.0.load(Relaxed), 2);
    assert!(poll(waits[1].as_mut(), &wakes).is_ready());
    assert_eq!(permits.available(), 0);
}

#[test]
fn a_future_is_polled_by_its_host_alone() {
    let (host, pool, wakes) = (Arc::new(Host::default()), SlotPool::new(), Arc::new(Wakes::default()));
    let (theirs, polls) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(AtomicUsize::new(0)));
    let future = {
        let (theirs, polls) = (theirs.clone(), polls.clone());
        std::future::poll_fn(move |context| {
            *theirs.lock().unwrap() = Some(context.waker().clone());
            if polls.fetch_add(1, Relaxed) < 2 { Poll::Pending } else { Poll::Ready("done") }
        })
    };
    let source = Arc::new(FutureSource::new(host.clone(), future));
    let mut waits: Vec<_> = (0..2).map(|_| Box::pin(Waiting::new(&pool, source.clone()))).collect();
    assert_eq!(host.turn(), 0, "started before anybody waits");
    assert!(waits.iter_mut().all(|wait| poll(wait.as_mut(), &wakes).is_pending()));
    for poll in 1..3 {
        assert_eq!((host.turn(), polls.load(Relaxed), wakes.0.load(Relaxed)), (1, poll, 0));
        let waker = theirs.lock().unwrap().clone().unwrap();
        for _ in 0..3 {
            waker.wake_by_ref();
        }
    }
    assert_eq!((host.turn(), wakes.0.load(Relaxed)), (1, 2));
    assert!(waits.iter_mut().all(|wait| poll(wait.as_mut(), &wakes).is_ready()));
    assert_eq!((source.take_output(), source.take_output()), (Some("done"), None));
    theirs.lock().unwrap().take().unwrap().wake();
    assert_eq!((host.turn(), polls.load(Relaxed)), (0, 3));
}

#[test]
fn a_future_that_waits_on_itself_is_dropped_with_its_source() {
    let (host, pool, wakes) = (Arc::new(Host::default()), SlotPool::new(), Arc::new(Wakes::default()));
    let event = Arc::new(Event::manual());
    // The event keeps the future's waker, and the future keeps the event: a circle, unless the source breaks it.
    let future = {
        let (pool, event) = (pool.clone(), event.clone());
        async move { Waiting::new(&pool, event).await }
    };
    let source = Arc::new(FutureSource::new(host.clone(), future));
    let mut waiting = Box::pin(Waiting::new(&pool, source.clone()));
    assert!(poll(waiting.as_mut(), &wakes).is_pending());
    assert_eq!(host.turn(), 1);
    assert_eq!(Arc::strong_count(&event), 2);
    drop(waiting);
    drop(source);
    assert_eq!(Arc::strong_count(&event), 1, "the future lives on");
    assert_whole(&pool);
    event.set();
    assert_eq!(host.turn(), 0);
}

#[test]
fn a_future_that_panics_fails_its_waits() {
    let (host, pool, wakes) = (Arc::new(Host::default()), SlotPool::new(), Arc::new(Wakes::default()));
    let panics = std::future::poll_fn(|_| -> Poll<()> { std::panic::resume_unwind(Box::new("on purpose")) });
    let source = Arc::new(FutureSource::new(host.clone(), panics));
    let mut waiting = pin!(Waiting::new(&pool, source.clone()));
    assert!(poll(waiting.as_mut(), &wakes).is_pending());
    host.turn();
    let Poll::Ready(Err(error)) = poll(waiting.as_mut(), &wakes) else { panic!("no failure") };
    assert!(error.message().contains("on purpose"));
    assert!(source.take_output().is_none());
}

#[test]
fn an_unused_wait_costs_nothing_to_drop() {
    let (pool, wakes, event) = (SlotPool::new(), Arc::new(Wakes::default()), Arc::new(Event::auto()));
    let waits: Vec<_> = (0..1000)
        .map(|_| {
            let mut wait = Box::pin(Waiting::new(&pool, any![event.clone(), Arc::new(Never)]));
            assert!(poll(wait.as_mut(), &wakes).is_pending());
            wait
        })
        .collect();
    drop(waits);
    assert_whole(&pool);
    event.set();
    assert_eq!((wakes.0.load(Relaxed), event.is_set()), (0, true));
    let mut next = pin!(Waiting::new(&pool, event.clone()));
    assert!(matches!(poll(next.as_mut(), &wakes), Poll::Ready(Ok(0))));
}

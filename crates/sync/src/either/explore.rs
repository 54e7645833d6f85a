//! One model, explored on a thread of the system of its own.
//!
//! A schedule that fails is reported from the panic hook, before anything is unwound. Then its thread of the system is put
//! to sleep for ever, at the first destructor that would touch the model or at the bottom of the stack: loom's threads
//! can't be taken down outside of loom, and destructors that tried would end the process. It does not sleep in the hook:
//! std holds a lock around that, for which the end of every test program waits.

use super::trace::{Steps, Trace};
use super::{INSIDE, inside, thread, trace};
use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once, mpsc};
use std::time::Duration;

/// loom's limit; one of them starts the main thread.
const THREADS_MAX: usize = 5;

/// What loom may count in one schedule before it says that there is no end.
const STEPS_MAX: usize = 20_000;

/// How far a model was explored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Schedules.
    pub schedules: u64,
}

/// The schedule that failed.
#[derive(Debug)]
pub struct Failed {
    /// What the panic said.
    pub message: String,
    /// What the threads did until then.
    pub trace: Trace,
}

type Report = mpsc::Sender<Result<Explored, Failed>>;

/// Where somebody said that a value must go, and whether it has.
type Mortal = (&'static Location<'static>, Box<dyn Fn() -> bool>);

std::thread_local! {
    /// To whom this thread tells how its model ends.
    static REPORT: RefCell<Option<Report>> = const { RefCell::new(None) };

    /// What must be gone when the present schedule has ended.
    static MORTALS: RefCell<Vec<Mortal>> = const { RefCell::new(Vec::new()) };

    /// Whether this thread's model has failed, or its time is up.
    static IS_OVER: OnceCell<Arc<AtomicBool>> = const { OnceCell::new() };
}

/// Fails the present schedule if `value` is still there when all its threads have ended: something keeps it. Outside a model
/// it does nothing.
#[track_caller]
pub fn must_drop<T: ?Sized + 'static>(value: &Arc<T>) {
    if inside() {
        let (at, value) = (Location::caller(), Arc::downgrade(value));
        MORTALS.with_borrow_mut(|mortals| mortals.push((at, Box::new(move || value.strong_count() == 0))));
    }
}

/// Fails the schedule that has ended if something of it is left.
fn fail_if_leaked() {
    let mortals = MORTALS.take();
    let Some((at, _)) = mortals.iter().find(|(_, is_gone)| !is_gone()) else { return };
    let text = format!(
        "a value leaked: something keeps it when all threads have ended ({}:{})",
        at.file(),
        at.line()
    );
    if fail(|| text) {
        stop();
    }
}

/// Returns unless this thread's model is over.
pub(super) fn stop_if_over() {
    // A destructor of another thread-local value may come after this one's.
    let is_over = IS_OVER.try_with(|over| over.get().is_some_and(|over| over.load(Relaxed)));
    if is_over.unwrap_or(false) {
        stop();
    }
}

/// What the stack refers to stays as it is, until the process ends.
fn stop() -> ! {
    loop {
        std::thread::park();
    }
}

/// Runs a thread of a model. After a panic it does not return, so that loom does not take down the other threads.
pub(super) fn contain(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        // Somebody else's hook may have come in front of ours.
        fail(|| payload_text(&*payload).to_owned());
        stop();
    }
}

/// Tells that the present schedule failed, unless that is told.
fn fail(message: impl FnOnce() -> String) -> bool {
    let Some(report) = REPORT.take() else { return false };
    let _ = report.send(Err(Failed { message: message(), trace: trace::take() }));
    IS_OVER.with(|over| over.get().expect("a thread that reports has it").store(true, Relaxed));
    true
}

/// Explores every schedule of `body` with at most `preemptions`, all of them without a bound, for at most `limit`.
///
/// A panic in a schedule fails it, also one that the code under test would catch.
///
/// # Errors
/// The first schedule that fails, or the one that was under way when the time was up.
///
/// # Panics
/// When the system refuses a thread.
pub fn explore(
    preemptions: Option<usize>,
    limit: Duration,
    body: impl Fn() + Sync + Send + 'static,
) -> Result<Explored, Failed> {
    static HOOK: Once = Once::new();
    HOOK.call_once(hook);
    let (report, told) = mpsc::channel();
    let steps = Steps::default();
    let is_over = Arc::new(AtomicBool::new(false));
    let (own, ends) = (steps.clone(), is_over.clone());
    let spawned = std::thread::Builder::new().name("model".to_owned()).spawn(move || {
        INSIDE.set(true);
        trace::begin(own);
        IS_OVER.with(|over| over.set(ends).expect("one model a thread"));
        REPORT.set(Some(report.clone()));
        let explored = run(preemptions, body);
        INSIDE.set(false);
        REPORT.set(None);
        let _ = report.send(Ok(explored));
    });
    spawned.expect("a thread of the system");
    told.recv_timeout(limit).unwrap_or_else(|error| {
        is_over.store(true, Relaxed);
        let message = match error {
            mpsc::RecvTimeoutError::Timeout => format!("a model did not end within {limit:?}"),
            mpsc::RecvTimeoutError::Disconnected => "a model panicked under another panic hook".to_owned(),
        };
        Err(Failed { message, trace: steps.take() })
    })
}

fn run(preemptions: Option<usize>, body: impl Fn() + Sync + Send + 'static) -> Explored {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = STEPS_MAX;
    builder.max_threads = THREADS_MAX;
    builder.max_duration = None;
    builder.max_permutations = None;
    builder.checkpoint_file = None;
    builder.log = false;
    let schedules = Arc::new(AtomicU64::new(0));
    let (counted, body) = (schedules.clone(), Arc::new(body));
    builder.check(move || {
        fail_if_leaked();
        counted.fetch_add(1, Relaxed);
        trace::clear();
        let body = body.clone();
        // loom's first thread has a stack too small for code that is not optimised.
        drop(thread::start("main", move || body()));
    });
    fail_if_leaked();
    Explored { schedules: schedules.load(Relaxed) }
}

/// Has panics inside of models told to whoever explores them, and all others treated as before.
fn hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !fail(|| words(info)) {
            before(info);
        }
    }));
}

fn payload_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

fn words(info: &PanicHookInfo<'_>) -> String {
    let text = payload_text(info.payload());
    match info.location() {
        // The checker's own place tells nobody anything.
        Some(place) if !place.file().contains("/loom-") => {
            format!("{text} ({}:{})", place.file(), place.line())
        }
        _ => text.to_owned(),
    }
}

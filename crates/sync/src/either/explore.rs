//! One model, explored on a thread of the system of its own.
//!
//! A schedule that fails is reported from the panic hook, before anything is unwound, and its thread is left asleep where
//! it is: loom's threads can't be taken down outside of loom, and destructors that tried would end the process.

use super::trace::{Steps, Trace};
use super::{INSIDE, thread, trace};
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
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

std::thread_local! {
    /// To whom this thread tells how its model ends.
    static REPORT: RefCell<Option<Report>> = const { RefCell::new(None) };
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
    let own = steps.clone();
    let spawned = std::thread::Builder::new().name("model".to_owned()).spawn(move || {
        INSIDE.set(true);
        trace::begin(own);
        REPORT.set(Some(report.clone()));
        let explored = run(preemptions, body);
        INSIDE.set(false);
        let _ = report.send(Ok(explored));
    });
    spawned.expect("a thread of the system");
    told.recv_timeout(limit).unwrap_or_else(|_| {
        Err(Failed { message: format!("a model did not end within {limit:?}"), trace: steps.take() })
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
        counted.fetch_add(1, Relaxed);
        trace::clear();
        let body = body.clone();
        // loom's first thread has a stack too small for code that is not optimised.
        drop(thread::start("main", move || body()));
    });
    Explored { schedules: schedules.load(Relaxed) }
}

/// Has panics inside of models told to whoever explores them, and all others treated as before.
fn hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match REPORT.take() {
        Some(report) => {
            let _ = report.send(Err(Failed { message: words(info), trace: trace::take() }));
            loop {
                std::thread::park();
            }
        }
        None => before(info),
    }));
}

fn words(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("a panic without words");
    match info.location() {
        // The checker's own place tells nobody anything.
        Some(place) if !place.file().contains("/loom-") => {
            format!("{text} ({}:{})", place.file(), place.line())
        }
        _ => text.to_owned(),
    }
}

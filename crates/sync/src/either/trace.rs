//! What the threads of the present schedule did, in order, for people.
//!
//! Every access is noted; a failed schedule is shown, and the notes of the others are thrown away.

use std::cell::RefCell;
use std::fmt;
use std::fmt::Write;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

std::thread_local! {
    static STEPS: RefCell<Steps> = RefCell::default();
}

/// The steps of the present schedule. std's lock: the checker does not see it.
#[derive(Clone, Default)]
pub(super) struct Steps(Arc<Mutex<Vec<Step>>>);

/// One access, or one word of the kit.
struct Step {
    thread: String,
    what: String,
    at: &'static Location<'static>,
}

/// The steps of one schedule.
#[derive(Default)]
pub struct Trace(Vec<Step>);

impl Steps {
    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Trace {
        Trace(std::mem::take(&mut *self.lock()))
    }
}

/// This thread of the system explores from here on, and notes its steps there.
pub(super) fn begin(steps: Steps) {
    STEPS.set(steps);
}

pub(super) fn clear() {
    STEPS.with_borrow(|steps| steps.lock().clear());
}

pub(super) fn take() -> Trace {
    STEPS.with_borrow(Steps::take)
}

/// Notes that the present thread did something. Outside a model it does nothing.
#[track_caller]
pub fn note(what: fmt::Arguments<'_>) {
    if !super::inside() {
        return;
    }
    let thread = loom::thread::current().name().unwrap_or("main").to_owned();
    let step = Step { thread, what: what.to_string(), at: Location::caller() };
    STEPS.with_borrow(|steps| steps.lock().push(step));
}

impl Trace {
    /// The steps that were taken in files for which `is_shown` says so, a line each.
    pub fn render(&self, is_shown: impl Fn(&str) -> bool) -> String {
        let shown: Vec<&Step> = self.0.iter().filter(|step| is_shown(step.at.file())).collect();
        let place = |step: &Step| {
            let name = step.at.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!("{name}:{}", step.at.line())
        };
        let threads = shown.iter().map(|step| step.thread.len()).max().unwrap_or(0);
        let places = shown.iter().map(|step| place(step).len()).max().unwrap_or(0);
        let mut text = String::new();
        for step in shown {
            let _ = writeln!(text, "  {:threads$}  {:places$}  {}", step.thread, place(step), step.what);
        }
        text
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} steps)", self.0.len())
    }
}

//! What a frame waits for: one source, any of several, all of several, nested at will.

use crate::delay::{Elapsed, Until};
use crate::source::WaitSource;
use crate::stage::Moment;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A source that any thread may hold.
pub type SharedSource = Arc<dyn WaitSource + Send + Sync>;
/// A source of a runtime that one thread drives.
pub type LocalSource = Rc<dyn WaitSource>;

/// A condition over wait sources.
#[derive(Clone, Debug)]
pub enum Condition<S = SharedSource> {
    /// Until this source is ready.
    Until(S),
    /// Until this moment of the stage's clock: what [`Until`] stands for, without a source's memory.
    At(Moment),
    /// Until so much time has passed since the wait began: what [`Elapsed`] stands for, likewise.
    After(Duration),
    /// Until the first of these resolves; its success or failure is that of the whole, and the others are
    /// given up without consuming anything.
    Any(Vec<Condition<S>>),
    /// Until all of these are ready; the first failure is that of the whole. Sources that hand
    /// something out hand it out together or not at all.
    All(Vec<Condition<S>>),
}

impl<S> Condition<S> {
    /// Until the first of these sources resolves.
    pub fn any(sources: impl IntoIterator<Item = S>) -> Condition<S> {
        Condition::Any(sources.into_iter().map(Condition::Until).collect())
    }

    /// Until all of these sources are ready.
    pub fn all(sources: impl IntoIterator<Item = S>) -> Condition<S> {
        Condition::All(sources.into_iter().map(Condition::Until).collect())
    }
}

impl<T: WaitSource + Send + Sync + 'static> From<Arc<T>> for Condition<SharedSource> {
    fn from(source: Arc<T>) -> Condition<SharedSource> {
        Condition::Until(source)
    }
}

impl From<SharedSource> for Condition<SharedSource> {
    fn from(source: SharedSource) -> Condition<SharedSource> {
        Condition::Until(source)
    }
}

impl<T: WaitSource + 'static> From<Rc<T>> for Condition<LocalSource> {
    fn from(source: Rc<T>) -> Condition<LocalSource> {
        Condition::Until(source)
    }
}

impl From<LocalSource> for Condition<LocalSource> {
    fn from(source: LocalSource) -> Condition<LocalSource> {
        Condition::Until(source)
    }
}

impl<S> From<Until> for Condition<S> {
    fn from(Until(moment): Until) -> Condition<S> {
        Condition::At(moment)
    }
}

impl<S> From<Elapsed> for Condition<S> {
    fn from(Elapsed(duration): Elapsed) -> Condition<S> {
        Condition::After(duration)
    }
}

/// Until the first of these resolves: sources in an `Arc` or `Rc`, and conditions.
///
/// ```
/// use raddle_wait::{Condition, Event, Semaphore, all, any};
/// use std::sync::Arc;
///
/// let (stop, ready, done) = (Arc::new(Event::manual()), Arc::new(Event::auto()), Arc::new(Semaphore::new(0)));
/// let condition: Condition = any![stop, all![ready, done.at(3)]];
/// # drop(condition);
/// ```
#[macro_export]
macro_rules! any {
    ($($part:expr),+ $(,)?) => { $crate::Condition::Any(vec![$($crate::Condition::from($part)),+]) };
}

/// Until all of these are ready: sources in an `Arc` or `Rc`, and conditions. See [`any!`](crate::any).
#[macro_export]
macro_rules! all {
    ($($part:expr),+ $(,)?) => { $crate::Condition::All(vec![$($crate::Condition::from($part)),+]) };
}

impl std::fmt::Debug for dyn WaitSource + Send + Sync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WaitSource")
    }
}

impl std::fmt::Debug for dyn WaitSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WaitSource")
    }
}

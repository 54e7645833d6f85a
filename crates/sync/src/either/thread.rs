//! Threads, as far as protocols need them.

use super::{Either, explore, inside, step};
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// The stack of a thread of a model. Unit: words. Half a megabyte, of which only what is used is real.
const STACK_WORDS: usize = 1 << 16;

/// A thread that can be joined.
pub struct JoinHandle<T>(Either<std::thread::JoinHandle<T>, Arc<Joined<T>>>);

/// What a thread of a model leaves. loom's own handle writes a line for each join.
struct Joined<T> {
    result: Mutex<Option<T>>,
    has_ended: loom::sync::atomic::AtomicBool,
    /// Asleep in `join`. std's lock: a model changes threads at accesses of loom's alone.
    joiner: Mutex<Option<loom::thread::Thread>>,
}

impl<T> Joined<T> {
    fn end(&self, result: T) {
        use std::sync::atomic::Ordering::Release;
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        // A read-modify-write on both sides: the checker leaves open where in the word's history a store comes.
        self.has_ended.swap(true, Release);
        let joiner = self.joiner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(joiner) = joiner {
            joiner.unpark();
        }
    }

    fn join(&self) -> Option<T> {
        use std::sync::atomic::Ordering::Acquire;
        step();
        while !self.has_ended.fetch_or(false, Acquire) {
            *self.joiner.lock().unwrap_or_else(PoisonError::into_inner) = Some(loom::thread::current());
            loom::thread::park();
        }
        self.result.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> JoinHandle<T> {
    /// Waits for the thread's end. Blocks: until then.
    ///
    /// # Errors
    /// What it panicked with; in a model a panic fails the schedule.
    pub fn join(self) -> Result<T, Box<dyn Any + Send>> {
        match self.0 {
            Either::Native(handle) => handle.join(),
            Either::Model(joined) => Ok(joined.join().expect("a thread that ended has left its result")),
        }
    }
}

impl<T> std::fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinHandle")
    }
}

/// Starts a thread.
pub fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    spawn_named("another", body)
}

/// Starts a thread with a name, for traces.
///
/// # Panics
/// When the system refuses a thread.
pub fn spawn_named<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    if !inside() {
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        return JoinHandle(Either::Native(handle.expect("a thread of the system")));
    }
    let joined = Arc::new(Joined {
        result: Mutex::new(None),
        has_ended: loom::sync::atomic::AtomicBool::new(false),
        joiner: Mutex::new(None),
    });
    let own = joined.clone();
    drop(start(name, move || own.end(body())));
    JoinHandle(Either::Model(joined))
}

/// Starts a thread of a model.
pub(super) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> loom::thread::JoinHandle<()> {
    let builder = loom::thread::Builder::new().name(name.to_owned()).stack_size(STACK_WORDS);
    builder.spawn(move || explore::contain(body)).expect("a thread of a model")
}

/// Lets others run.
pub fn yield_now() {
    if inside() { loom::thread::yield_now() } else { std::thread::yield_now() }
}

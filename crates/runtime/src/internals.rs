//! The inside, for models: the parts of protocols by themselves.
//!
//! Not here: any protocol. Nothing of this is part of the public interface.

use crate::batch::mailbox::Mailbox;
use crate::batch::tray::Tray;
use crate::completion::{Completion, Ending, Results};
use crate::values::Outputs;
use raddle_status::Result;
use std::fmt;
use std::task::Waker;

/// How an invocation ended.
pub struct Told(Completion<Outputs>);

impl Results for Outputs {
    fn take(&mut self) -> Outputs {
        std::mem::take(self)
    }
}

impl Default for Told {
    fn default() -> Told {
        Told(Completion::new(None))
    }
}

impl Told {
    /// The invocation has ended.
    pub fn publish(&self, result: Result<Outputs>) {
        self.0.publish(Ending::Finished, result);
    }

    /// Tells who wants to know.
    pub fn tell(&self) {
        self.0.tell();
    }

    /// How it ended.
    pub fn ending(&self) -> Option<Ending> {
        self.0.ending()
    }

    /// The result, once.
    pub fn take(&self) -> Option<Result<Outputs>> {
        self.0.take()
    }

    /// The result, or the waker is called when it is there.
    pub fn take_or_wake(&self, waker: &Waker) -> Option<Result<Outputs>> {
        self.0.take_or_wake(waker)
    }

    /// Has `callback` called with the result: later, or now if it is there.
    pub fn call_back(&self, callback: impl FnOnce(Result<Outputs>) + Send + 'static) {
        if let Some((callback, result)) = self.0.call_back(Box::new(callback)) {
            callback(result);
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

/// No results.
pub fn nothing() -> Outputs {
    Outputs::new([])
}

/// What workers hand to the thread that runs a batch.
#[derive(Default)]
pub struct Letters(Mailbox);

impl Letters {
    /// Adds a letter.
    pub fn put(&self, slot: usize) {
        self.0.put(slot, Ok(nothing()));
    }

    /// Asks the reader to stop.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Tells the reader to look at its input.
    pub fn nudge(&self) {
        self.0.nudge();
    }

    /// Sleeps until there are so many letters, or there is something else to see. Blocks: until then.
    pub fn sleep(&self, wanted: usize) {
        self.0.sleep(wanted, false, None);
    }

    /// How many there are; they are gone then.
    pub fn take(&self) -> usize {
        let mut letters = Vec::new();
        self.0.take(&mut letters);
        letters.len()
    }
}

impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letters")
    }
}

/// Items on their way to the workers of a batch.
pub struct Items(Tray<usize>);

impl Items {
    /// For so many launchers.
    pub fn new(launchers_max: usize) -> Items {
        Items(Tray::new(launchers_max))
    }

    /// Lays one down; says whether a launcher is wanted.
    pub fn lay(&self, item: usize) -> bool {
        self.0.lay(item)
    }

    /// Takes one or more, and says how many; `None`: the launcher is gone.
    pub fn take(&self) -> Option<usize> {
        let mut taken = Vec::new();
        self.0.take(&mut taken, 1).then_some(taken.len())
    }
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Items")
    }
}

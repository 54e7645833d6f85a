//! A wait for the first of several, which tells which it was.
//!
//! Not here: the wait (`frame.rs`); a select is a condition for any, with a value for each child.

use crate::condition::{Condition, SharedSource};
use raddle_status::Result;
use std::fmt;

/// Conditions, each with a value: what a wait for the first of them came to. Made by [`select!`](crate::select!).
pub struct Select<T, S = SharedSource> {
    choices: Vec<(Condition<S>, T)>,
}

impl<T, S> Select<T, S> {
    /// Without a choice, which no wait takes.
    #[expect(clippy::new_without_default, reason = "a default that can't be waited for")]
    pub fn new() -> Select<T, S> {
        Select { choices: Vec::new() }
    }

    /// The same with one more choice.
    #[must_use]
    pub fn or(mut self, condition: impl Into<Condition<S>>, value: T) -> Select<T, S> {
        self.choices.push((condition.into(), value));
        self
    }

    /// Until the first of them resolves: for frames, futures and graphs; they say the index, and [`value`](Select::value)
    /// what it stands for.
    pub fn condition(&self) -> Condition<S>
    where
        S: Clone,
    {
        Condition::Any(self.choices.iter().map(|(condition, _)| condition.clone()).collect())
    }

    /// The value of the choice with this index.
    pub fn value(&self, index: usize) -> Option<&T> {
        self.choices.get(index).map(|(_, value)| value)
    }

    /// Waits with what `wait` makes of the condition, such as a [`Waiting`](crate::Waiting): the index and the value of the
    /// first choice that resolved.
    ///
    /// # Errors
    /// Those of the wait; INVALID_ARGUMENT without a choice.
    pub async fn on<F>(self, wait: impl FnOnce(Condition<S>) -> F) -> Result<(usize, T)>
    where
        F: Future<Output = Result<usize>>,
    {
        let (conditions, mut values): (Vec<_>, Vec<_>) = self.choices.into_iter().unzip();
        let index = wait(Condition::Any(conditions)).await?;
        Ok((index, values.swap_remove(index)))
    }
}

impl<T: fmt::Debug, S> fmt::Debug for Select<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.choices.iter().map(|(_, value)| value)).finish()
    }
}

/// The first of several conditions or sources, each with a value.
///
/// ```
/// use raddle_wait::{Permits, Event, SlotPool, Waiting, select};
/// use std::sync::Arc;
///
/// # async fn example() -> raddle_status::Result {
/// let (pool, stop, work) = (SlotPool::new(), Arc::new(Event::manual()), Arc::new(Permits::new(1)));
/// let first = select![stop => "stop", work => "work"].on(|condition| Waiting::new(&pool, condition)).await?;
/// assert_eq!(first, (1, "work"));
/// # Ok(())
/// # }
/// # use std::{pin::pin, task::{Context, Poll, Waker}};
/// # assert!(matches!(pin!(example()).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
/// ```
#[macro_export]
macro_rules! select {
    ($($condition:expr => $value:expr),+ $(,)?) => { $crate::Select::new()$(.or($condition, $value))+ };
}

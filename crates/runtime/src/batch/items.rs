//! Where a batch gets its items: any iterator, or something that says "not yet", such as a [`feed`].
//!
//! Not here: items from files (`format/`).

use super::item::Item;
use raddle_status::Result;
use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Where a batch gets its items. Every iterator over `Result<Item>` is one.
pub trait Items {
    /// The next item; `None` after the last. Where there is none yet, the context's waker is to be woken when there is.
    /// An error ends the batch.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Item>>>;

    /// How many there will be, if that is known.
    fn total(&self) -> Option<u64> {
        None
    }
}

impl<I: Iterator<Item = Result<Item>>> Items for I {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Item>>> {
        Poll::Ready(self.next())
    }

    fn total(&self) -> Option<u64> {
        match self.size_hint() {
            (least, Some(most)) if least == most => Some(least as u64),
            _ => None,
        }
    }
}

impl Items for Box<dyn Items> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Item>>> {
        (**self).poll_next(context)
    }

    fn total(&self) -> Option<u64> {
        (**self).total()
    }
}

type Parked = Arc<Mutex<Option<Waker>>>;

/// Items from another thread: what is sent there is run here. At most `bound` are on their way.
pub fn feed(bound: usize) -> (Feeder, Feed) {
    let (sender, receiver) = sync_channel(bound);
    let parked = Parked::default();
    (Feeder { sender: Some(sender), parked: parked.clone() }, Feed { receiver, parked })
}

/// Sends items to a batch; dropping it ends the input.
pub struct Feeder {
    sender: Option<SyncSender<Result<Item>>>,
    parked: Parked,
}

/// The items that a [`Feeder`] sends.
pub struct Feed {
    receiver: Receiver<Result<Item>>,
    parked: Parked,
}

impl Feeder {
    /// Sends an item; false if the batch has ended. Blocks: while too many are on their way.
    pub fn send(&self, item: Result<Item>) -> bool {
        let is_sent = self.sender.as_ref().is_some_and(|sender| sender.send(item).is_ok());
        self.wake();
        is_sent
    }

    fn wake(&self) {
        let waker = self.parked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        // First, so that who is woken sees the end.
        self.sender = None;
        self.wake();
    }
}

impl Items for Feed {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Item>>> {
        for is_parked in [false, true] {
            match self.receiver.try_recv() {
                Ok(item) => return Poll::Ready(Some(item)),
                Err(TryRecvError::Disconnected) => return Poll::Ready(None),
                Err(TryRecvError::Empty) if is_parked => {}
                // Looked at again after the waker is there, so that what came in between is not missed.
                Err(TryRecvError::Empty) => {
                    let waker = context.waker().clone();
                    *self.parked.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
                }
            }
        }
        Poll::Pending
    }
}

impl fmt::Debug for Feeder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feeder")
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

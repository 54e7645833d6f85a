//! How the inside of a frame ends: its slots are taken back, its winners committed, and what that means is said.
//!
//! Not here: how it begins (`body.rs`), and its invariants.

#![allow(unsafe_code)]

use crate::arm::{Closing, close_branch, close_one, close_timed};
use crate::body::{Body, Wanted};
use crate::branch::{guard, winners};
use crate::cancel::CancelPoint;
use crate::frame::Outcome;
use crate::listed::Node;
use crate::slot::{self, Moved};
use crate::source::{Commit, Readiness, WaitSource};
use crate::stage::sealed::Armed;
use crate::stage::{Due, Stage};
use crate::word::{State, Word};
use raddle_status::{Code, Error, Result};
use raddle_sync::mutant;
use smallvec::{SmallVec, smallvec};
use std::ops::Deref;

impl<S: Deref<Target: WaitSource>> Body<S> {
    /// Closes a resolved frame; `None` if what it waited for was lost to another and it must begin again.
    pub(crate) fn disband(&mut self, stage: &dyn Stage, point: &CancelPoint) -> Option<Outcome> {
        // By far the most common: one source, and nothing else that could have ended the wait for good.
        let alone = match &mut self.wanted {
            _ if point.has_timer() => None,
            Wanted::One(leaf) => Some(close_one(leaf, stage, point, Closing::Settled)),
            Wanted::Moment(timed) => Some(close_timed(timed, stage, point, Closing::Settled)),
            Wanted::Nothing | Wanted::Several(_) | Wanted::Kept(_) => None,
        };
        if let Some((end, _)) = alone {
            return match self.commit_success(end) {
                Ok(Commit::Taken) => Some(Outcome::Ready { index: 0 }),
                committed => self.conclude(end, committed, &[end.state() == State::Fired]),
            };
        }
        let (end, fired) = self.close_all(stage, point, Closing::Settled);
        let committed = self.commit_success(end);
        self.conclude(end, committed, &fired)
    }

    /// Commits the winners of a frame that ended in success.
    #[inline]
    fn commit_success(&self, end: Word) -> Result<Commit> {
        if end.is_success() { self.commit() } else { Ok(Commit::Lost) }
    }

    /// What the end of a closed frame means.
    fn conclude(&mut self, end: Word, committed: Result<Commit>, fired: &[bool]) -> Option<Outcome> {
        let is_success = end.is_success();
        let is_taken = matches!(committed, Ok(Commit::Taken));
        self.decline(fired, is_taken);
        match (end.state(), committed) {
            (State::Fired, Err(error)) => Some(Outcome::Failed(error)),
            (State::Fired, Ok(Commit::Taken)) => Some(self.ready()),
            (State::Fired, Ok(Commit::Lost)) if is_success && mutant!("frame.lost") => Some(self.ready()),
            (State::Fired, Ok(Commit::Lost)) if is_success || end.code() == Code::Deferred.number() => None,
            (State::Fired, Ok(Commit::Lost)) => Some(Outcome::Failed(self.failure_of(end.code()))),
            (State::Cancelled, _) => Some(Outcome::Cancelled),
            (State::TimedOut, _) => Some(Outcome::TimedOut),
            (State::Free | State::Arming | State::Armed, _) => {
                unreachable!("concluding a frame that is {end:?}")
            }
        }
    }

    /// Closes a waiting frame without an outcome: whether its header is spared from being scheduled.
    pub(crate) fn abandon(&mut self, stage: &dyn Stage, point: &CancelPoint) -> bool {
        let root = point.root();
        // SAFETY: the point keeps the memory.
        let generation = unsafe { root.as_ref() }.peek().generation();
        // SAFETY: as above.
        let is_spared = match unsafe { slot::resolve(root, generation, State::Cancelled) } {
            Moved::Owed(owed) => {
                owed.waive();
                true
            }
            Moved::Lost => false,
            Moved::Taken => unreachable!("abandoning a frame that is still armed by its owner"),
        };
        let (_, fired) = self.close_all(stage, point, Closing::Hasty);
        self.decline(&fired, false);
        is_spared
    }

    /// Takes every slot back (I1): how the root ended, and which slots had fired.
    fn close_all(
        &mut self,
        stage: &dyn Stage,
        point: &CancelPoint,
        closing: Closing,
    ) -> (Word, SmallVec<[bool; 8]>) {
        if point.has_timer() {
            point.set_has_timer(false);
            let slot = point.root();
            // SAFETY: the point keeps the memory.
            let generation = unsafe { slot.as_ref() }.peek().generation();
            // SAFETY: added in `arm_deadline`.
            unsafe { stage.remove_timer(Armed { node: Node { slot, generation }, due: Due::TimeOut }) };
        }
        let tree = match &mut self.wanted {
            Wanted::Several(tree) => tree,
            Wanted::One(leaf) => {
                let (end, fired) = close_one(leaf, stage, point, closing);
                return (end, smallvec![fired]);
            }
            Wanted::Moment(timed) => {
                let (end, fired) = close_timed(timed, stage, point, closing);
                return (end, smallvec![fired]);
            }
            Wanted::Nothing | Wanted::Kept(_) => unreachable!("closing a frame that waits for nothing"),
        };
        // SAFETY: the point keeps the memory.
        let end = unsafe { point.root().as_ref() }.see();
        let mut fired = SmallVec::from_elem(false, tree.branches.len());
        for (me, fired) in fired.iter_mut().enumerate() {
            // A root that is a leaf is here because it could not be armed.
            let word = close_branch(&mut tree.branches[me], stage);
            *fired = word.is_some_and(|word| word.state() == State::Fired);
            let Some(slot) = tree.branches[me].slot else { continue };
            // SAFETY: the pool keeps the memory.
            if !unsafe { slot.as_ref() }.is_spent() {
                continue;
            }
            tree.branches[me].slot = None;
            match &tree.pool {
                _ if me == 0 => point.replace_root(),
                // SAFETY: closed, and forgotten here.
                Some(pool) => unsafe { pool.give(slot) },
                None => {}
            }
        }
        (end, fired)
    }

    /// Tells sources whose wake-up was not used (I2); `took` says whether the winners were committed.
    fn decline(&self, fired: &[bool], took: bool) {
        if mutant!("frame.decline") {
            return;
        }
        match &self.wanted {
            Wanted::One(leaf) if fired[0] && !took => _ = guard(|| leaf.source.decline()),
            Wanted::Several(tree) => {
                let winners = if took { winners(&tree.branches) } else { SmallVec::default() };
                for (me, branch) in tree.branches.iter().enumerate() {
                    let is_unused = fired[me] && !winners.get(me).copied().unwrap_or(false);
                    if let Some(source) = branch.source().filter(|_| is_unused) {
                        let _ = guard(|| source.decline());
                    }
                }
            }
            _ => {}
        }
    }

    /// The failure behind a status number: our own, or what a source says when it is asked.
    fn failure_of(&mut self, code: u32) -> Error {
        let code = Code::from_number(code).unwrap_or(Code::Unknown);
        let own = match &mut self.wanted {
            Wanted::Several(tree) => tree.failure.take(),
            _ => None,
        };
        if let Some(error) = own.filter(|error| error.code() == code) {
            return error;
        }
        let told = self.sources().find_map(|source| match guard(|| source.query()) {
            Ok(Readiness::Failed(error)) if error.code() == code => Some(error),
            _ => None,
        });
        told.unwrap_or_else(|| Error::new(code, "a wait source failed"))
    }
}

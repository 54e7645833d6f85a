//! The packed word of a slot, as a value.
//!
//! Not here: the transitions; all of them are methods of [`Slot`](crate::slot::Slot).
//!
//! | bits | name | meaning |
//! |---|---|---|
//! | 0..3 | state | see [`State`] |
//! | 3..8 | code | status number with which the slot fired; 0 is success |
//! | 8..28 | field | open: how many children must still fire; fired: which child fired last |
//! | 28..64 | generation | counts the uses of the slot; a slot whose generation is spent is never used again |

/// Bits of the generation. Small under the model checker, so that a model can spend it.
pub(crate) const GENERATION_BITS: u32 = if cfg!(raddle_loom) { 2 } else { 36 };
const FIELD_SHIFT: u32 = 8;
const FIELD_BITS: u32 = 20;
const GENERATION_SHIFT: u32 = FIELD_SHIFT + FIELD_BITS;
const CODE_SHIFT: u32 = 3;
const CODE_MASK: u64 = 0x1f;
const STATE_MASK: u64 = 0x7;

/// The most children that one group of a frame can have.
pub(crate) const CHILDREN_MAX: usize = (1 << FIELD_BITS) - 1;
/// The last generation: a slot that reaches it is worn out.
pub(crate) const GENERATION_LAST: u64 = (1 << GENERATION_BITS) - 1;

const _: () = assert!(GENERATION_SHIFT + GENERATION_BITS <= 64);

/// What a slot is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum State {
    /// Belongs to its frame or to the pool; nobody may fire it.
    Free = 0,
    /// A root whose frame is still arming its leaves: a fire is seen by the armer, who owes the resume.
    Arming = 1,
    /// Waits: whoever moves it on owes what follows.
    Armed = 2,
    /// Fired, with a code.
    Fired = 3,
    /// Cancelled before it fired.
    Cancelled = 4,
    /// Its deadline passed before it fired.
    TimedOut = 5,
}

/// A snapshot of a slot's word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    /// A word without a meaning, for memory that goes.
    pub(crate) const POISON: Word = Word(STATE_MASK);

    pub(crate) fn free(generation: u64) -> Word {
        debug_assert!(generation <= GENERATION_LAST);
        Word(generation << GENERATION_SHIFT)
    }

    /// The word of an open slot that `children` fires will resolve.
    pub(crate) fn open(generation: u64, state: State, children: u64) -> Word {
        debug_assert!(matches!(state, State::Arming | State::Armed));
        debug_assert!(children >= 1 && children as usize <= CHILDREN_MAX);
        Word(generation << GENERATION_SHIFT | children << FIELD_SHIFT | state as u64)
    }

    pub(crate) fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    pub(crate) fn field(self) -> u64 {
        self.0 >> FIELD_SHIFT & CHILDREN_MAX as u64
    }

    pub(crate) fn code(self) -> u32 {
        (self.0 >> CODE_SHIFT & CODE_MASK) as u32
    }

    pub(crate) fn state(self) -> State {
        match self.0 & STATE_MASK {
            0 => State::Free,
            1 => State::Arming,
            2 => State::Armed,
            3 => State::Fired,
            4 => State::Cancelled,
            5 => State::TimedOut,
            other => unreachable!("slot word {:#x} holds state {other}", self.0),
        }
    }

    /// Whether this use of the slot can still be moved on.
    pub(crate) fn is_open(self, generation: u64) -> bool {
        self.generation() == generation && matches!(self.state(), State::Arming | State::Armed)
    }

    /// Whether it fired, and not with a failure.
    pub(crate) fn is_success(self) -> bool {
        self.0 & (STATE_MASK | CODE_MASK << CODE_SHIFT) == State::Fired as u64
    }

    /// The same use in another state.
    pub(crate) fn with_state(self, state: State) -> Word {
        Word(self.0 & !STATE_MASK | state as u64)
    }

    /// The word after `child` fired with `code`: one fewer to go, or fired. A failure resolves at once.
    pub(crate) fn after_fire(self, child: u64, code: u32) -> Word {
        debug_assert!(self.is_open(self.generation()) && self.field() >= 1);
        debug_assert!(u64::from(code) <= CODE_MASK && child as usize <= CHILDREN_MAX);
        if code == 0 && self.field() > 1 {
            return Word(self.0 - (1 << FIELD_SHIFT));
        }
        let generation = self.generation() << GENERATION_SHIFT;
        Word(generation | child << FIELD_SHIFT | u64::from(code) << CODE_SHIFT | State::Fired as u64)
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "generation {} {:?} field {} code {}",
            self.generation(),
            self.state(),
            self.field(),
            self.code()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_overlap() {
        let word = Word::open(GENERATION_LAST, State::Armed, CHILDREN_MAX as u64);
        assert_eq!(word.generation(), GENERATION_LAST);
        assert_eq!(word.field(), CHILDREN_MAX as u64);
        assert_eq!(word.state(), State::Armed);
        assert_eq!(word.code(), 0);
        let fired = word.after_fire(CHILDREN_MAX as u64, 18);
        assert_eq!(
            (fired.generation(), fired.field(), fired.code(), fired.state()),
            (GENERATION_LAST, CHILDREN_MAX as u64, 18, State::Fired)
        );
    }

    #[test]
    fn a_group_fires_with_its_last_child_or_its_first_failure() {
        let group = Word::open(1, State::Armed, 2);
        let one_left = group.after_fire(0, 0);
        assert_eq!((one_left.state(), one_left.field()), (State::Armed, 1));
        let fired = one_left.after_fire(1, 0);
        assert_eq!((fired.state(), fired.field(), fired.code()), (State::Fired, 1, 0));
        let failed = group.after_fire(1, 14);
        assert_eq!((failed.state(), failed.field(), failed.code()), (State::Fired, 1, 14));
        assert_eq!([one_left, fired, failed].map(Word::is_success), [false, true, false]);
    }
}

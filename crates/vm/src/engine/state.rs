//! What a handler works on: program counter, window, budget and the core of the invocation.
//!
//! Not here: where windows come from ([`crate::stack`]); the handlers ([`super::ops`]).
//!
//! # Invariants
//! - S1: a window starts a frame of the function whose code runs, so that T1 makes every cell operand of that code
//!   a place inside the frame. Handlers pass only operands of the instruction at hand, or of its site.
//! - S2: ref cells of a live frame hold an initialised `Option<Ref>`; value cells are initialised bits.
//! - S3: `core` points to the core of the invocation that runs, which nobody else touches until the run ends.
//! - S4: `pc` points at an instruction of the running code (T2), whose `Run` belongs to the engine that runs.
#![allow(unsafe_code)]

use crate::context::ModuleState;
use crate::machine::Core;
use crate::object::Ref;
use crate::translate::code::{Carry, Code, Inst, Shape, Site, Transfer, Word};

/// Why the engine returns to its driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Exit {
    /// The outermost frame has returned: the window is that of its results.
    Finished = 1,
    /// The core holds a suspended native call.
    Waiting,
    /// The program gave up its turn.
    Yielded,
    /// The budget's chunk is used up; the instruction at `pc` runs again.
    Budget,
    /// The core holds the error.
    Failed,
    /// The callee at `pc` is not translated; the call runs again.
    Translate,
    /// The callee at `pc` does not fit into the segment.
    Grow,
}

/// What a handler says to its engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Go on at `pc`.
    Next,
    /// Go on this many bytes from the first slot of the instruction. Apart from `Next`, so that a handler that branches has two ends and the processor
    /// predicts which one comes, instead of waiting for the comparison.
    Jump(isize),
    /// Return to the driver.
    Exit(Exit),
}

/// The cells of a frame. See S1.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Window(pub(crate) *mut u8);

/// What lies below a window.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Frame {
    /// The caller's window; that of the results in the outermost frame.
    pub(crate) caller: Window,
    /// The call that made this frame.
    pub(crate) site: *const Site,
    /// What runs in this frame.
    pub(crate) code: *const Code,
    /// In a bridge: the caller's module. Otherwise: the instruction at which the caller goes on. It is here besides in the site,
    /// since a return waits for it: one load instead of two.
    pub(crate) back: *const (),
}

impl Frame {
    /// The caller's module; of bridges only.
    pub(crate) fn module_below(&self) -> *const ModuleState {
        self.back.cast()
    }

    /// Where the caller goes on; not of bridges.
    #[inline(always)]
    pub(crate) fn next(&self) -> *const Inst {
        self.back.cast()
    }
}

/// Size of a frame's header. Unit: bytes.
pub(crate) const FRAME_BYTES: usize = size_of::<Frame>();

/// Bits that fit into one cell or a pair of cells.
pub(crate) trait Bits: Copy {}
impl Bits for u32 {}
impl Bits for i32 {}
impl Bits for f32 {}
impl Bits for u64 {}
impl Bits for i64 {}
impl Bits for f64 {}

impl Window {
    #[inline(always)]
    fn at<T>(self, cell: u16) -> *mut T {
        // SAFETY: S1: the cell lies inside the frame.
        unsafe { self.0.add(cell as usize * 4) }.cast()
    }

    /// The value in a cell.
    #[inline(always)]
    pub(crate) fn get<T: Bits>(self, cell: u16) -> T {
        // SAFETY: S1, S2; 64-bit values sit in even cells of an 8-aligned window (verified alignment).
        unsafe { self.at::<T>(cell).read() }
    }

    /// Sets the value in a cell.
    #[inline(always)]
    pub(crate) fn set<T: Bits>(self, cell: u16, value: T) {
        // SAFETY: S1; alignment as in `get`.
        unsafe { self.at::<T>(cell).write(value) }
    }

    /// The ref in a cell. The caller uses one such borrow at a time.
    #[inline(always)]
    pub(crate) fn reference<'a>(self, cell: u16) -> &'a mut Option<Ref> {
        // SAFETY: S1, S2; frames are reached by the running handler alone (S3), one borrow at a time.
        unsafe { &mut *self.at::<Option<Ref>>(cell) }
    }

    /// The ref in a cell, for reading. Nothing changes the cell while it is borrowed: that is the caller's word.
    #[inline(always)]
    pub(crate) fn borrowed<'a>(self, cell: u16) -> Option<&'a Ref> {
        // SAFETY: S1, S2; the caller's word (A1).
        unsafe { &*self.at::<Option<Ref>>(cell) }.as_ref()
    }

    /// Puts a ref into a cell and releases the one that was there.
    #[inline(always)]
    pub(crate) fn put(self, cell: u16, reference: Option<Ref>) {
        drop(std::mem::replace(self.reference(cell), reference));
    }

    /// Makes a cell of a frame that is being built a null ref.
    #[inline(always)]
    fn clear_ref(self, cell: u16) {
        // SAFETY: S1; the cell holds no ref yet.
        unsafe { self.at::<usize>(cell).write(0) }
    }

    /// Moves one value to another frame. The target holds no ref of its own, or one that is released.
    #[inline(always)]
    pub(crate) fn transfer(self, to: Window, transfer: Transfer) {
        match transfer.carry {
            Carry::Half => to.set::<u32>(transfer.to, self.get(transfer.from)),
            Carry::Whole => to.set::<u64>(transfer.to, self.get(transfer.from)),
            Carry::Copy => to.put(transfer.to, self.reference(transfer.from).clone()),
            Carry::Take => to.put(transfer.to, self.reference(transfer.from).take()),
        }
    }

    /// As `transfer`, into a frame that has just been started: its refs are null, nothing is released.
    #[inline(always)]
    pub(crate) fn transfer_fresh(self, to: Window, transfer: Transfer) {
        let reference = match transfer.carry {
            Carry::Half => return to.set::<u32>(transfer.to, self.get(transfer.from)),
            Carry::Whole => return to.set::<u64>(transfer.to, self.get(transfer.from)),
            Carry::Copy => self.reference(transfer.from).clone(),
            Carry::Take => self.reference(transfer.from).take(),
        };
        // SAFETY: S1; the cell holds no ref that would have to be released.
        unsafe { to.at::<Option<Ref>>(transfer.to).write(reference) };
    }

    /// The frame's header.
    #[inline(always)]
    pub(crate) fn frame<'a>(self) -> &'a mut Frame {
        // SAFETY: S1: a frame has its header below its window; S3: one user at a time.
        let header = unsafe { self.0.cast::<Frame>().sub(1) };
        // SAFETY: as above; headers are written before the window is used.
        unsafe { &mut *header }
    }

    /// Writes the header of a new frame.
    #[inline(always)]
    pub(crate) fn start(self, frame: Frame) {
        // SAFETY: the stack has checked that header and cells fit (`crate::stack`).
        let header = unsafe { self.0.cast::<Frame>().sub(1) };
        // SAFETY: as above; windows are 16-aligned, headers 32 bytes.
        unsafe { header.write(frame) };
    }

    /// The window `bytes` further up.
    #[inline(always)]
    pub(crate) fn advance(self, bytes: u32) -> Window {
        Window(self.0.wrapping_add(bytes as usize))
    }

    /// Whether this is no window: there are no frames.
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Makes a new frame's cells what the code expects.
    #[inline(always)]
    pub(crate) fn zero(self, code: &Code) {
        debug_assert!(code.shape.is_none(), "bridges are cleared by their maker");
        if code.zero_cells == 0 {
            return;
        }
        let mut cell = code.zero_from;
        while cell < code.zero_from + code.zero_cells {
            let place = self.at::<u64>(cell);
            // SAFETY: S1: the range lies inside the frame, which is being built. Volatile, so that the compiler makes no
            // call of it: a handler that calls saves registers even where nothing is to be zeroed.
            unsafe { place.write_volatile(0) };
            cell += 2;
        }
    }

    /// Makes the refs of a bridge null, or those of a window of results.
    #[inline(never)]
    pub(crate) fn clear_shape(self, shape: &Shape) {
        shape.ref_cells().for_each(|cell| self.clear_ref(cell));
    }

    /// Releases the refs of a bridge, or those of a window of results.
    #[inline(never)]
    pub(crate) fn release_shape(self, shape: &Shape) {
        shape.ref_cells().for_each(|cell| drop(self.reference(cell).take()));
    }

    /// Releases the refs of a function's frame that ends.
    #[inline(always)]
    pub(crate) fn release(self, code: &Code) {
        if code.ref_count != 0 {
            self.release_range(code.refs_from, code.ref_count);
        }
    }

    #[inline(never)]
    fn release_range(self, from: u16, count: u16) {
        for index in 0..count {
            drop(self.reference(from + 2 * index).take());
        }
    }
}

/// Four cells, in memory.
#[derive(Clone, Copy)]
pub(crate) struct Apart<'a>(&'a [u16; 4]);

impl Apart<'_> {
    /// The cell with this place in a [`Word`].
    #[inline(always)]
    fn cell(self, place: usize) -> u16 {
        self.0[if cfg!(target_endian = "little") { place } else { 3 - place }]
    }

    #[inline(always)]
    pub(crate) fn d(self) -> u16 {
        self.cell(0)
    }

    #[inline(always)]
    pub(crate) fn a(self) -> u16 {
        self.cell(1)
    }

    #[inline(always)]
    pub(crate) fn b(self) -> u16 {
        self.cell(2)
    }

    #[inline(always)]
    pub(crate) fn c(self) -> u16 {
        self.cell(3)
    }
}

/// What a handler works on. Kept in machine registers by the chained engine.
pub(crate) struct State {
    pub(crate) pc: *const Inst,
    pub(crate) window: Window,
    pub(crate) fuel: i64,
    pub(crate) core: *mut Core,
}

impl State {
    #[inline(always)]
    pub(crate) fn get<T: Bits>(&self, cell: u16) -> T {
        self.window.get(cell)
    }

    #[inline(always)]
    pub(crate) fn set<T: Bits>(&mut self, cell: u16, value: T) {
        self.window.set(cell, value);
    }

    /// The core. One borrow at a time.
    #[inline(always)]
    pub(crate) fn core<'a>(&mut self) -> &'a mut Core {
        // SAFETY: S3.
        unsafe { &mut *self.core }
    }

    /// The operands in the slot after the current instruction, which is skipped.
    #[inline(always)]
    pub(crate) fn more(&mut self) -> Word {
        let word = self.peek(0);
        self.pc = self.pc.wrapping_add(1);
        word
    }

    /// The operands in a slot after the current instruction.
    #[inline(always)]
    pub(crate) fn peek(&self, index: usize) -> Word {
        let slot = self.pc.wrapping_add(index);
        // SAFETY: S4 and T2: instructions with further slots are followed by them.
        unsafe { &*slot }.word
    }

    /// The operands of the current instruction, or of one `slots` further on, each to be read alone: where a jump goes is then one
    /// load away from where it comes from, which a short loop waits for.
    #[inline(always)]
    pub(crate) fn apart<'a>(&self, slots: usize) -> Apart<'a> {
        let slot = self.pc.wrapping_sub(1).wrapping_add(slots);
        // SAFETY: S4, T2, as in `peek`; code lives longer than what its handlers borrow.
        let word: *const Word = &raw const unsafe { &*slot }.word;
        // SAFETY: a word is eight bytes, as four cells are.
        Apart(unsafe { &*word.cast() })
    }

    /// The current instruction will run again.
    #[inline(always)]
    pub(crate) fn again(&mut self, exit: Exit) -> Step {
        self.pc = self.pc.wrapping_sub(1);
        Step::Exit(exit)
    }

    /// The site of a call instruction.
    #[inline(always)]
    pub(crate) fn site<'a>(&self, word: Word) -> &'a Site {
        // SAFETY: T3: the word of a call is the address of its site.
        unsafe { &*std::ptr::with_exposed_provenance(word.0 as usize) }
    }

    /// Puts program counter, window and budget where the driver and slow operations find them.
    #[inline(always)]
    pub(crate) fn save(&mut self) -> &mut Core {
        let (pc, window, fuel) = (self.pc, self.window, self.fuel);
        let core = self.core();
        (core.pc, core.window, core.fuel) = (pc, window, fuel);
        core
    }

    /// The reverse of `save`.
    #[inline(always)]
    pub(crate) fn load(&mut self) {
        let core = self.core();
        (self.pc, self.window, self.fuel) = (core.pc, core.window, core.fuel);
    }
}

const _: () = assert!(FRAME_BYTES == 32);

//! Frames and the segments that they live in: entering through bridges, leaving, unwinding.
//!
//! Not here: plain calls and returns, which the engines do themselves ([`crate::engine::ops`]).
//!
//! # The outermost frame
//! Below the frame of the function that the host calls lies the window of its results: that is where it returns to.
//!
//! # A bridge
//! A frame that holds the arguments and results of a call across a boundary, with code of two instructions: `call`,
//! `leave`. A call into another module and a call that needs a new segment go through one.
//!
//! ```text
//! segment 0 (in the invocation's block)     segment 1
//! [results] [f] [g]  ── g calls h, no room ──► [bridge: h] [h] ...
//! ```
//!
//! # Invariants
//! - K1: windows are 16-aligned, and `window + frame_bytes <= limit` of the segment when the frame is made.
//! - K2: a segment's first frame is a bridge; when it leaves, the segment is given up (one is kept as a spare). Or it is the
//!   outermost: then the segment is given up with the results.
//! - K3: segments don't move while they hold frames.
//! - K4: a bridge's frame says which module to go back to, that of a function at which instruction.
#![allow(unsafe_code)]

use crate::context::ModuleState;
use crate::engine::state::{FRAME_BYTES, Frame, Window};
use crate::machine::{Core, End, Phase};
use crate::translate::code::{Carry, HOST, Outermost, Site, Transfer};
use crate::tuning::SEGMENT_BYTES_MIN;
use raddle_status::{Code, Error, Result};

/// A further piece of an invocation's stack.
pub(crate) struct Segment {
    memory: Box<[u128]>,
    used: bool,
    /// Where the segment ends that its first frame's caller is in.
    below: usize,
}

impl Segment {
    fn start(&mut self) -> *mut u8 {
        self.memory.as_mut_ptr().cast()
    }

    fn bytes(&self) -> usize {
        self.memory.len() * 16
    }
}

impl Core {
    /// Enters `function` of `module` through a bridge from the call at `site`, whose arguments are moved over.
    pub(crate) fn push_bridge(&mut self, site: &Site, module: *const ModuleState, function: u32) -> Result {
        // SAFETY: M2: modules outlive the core.
        let state = unsafe { &*module };
        let program = state.program();
        let bridge = program.bridge(function)?;
        let shape = bridge.shape.as_ref().ok_or(Code::Internal)?;
        let crosses_segment = !site.slot.is_null();
        let wanted = match crosses_segment {
            false => self.window.0.addr() + site.advance as usize,
            true => usize::MAX / 2,
        };
        let mut window = Window(self.window.0.with_addr(wanted));
        if wanted + bridge.frame_bytes as usize > self.limit {
            let first_call = if crosses_segment { program.frame_bytes(function) } else { 0 };
            window = self.push_segment(bridge.frame_bytes as usize + first_call + 2 * FRAME_BYTES)?;
        }
        window.start(Frame { caller: self.window, site, code: bridge, back: self.module.cast() });
        window.clear_shape(shape);
        // A call inside the program says where its callee's registers are; refs of a bridge lie elsewhere.
        let shift = if crosses_segment { program.refs_from(function) } else { shape.argument_refs };
        for transfer in &site.arguments {
            let is_ref = matches!(transfer.carry, Carry::Copy | Carry::Take);
            let to = if is_ref { transfer.to - shift + shape.argument_refs } else { transfer.to };
            self.window.transfer(window, Transfer { to, ..*transfer });
        }
        self.module = module;
        self.window = window;
        self.pc = bridge.entry();
        Ok(())
    }

    /// Starts the outermost frame; the host puts the arguments into it.
    #[inline]
    pub(crate) fn push_outermost(&mut self, outermost: &Outermost) -> Result {
        // SAFETY: T3.
        let code = unsafe { &*outermost.code };
        let below = outermost.result_bytes as usize + FRAME_BYTES;
        let bytes = below + code.frame_bytes as usize;
        let mut start = self.start();
        if bytes > self.first_bytes as usize {
            start = self.push_segment(bytes)?.0.addr() - FRAME_BYTES;
        }
        let results = Window(std::ptr::with_exposed_provenance_mut(start));
        if outermost.returns_refs {
            results.clear_shape(&outermost.results);
        }
        let window = results.advance(below as u32);
        let (site, back) = (&raw const outermost.site, outermost.site.next.cast());
        window.start(Frame { caller: results, site, code, back });
        window.zero(code);
        self.window = window;
        self.pc = code.entry();
        Ok(())
    }

    /// How the function was called that has returned, whose results are in the window.
    pub(crate) fn returned<'a>(&self) -> Option<&'a Outermost> {
        if self.phase != Phase::Returned {
            return None;
        }
        // SAFETY: S4: `pc` is behind the `finish` that an outermost has for its end.
        let end = unsafe { &*self.pc.wrapping_sub(1) };
        // SAFETY: T3, M2.
        Some(unsafe { &*std::ptr::with_exposed_provenance(end.word.0 as usize) })
    }

    /// Gives up the results, if there are any.
    #[inline]
    fn release_results(&mut self) {
        if let Some(outermost) = self.returned() {
            if outermost.returns_refs {
                self.window.release_shape(&outermost.results);
            }
            self.phase = Phase::Resting;
            self.window = Window(std::ptr::null_mut());
        }
    }

    /// Gives up the results; there are no frames.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.release_results();
        if self.rare.is_some() {
            // There may be further segments, or suspects.
            self.clear();
        }
    }

    fn push_segment(&mut self, bytes: usize) -> Result<Window> {
        let max = self.context().limits().stack_bytes_max;
        let (first_bytes, below) = (self.first_bytes as usize, self.limit);
        let segments = &mut self.rare().segments;
        let in_use: usize = segments.iter().filter(|segment| segment.used).map(Segment::bytes).sum();
        let total = in_use + first_bytes;
        let size = bytes.max(total).max(SEGMENT_BYTES_MIN).next_multiple_of(16);
        let size = if total + size > max { bytes.next_multiple_of(16) } else { size };
        if total + size > max {
            let text =
                format!("the stack would exceed its limit of {max} bytes: too many calls in each other");
            return Err(Error::new(Code::ResourceExhausted, text));
        }
        let spare = segments.last().is_some_and(|segment| !segment.used);
        if !spare || segments.last().is_some_and(|segment| segment.bytes() < size) {
            if spare {
                segments.pop();
            }
            segments.push(Segment { memory: vec![0; size / 16].into(), used: false, below });
        }
        let segment = segments.last_mut().ok_or(Code::Internal)?;
        (segment.used, segment.below) = (true, below);
        let start = segment.start();
        self.limit = start.addr() + segment.bytes();
        Ok(Window(start.wrapping_add(FRAME_BYTES)))
    }

    /// Gives up the top segment if `window` was its first frame (K2).
    pub(crate) fn pop_segment(&mut self, window: Window) {
        let Some(segments) = self.rare.as_mut().map(|rare| &mut rare.segments) else { return };
        let Some(top) = segments.iter().rposition(|segment| segment.used) else { return };
        let segment = &mut segments[top];
        if segment.start().addr() + FRAME_BYTES != window.0.addr() {
            return;
        }
        segment.used = false;
        self.limit = segment.below;
        segments.truncate(top + 1);
    }

    /// Leaves all frames after a failure, releases their refs and says in the error where it happened.
    #[cold]
    pub(crate) fn unwind(&mut self) -> End {
        let mut error = self.take_error();
        let mut depth = 0;
        while !self.window.is_null() {
            if let Some(place) = self.place().filter(|_| depth < BACKTRACE_MAX) {
                error = error.within(place);
                depth += 1;
            }
            self.pop_frame();
        }
        self.leave_error(error);
        self.clear();
        End::Failed
    }

    /// Releases all frames without a word: the invocation is dropped.
    pub(crate) fn abandon(&mut self) {
        drop(self.take_native());
        self.release_results();
        while !self.window.is_null() {
            self.pop_frame();
        }
        self.clear();
    }

    /// Gives up what an invocation has besides its frames, of which there are none.
    fn clear(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.bulk = None;
            if let Some(first) = rare.segments.iter().find(|segment| segment.used) {
                self.limit = first.below;
            }
            rare.segments.iter_mut().for_each(|segment| segment.used = false);
            rare.segments.truncate(1);
        }
        self.collect();
    }

    fn pop_frame(&mut self) {
        let (window, frame) = (self.window, *self.window.frame());
        // SAFETY: T3: code lives as long as its program, which the context keeps (M2).
        let code = unsafe { &*frame.code };
        window.release(code);
        if let Some(shape) = &code.shape {
            window.release_shape(shape);
            self.pop_segment(window);
            self.module = frame.module_below();
        }
        // SAFETY: T3.
        let site = unsafe { &*frame.site };
        (self.window, self.pc) = match site.callee {
            // Results are written by the return alone.
            HOST => (Window(std::ptr::null_mut()), std::ptr::null()),
            _ => (frame.caller, site.next),
        };
    }

    /// `at module.function+PC` of the top frame; nothing for bridges.
    fn place(&self) -> Option<String> {
        // SAFETY: T3, M2.
        let code = unsafe { &*self.window.frame().code };
        if code.shape.is_some() {
            return None;
        }
        let place = self.module().program().place(code.function);
        let pc = code.place(self.pc).unwrap_or(0);
        Some(format!("at {place}+{pc:08X}"))
    }
}

/// Places in an error's context. Unit: frames.
const BACKTRACE_MAX: usize = 16;

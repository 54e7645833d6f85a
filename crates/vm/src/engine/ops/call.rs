//! Calls and returns, leaving bridges, failing, yielding.

use super::Slow;
use crate::context::Binding;
use crate::engine::state::{Exit, Frame, State, Step};
use crate::isa::Decoder;
use crate::machine::Core;
use crate::translate::code::{Carry, Code as Translated, Site, Transfer, Word};
use raddle_status::{Code, Error, Result};

/// Starts a frame for the callee of an internal call; arguments are not there yet.
#[inline(always)]
fn enter(state: &mut State, site: &Site) -> Result<crate::engine::state::Window, Exit> {
    state.fuel -= 1;
    if state.fuel < 0 {
        return Err(Exit::Budget);
    }
    let Some(code) = slot_code(site) else {
        return Err(Exit::Translate);
    };
    let window = state.window.advance(site.advance);
    if window.0.addr() + code.frame_bytes as usize > state.core().limit {
        return Err(Exit::Grow);
    }
    debug_assert!(state.pc == site.next, "a call is followed by where it goes on");
    window.start(Frame { caller: state.window, site, code, back: state.pc.cast() });
    window.zero(code);
    state.pc = code.entry();
    Ok(window)
}

#[inline(always)]
#[allow(unsafe_code)]
fn slot_code<'a>(site: &Site) -> Option<&'a Translated> {
    // SAFETY: T3: internal calls have a slot, which lives as long as the program.
    unsafe { &*site.slot }.code.get()
}

/// Calls a function of the same program. The word is the site.
#[inline(always)]
pub(in crate::engine) fn call(state: &mut State, word: Word) -> Step {
    let site = state.site(word);
    match enter(state, site) {
        Ok(window) => {
            site.arguments.iter().for_each(|argument| state.window.transfer_fresh(window, *argument));
            state.window = window;
            Step::Next
        }
        Err(exit) => state.again(exit),
    }
}

/// As `call`, with one argument of one cell.
#[inline(always)]
pub(in crate::engine) fn call_half(state: &mut State, word: Word) -> Step {
    let site = state.site(word);
    match enter(state, site) {
        Ok(window) => {
            window.set::<u32>(0, state.get(site.first));
            state.window = window;
            Step::Next
        }
        Err(exit) => state.again(exit),
    }
}

/// As `call`, without arguments.
#[inline(always)]
pub(in crate::engine) fn call_void(state: &mut State, word: Word) -> Step {
    let site = state.site(word);
    match enter(state, site) {
        Ok(window) => {
            state.window = window;
            Step::Next
        }
        Err(exit) => state.again(exit),
    }
}

/// Goes back to the caller.
#[inline(always)]
fn leave_to(state: &mut State, frame: &Frame) -> Step {
    state.window = frame.caller;
    state.pc = frame.next();
    Step::Next
}

#[inline(always)]
#[allow(unsafe_code)]
fn site_of<'a>(frame: &Frame) -> &'a Site {
    // SAFETY: T3: frames that are left have a site.
    unsafe { &*frame.site }
}

/// Returns nothing, from a frame without refs.
#[inline(always)]
pub(in crate::engine) fn return_void(state: &mut State, _: Word) -> Step {
    let frame = *state.window.frame();
    leave_to(state, &frame)
}

/// Returns cell `a`, from a frame without refs.
#[inline(always)]
pub(in crate::engine) fn return_half(state: &mut State, word: Word) -> Step {
    let value: u32 = state.get(word.a());
    let frame = *state.window.frame();
    frame.caller.set(site_of(&frame).first_result, value);
    leave_to(state, &frame)
}

/// Returns the pair at `a`, from a frame without refs.
#[inline(always)]
pub(in crate::engine) fn return_whole(state: &mut State, word: Word) -> Step {
    let value: u64 = state.get(word.a());
    let frame = *state.window.frame();
    frame.caller.set(site_of(&frame).first_result, value);
    leave_to(state, &frame)
}

/// Returns the values in the slots behind, two in a slot, each a cell and a [`Carry`]; the high half says how many.
#[inline(always)]
pub(in crate::engine) fn return_values(state: &mut State, word: Word) -> Step {
    let frame = *state.window.frame();
    let site = site_of(&frame);
    for (index, to) in site.results.iter().enumerate().take(word.high() as usize) {
        let entry = (state.peek(index / 2).0 >> (32 * (index % 2))) as u32;
        let carry = Carry::from_bits(entry >> 16);
        state.window.transfer(frame.caller, Transfer { carry, from: entry as u16, to: *to });
    }
    state.window.release(running(&frame));
    leave_to(state, &frame)
}

#[inline(always)]
#[allow(unsafe_code)]
fn running<'a>(frame: &Frame) -> &'a Translated {
    // SAFETY: T3: the code of a frame lives as long as its program.
    unsafe { &*frame.code }
}

/// Calls an import. The word is the site.
#[inline(always)]
pub(in crate::engine) fn import(state: &mut State, word: Word) -> Step {
    state.fuel -= 1;
    if state.fuel < 0 {
        return state.again(Exit::Budget);
    }
    state.save();
    let site = state.site(word);
    let core = state.core();
    let exit = match core.module().binding(site.callee) {
        Binding::Native(entry) => entry.call(core, site),
        _ => call_aside(core, site),
    };
    state.load();
    exit.map_or(Step::Next, Step::Exit)
}

/// Calls an import that is no native function.
#[cold]
#[inline(never)]
fn call_aside(core: &mut Core, site: &Site) -> Option<Exit> {
    let result = match core.module().binding(site.callee) {
        Binding::Bytecode { instance, function } => {
            let module = core.context().state(*instance);
            core.push_bridge(site, module, *function)
        }
        _ => Err(core.module().unbound(site.callee)),
    };
    let error = result.err()?;
    core.leave_error(error.within("while calling import"));
    Some(Exit::Failed)
}

/// `d = import (high half) is bound`.
#[inline(always)]
pub(in crate::engine) fn resolved(state: &mut State, word: Word) -> Step {
    let bound = !matches!(state.core().module().binding(word.high()), Binding::Missing);
    state.set(word.d(), u32::from(bound));
    Step::Next
}

/// The host's call has returned: its results are in the window.
#[inline(always)]
pub(in crate::engine) fn finish(_: &mut State, _: Word) -> Step {
    Step::Exit(Exit::Finished)
}

/// Leaves a bridge: results go to the caller.
pub(in crate::engine) fn leave(core: &mut Core, _: Word) -> Result<Slow> {
    let (window, frame) = (core.window, *core.window.frame());
    let (site, code) = (site_of(&frame), running(&frame));
    let shape = code.shape.as_ref().ok_or(Code::Internal)?;
    for ((letter, from), to) in shape.result_cells().zip(&site.results) {
        window.transfer(frame.caller, Transfer { carry: Carry::taking(letter), from, to: *to });
    }
    window.release_shape(shape);
    core.pop_segment(window);
    core.module = frame.module_below();
    core.window = frame.caller;
    core.pc = site.next;
    Ok(Slow::Done)
}

/// Fails with the status in register `a` and the message at bytecode address (high half).
pub(in crate::engine) fn fail(core: &mut Core, word: Word) -> Result<Slow> {
    let status: u32 = core.window.get(word.a());
    let function = running(core.window.frame()).function;
    let text = core.module().program().fail_text(function, word.high());
    if status == 0 {
        return Err(Error::new(
            Code::Internal,
            format!("a program failed with status 0, which means success: {text}"),
        ));
    }
    Err(match Code::from_number(status & 0x1F) {
        Some(code) => Error::new(code, text),
        None => Error::new(Code::Unknown, format!("status {status}: {text}")),
    })
}

/// A call whose arguments don't fit into a frame.
pub(in crate::engine) fn too_many(_: &mut Core, _: Word) -> Result<Slow> {
    Err(Error::new(Code::ResourceExhausted, "a call has too many arguments: more than 65519 cells"))
}

/// Gives up the turn.
pub(in crate::engine) fn yield_now(_: &mut Core, _: Word) -> Result<Slow> {
    Ok(Slow::Exit(Exit::Yielded))
}

/// The message of the `fail` at `pc` of a function's code.
pub(crate) fn text_at(code: &[u8], pc: u32) -> String {
    let inst = Decoder::at(code, pc).next().and_then(Result::ok);
    inst.map_or_else(String::new, |inst| String::from_utf8_lossy(inst.text(1)).into_owned())
}

//! Operations of `vm.list`. A list that another program has at the moment makes the operation run again later.

use super::buffer::{pause, progress};
use super::{Slow, refs::next_slot};
use crate::engine::state::Exit;
use crate::list::{Access, Busy, List};
use crate::machine::Core;
use crate::object::Ref;
use crate::translate::code::Word;
use crate::tuning::{BULK_BYTES_PER_STEP, BULK_ELEMENTS};
use crate::value::{Primitive, Value};
use raddle_status::{Code, Error, Result};

fn access<'a>(core: &Core, cell: u16) -> Result<Access<'a>> {
    let list = core.window.reference(cell).as_mut().and_then(Access::of);
    list.ok_or_else(|| Error::new(Code::InvalidArgument, "the list is null or no list"))
}

/// The result of an operation that took its turn; `Slow` if the list was busy.
macro_rules! turn {
    ($attempt:expr) => {
        match $attempt {
            Ok(result) => result?,
            Err(Busy) => return Ok(Slow::Again(Exit::Yielded)),
        }
    };
}

/// `d = new list of element type (high half), capacity a`.
pub(in crate::engine) fn alloc(core: &mut Core, word: Word) -> Result<Slow> {
    let element = core.module().program().types()[word.high() as usize].element();
    let capacity = core.window.get(word.a());
    let context = core.context();
    let list = List::new(element, capacity, context.limits().list_length_max, Some(context.quota()))?;
    charge(core, u64::from(capacity) * 8);
    core.window.put(word.d(), Some(Ref::new(list)));
    Ok(Slow::Done)
}

/// Takes the cost of work on `bytes` from the budget.
pub(super) fn charge(core: &mut Core, bytes: u64) {
    core.fuel -= (bytes / BULK_BYTES_PER_STEP as u64) as i64;
}

/// `reserve list a, capacity b`.
pub(in crate::engine) fn reserve(core: &mut Core, word: Word) -> Result<Slow> {
    let capacity = core.window.get(word.b());
    turn!(access(core, word.a())?.reserve(capacity));
    charge(core, u64::from(capacity) * 8);
    Ok(Slow::Done)
}

/// `d = size of list a`.
pub(in crate::engine) fn size(core: &mut Core, word: Word) -> Result<Slow> {
    let length = turn!(access(core, word.a())?.len().map(Ok::<_, Error>));
    core.window.set(word.d(), length);
    Ok(Slow::Done)
}

/// `resize list a to b`.
///
/// In pieces, each of which takes its turn at the list: who shares a long list may see it half-way. It takes as many
/// pieces as the way is long at the start, whatever others do to the list meanwhile, so that it comes to an end.
pub(in crate::engine) fn resize(core: &mut Core, word: Word) -> Result<Slow> {
    let length: u32 = core.window.get(word.b());
    let mut list = access(core, word.a())?;
    let mut bulk = progress(core);
    let total = match bulk.total {
        Some(total) => total,
        None => u64::from(length.abs_diff(turn!(list.len().map(Ok::<_, Error>)))),
    };
    bulk.total = Some(total);
    while bulk.done < total {
        if core.fuel < 0 {
            return Ok(pause(core, bulk));
        }
        let elements = (total - bulk.done).min(BULK_ELEMENTS.into());
        match list.resize_by(length, elements as u32) {
            Ok(dropped) => drop(dropped?),
            Err(Busy) => {
                pause(core, bulk);
                return Ok(Slow::Again(Exit::Yielded));
            }
        }
        charge(core, elements * 8);
        bulk.done += elements;
    }
    Ok(Slow::Done)
}

macro_rules! values {
    ($($get:ident $set:ident $kind:ident $type:ty;)*) => { $(
        /// `d = element b of list a`.
        pub(in crate::engine) fn $get(core: &mut Core, word: Word) -> Result<Slow> {
            let index = core.window.get(word.b());
            let value = turn!(access(core, word.a())?.get(index, Primitive::$kind));
            if let Value::$kind(value) = value {
                core.window.set(word.d(), value);
            }
            Ok(Slow::Done)
        }

        /// `element b of list a = c`.
        pub(in crate::engine) fn $set(core: &mut Core, word: Word) -> Result<Slow> {
            let (index, value) = (core.window.get(word.b()), core.window.get::<$type>(word.c()));
            drop(turn!(access(core, word.a())?.set(index, Value::$kind(value))));
            Ok(Slow::Done)
        }
    )* };
}

values! { get_i32 set_i32 I32 i32; get_i64 set_i64 I64 i64; get_f32 set_f32 F32 f32; get_f64 set_f64 F64 f64; }

/// `d = element b of list a` if it has the type in the next slot, else null; `c`: take it out.
pub(in crate::engine) fn get_ref(core: &mut Core, word: Word) -> Result<Slow> {
    let ty = next_slot(core).0 as usize;
    let index = core.window.get(word.b());
    let value = turn!(access(core, word.a())?.get_ref(index, word.c() != 0));
    let wanted = core.module().program().types()[ty].object();
    let value = value.filter(|object| Some(object.ty()) == wanted);
    core.window.put(word.d(), value);
    Ok(Slow::Done)
}

/// `element b of list a = c`; `d`: move it.
pub(in crate::engine) fn set_ref(core: &mut Core, word: Word) -> Result<Slow> {
    let window = core.window;
    let index = window.get(word.b());
    let value = window.reference(word.c()).clone();
    let nests = value.as_ref().is_some_and(|value| value.is::<List>());
    let old = turn!(access(core, word.a())?.set_ref(index, value));
    if nests && let Some(outer) = window.reference(word.a()) {
        let outer = outer.clone();
        core.suspect(outer);
    }
    if word.d() != 0 {
        window.put(word.c(), None);
    }
    drop(old);
    Ok(Slow::Done)
}

//! `buffer_view.*`.

use super::{Builder, Hal, text};
use crate::buffer::Buffer;
use crate::element::ElementType;
use crate::tuning::DIMENSIONS_MAX;
use crate::view::{BufferView, Shape};
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer as Bytes, RefOf, Variadic};

type View = RefOf<BufferView>;

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("buffer_view.assert", assert)
        .function("buffer_view.buffer", |_: &Hal, view: &BufferView| Ok(view.buffer().clone()))
        .function("buffer_view.create", create)
        .function("buffer_view.dim", |_: &Hal, view: &BufferView, index: u32| {
            Ok(view.shape().get(index as usize).copied().unwrap_or(0))
        })
        .function("buffer_view.element_type", |_: &Hal, view: &BufferView| Ok(view.element_type().0))
        .function("buffer_view.encoding_type", |_: &Hal, view: &BufferView| Ok(view.encoding()))
        .function("buffer_view.rank", |_: &Hal, view: &BufferView| Ok(view.shape().len() as u32))
        .function("buffer_view.trace", trace)
}

fn check_rank(rank: usize, code: Code) -> Result {
    match rank <= DIMENSIONS_MAX {
        true => Ok(()),
        false => Err(Error::new(code, format!("{rank} dimensions or views; at most {DIMENSIONS_MAX}"))),
    }
}

fn assert(
    _: &Hal,
    view: &BufferView,
    message: &Bytes,
    element: u32,
    encoding: u32,
    shape: Variadic<'_, u64>,
) -> Result<()> {
    check_rank(shape.len(), Code::OutOfRange)?;
    if view.is_fit(ElementType(element), encoding, shape.iter()) {
        return Ok(());
    }
    let shape: Shape = shape.iter().collect();
    view.check(&text(message)?, ElementType(element), encoding, &shape)
}

fn create(
    _: &Hal,
    buffer: &RefOf<Buffer>,
    offset: u64,
    length: u64,
    element: u32,
    encoding: u32,
    shape: Variadic<'_, u64>,
) -> Result<View> {
    check_rank(shape.len(), Code::OutOfRange)?;
    let buffer = Buffer::subspan(buffer, offset, length)?;
    let shape: Shape = shape.iter().collect();
    Ok(RefOf::new(BufferView::new(buffer, ElementType(element), encoding, shape)))
}

/// Programs that were compiled to trace their dispatches go on without a sink for it.
fn trace(_: &Hal, _key: &Bytes, views: Variadic<'_, Option<&BufferView>>) -> Result<()> {
    check_rank(views.len(), Code::ResourceExhausted)
}

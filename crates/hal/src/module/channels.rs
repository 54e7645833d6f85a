//! `channel.*`, and objects that programs can name and never get.

use super::{Builder, Hal, unimplemented};
use crate::device::Device;
use raddle_status::Result;
use raddle_vm::{Buffer as Bytes, Object, RefOf};

/// `hal.channel`: between devices that work together, of which a processor has none.
pub(super) enum Channel {}

impl Object for Channel {
    const NAME: &'static str = "hal.channel";
}

/// `hal.event`: inside command buffers, for which barriers do.
pub(super) enum Event {}

impl Object for Event {
    const NAME: &'static str = "hal.event";
}

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("channel.create", create)
        .function("channel.split", |_: &Hal, _: RefOf<Channel>, _color: i32, _key: i32, _flags: i64| {
            Err::<RefOf<Channel>, _>(unimplemented("channel.split"))
        })
        .function("channel.rank_and_count", |_: &Hal, _: RefOf<Channel>| {
            Err::<(i32, i32), _>(unimplemented("channel.rank_and_count"))
        })
}

#[allow(clippy::too_many_arguments)]
fn create(
    _: &Hal,
    _device: RefOf<Device>,
    _affinity: i64,
    _flags: i64,
    _id: Option<RefOf<Bytes>>,
    _group: Option<RefOf<Bytes>>,
    _rank: i32,
    _count: i32,
) -> Result<RefOf<Channel>> {
    Err(unimplemented("channel.create"))
}

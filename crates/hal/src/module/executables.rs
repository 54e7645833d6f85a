//! `executable.*`.

use super::{Builder, Hal, text};
use crate::device::Device;
use crate::executable::Executable;
use raddle_status::{Result, ResultExt};
use raddle_vm::{Buffer as Bytes, RefOf};

pub(super) fn add(builder: Builder) -> Builder {
    builder.function("executable.create", create).function("executable.lookup.function", lookup)
}

fn create(
    _: &Hal,
    device: RefOf<Device>,
    _affinity: i64,
    format: RefOf<Bytes>,
    data: RefOf<Bytes>,
    constants: Option<RefOf<Bytes>>,
) -> Result<RefOf<Executable>> {
    let format = text(&format)?;
    let constants = constants.map(|bytes| bytes.to_vec()).unwrap_or_default();
    let executable = Executable::load(&device.0, &format, &data, constants)
        .within(|| format!("loading an executable of format '{format}'"))?;
    Ok(RefOf::new(executable))
}

fn lookup(_: &Hal, executable: &Executable, name: &Bytes) -> Result<u64> {
    match name.as_constant() {
        Some(name) => executable.find(name),
        None => executable.find(&name.to_vec()),
    }
}

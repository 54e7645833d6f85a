//! The devices and parameters that the flags ask for.
//!
//! Not here: devices themselves (`raddle-hal`).

use crate::flags::Flags;
use crate::stock;
use raddle::Runtime;
use raddle_hal::parameters::{ParameterArchive, Parameters};
use raddle_hal::tensor::TensorReader;
use raddle_hal::{AwaitCounts, Device, NativeCode};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::NativeModule;
use std::path::Path;
use std::sync::Arc;

/// What a program that needs devices gets.
pub struct Devices {
    devices: Vec<Device>,
    parameters: Parameters,
    /// Last: devices wait on it.
    _runtime: Runtime,
}

impl Devices {
    /// Takes the flags of devices and parameters.
    ///
    /// # Errors
    /// NOT_FOUND: a device that is not one of this processor. Those of reading parameters.
    pub fn take(flags: &mut Flags) -> Result<Devices> {
        let mut names = flags.texts("--device")?;
        let is_native = !flags.switch("--no-native");
        let files = flags.texts("--parameters")?;
        let runtime = Runtime::builder().build()?;
        if names.is_empty() {
            names.push("local-task".to_owned());
        }
        let native = match is_native {
            // SAFETY: the user names the modules to be run, and can refuse native code.
            #[allow(unsafe_code)]
            true => unsafe { NativeCode::run() },
            false => NativeCode::REFUSED,
        };
        let open = |name: &String| device(&runtime, stock::unquoted(name), native);
        let devices = names.iter().map(open).collect::<Result<_>>()?;
        let mut parameters = Parameters::new();
        for file in &files {
            let file = stock::unquoted(file);
            let (scope, path) = file.split_once('=').unwrap_or(("", file));
            let archive =
                ParameterArchive::open(Path::new(path)).within(|| format!("in --parameters={file}"))?;
            parameters.add(scope, Arc::new(archive));
        }
        Ok(Devices { devices, parameters, _runtime: runtime })
    }

    /// The modules that programs import.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn modules(&self) -> Result<[NativeModule; 2]> {
        Ok([raddle_hal::module(&self.devices, &AwaitCounts::default())?, self.parameters.module()?])
    }

    /// What reads tensors into the memory of the first device.
    pub fn reader(&self) -> TensorReader {
        TensorReader::new(self.devices[0].allocator())
    }
}

/// `local-task`, `local-sync`, or `local`; with `://` and what stock would take behind it.
fn device(runtime: &Runtime, uri: &str, native: NativeCode) -> Result<Device> {
    let name = uri.split_once("://").map_or(uri, |(name, _)| name);
    let builder = Device::builder(runtime.executor()).id(name).native_code(native);
    match name {
        "local-task" | "local" => builder.build(),
        "local-sync" => builder.inline_only().build(),
        _ => {
            let text = format!("--device={uri}: there are local-task, local-sync and local");
            Err(Error::new(Code::NotFound, text))
        }
    }
}

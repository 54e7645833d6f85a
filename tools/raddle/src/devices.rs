//! The devices and parameters that the flags ask for.
//!
//! Not here: devices themselves (`raddle-hal`).

use crate::flags::Flags;
use crate::stock;
use raddle::{Runtime, SessionBuilder};
use raddle_hal::parameters::{ParameterArchive, Parameters};
use raddle_hal::tensor::TensorReader;
use raddle_hal::{Allocator, AwaitCounts, Device, NativeCode};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::NativeModule;
use std::path::Path;
use std::sync::Arc;

/// What the flags of devices and parameters say.
pub struct Wanted {
    names: Vec<String>,
    is_native: bool,
    /// Of parameters.
    pub files: Vec<String>,
}

impl Wanted {
    /// Takes the flags.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: a value is not UTF-8.
    pub fn take(flags: &mut Flags) -> Result<Wanted> {
        let mut names = flags.texts("--device")?;
        if names.is_empty() {
            names.push("local-task".to_owned());
        }
        Ok(Wanted { names, is_native: !flags.switch("--no-native"), files: flags.texts("--parameters")? })
    }

    /// Opens them on this runtime.
    ///
    /// # Errors
    /// NOT_FOUND: a device that is not one of this processor. Those of reading parameters.
    pub fn open(&self, runtime: &Runtime) -> Result<Devices> {
        let native = match self.is_native {
            // SAFETY: the user names the modules to be run, and can refuse native code.
            #[allow(unsafe_code)]
            true => unsafe { NativeCode::run() },
            false => NativeCode::REFUSED,
        };
        let open = |name: &String| device(runtime, stock::unquoted(name), native);
        let devices = self.names.iter().map(open).collect::<Result<_>>()?;
        let mut parameters = Parameters::new();
        for file in &self.files {
            let file = stock::unquoted(file);
            let (scope, path) = file.split_once('=').unwrap_or(("", file));
            let archive =
                ParameterArchive::open(Path::new(path)).within(|| format!("in --parameters={file}"))?;
            parameters.add(scope, Arc::new(archive));
        }
        Ok(Devices { devices, parameters, _runtime: runtime.clone() })
    }
}

/// What a program that needs devices gets.
pub struct Devices {
    devices: Vec<Device>,
    parameters: Parameters,
    /// Last: devices wait on it.
    _runtime: Runtime,
}

impl Devices {
    /// Takes the flags of devices and parameters, on a runtime of their own.
    ///
    /// # Errors
    /// Those of [`Wanted`].
    pub fn take(flags: &mut Flags) -> Result<Devices> {
        Wanted::take(flags)?.open(&Runtime::builder().build()?)
    }

    /// Offers them to the programs of a session.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn lend(&self, session: SessionBuilder) -> Result<SessionBuilder> {
        let session = self.devices.iter().fold(session, SessionBuilder::device);
        Ok(session.native(self.parameters.module()?))
    }

    /// Where tensors are made.
    pub fn allocator(&self) -> &Allocator {
        self.devices[0].allocator()
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
        TensorReader::new(self.allocator())
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

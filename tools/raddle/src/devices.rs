//! The devices and parameters that the flags ask for.
//!
//! Not here: devices themselves (`raddle-hal`).

use crate::flags::Flags;
use crate::stock;
use raddle::{Runtime, SessionBuilder};
use raddle_hal::parameters::{ParameterArchive, Parameters};
use raddle_hal::tensor::TensorReader;
use raddle_hal::{Allocator, Device, NativeCode};
use raddle_status::{Code, Error, Result, ResultExt};
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
        Ok(Devices { devices, parameters, prints_statistics: false, runtime: runtime.clone() })
    }
}

/// What a program that needs devices gets.
pub struct Devices {
    devices: Vec<Device>,
    parameters: Parameters,
    prints_statistics: bool,
    /// Last: devices wait on it.
    runtime: Runtime,
}

impl Devices {
    /// Takes the flags of devices and parameters, on a runtime of their own.
    ///
    /// # Errors
    /// Those of [`Wanted`].
    pub fn take(flags: &mut Flags) -> Result<Devices> {
        let prints_statistics =
            flags.boolean("--print_statistics")? | flags.boolean("--print_device_statistics")?;
        let devices = Wanted::take(flags)?.open(&Runtime::builder().build()?)?;
        Ok(Devices { prints_statistics, ..devices })
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

    /// A session whose programs find the devices and the parameters.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn session(&self) -> Result<SessionBuilder> {
        self.lend(self.runtime.session())
    }

    /// Prints what devices did and what memory they took, to standard error, if the flags ask for it.
    pub fn print_statistics(&self) {
        if !self.prints_statistics {
            return;
        }
        for device in &self.devices {
            let (memory, counts) = (device.allocator().statistics(), device.counts());
            eprintln!(
                "{}: memory: {} B peak, {} B live, {} B idle, {} allocations ({} reused, {} refused)",
                device.id(),
                memory.peak_bytes,
                memory.live_bytes,
                memory.idle_bytes,
                memory.allocations,
                memory.reuses,
                memory.refusals,
            );
            eprintln!(
                "{}: operations: {} at once, {} after a wait, {} not run; regions spread over workers: {}",
                device.id(),
                counts.inline_operations,
                counts.parked_operations,
                counts.failed_waits,
                counts.spread_regions,
            );
        }
    }

    /// What reads tensors into the memory of the first device.
    pub fn reader(&self) -> TensorReader {
        TensorReader::new(self.allocator())
    }
}

/// The names of [`device`], as `--list_devices` prints them.
const URIS: [&str; 3] = ["local://", "local-sync://", "local-task://"];

/// Prints the devices if one of stock's flags asks for them; says whether it did.
///
/// # Errors
/// NOT_FOUND: the flag names another driver.
pub fn list(flags: &mut Flags) -> Result<bool> {
    for name in ["--list_devices", "--list_drivers", "--dump_devices"] {
        let is_asked = flags.switch(name);
        let driver = flags.texts(name)?.pop();
        if !is_asked && driver.as_deref().is_none_or(|driver| stock::unquoted(driver).is_empty()) {
            continue;
        }
        let wanted = driver.as_deref().map_or("", stock::unquoted);
        let found: Vec<&str> = URIS
            .into_iter()
            .filter(|uri| wanted.is_empty() || uri.strip_suffix("://") == Some(wanted))
            .collect();
        if found.is_empty() {
            return Err(Error::new(Code::NotFound, format!("{name}={wanted}: there is no such driver")));
        }
        for uri in found {
            match name {
                "--list_devices" => println!("{uri}"),
                "--list_drivers" => println!("{}: {}", uri.trim_end_matches("://"), DESCRIPTION),
                _ => println!("# --device={uri}\n#   {DESCRIPTION}"),
            }
        }
        return Ok(true);
    }
    Ok(false)
}

const DESCRIPTION: &str =
    "this processor, on the thread that calls; large work is spread, except on local-sync";

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

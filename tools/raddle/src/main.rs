//! The `raddle` command: a verb, long flags, and an exit code that is the number of the status.

#![deny(unsafe_code)]

mod commands;
mod devices;
mod flags;
mod input;
mod report;
mod session;
mod show;
mod signals;
mod stock;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match commands::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("raddle: {error}");
            ExitCode::from(u8::try_from(error.code().number()).unwrap_or(u8::MAX))
        }
    }
}

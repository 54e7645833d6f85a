//! `raddle dump`: a module as text.

use crate::{flags::Flags, input};
use raddle_status::{Result, ResultExt};
use raddle_vm::{Listing, Module, disassemble};
use std::ffi::OsString;

const HELP: &str = "\
usage: raddle dump [--addresses] [--output=FILE] FILE

Writes the module in FILE as text that raddle asm reads.

  --addresses      put the address before labels and instructions
  --output=FILE    write there instead of to standard output
";

/// Runs the verb.
pub fn run(arguments: &[OsString]) -> Result {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(()) };
    let addresses = flags.switch("--addresses");
    let output = flags.value("--output").unwrap_or_else(|| "-".into());
    let path = flags.file()?;
    let module = Module::load(input::read(&path)?).within(|| format!("in {}", path.to_string_lossy()))?;
    input::write(&output, disassemble(&module, Listing { addresses })?.as_bytes())
}

//! `raddle asm`: a module from text.

use crate::{flags::Flags, input};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::{Module, assemble};
use std::ffi::OsString;

const HELP: &str = "\
usage: raddle asm [--zip] [--no-verify] --output=FILE FILE

Makes a module from the text in FILE.

  --output=FILE    write the module there
  --zip            write it as a ZIP archive, as the compiler does
  --no-verify      write it even if it would not load
";

/// Runs the verb.
pub fn run(arguments: &[OsString]) -> Result {
    let Some(mut flags) = Flags::parse(arguments, HELP)? else { return Ok(()) };
    let zip = flags.switch("--zip");
    let verify = !flags.switch("--no-verify");
    let output = flags
        .value("--output")
        .ok_or_else(|| Error::new(Code::InvalidArgument, "--output=FILE is missing; - is standard output"))?;
    let path = flags.file()?;
    let place = || format!("in {}", path.to_string_lossy());
    let text = String::from_utf8(input::read(&path)?.to_vec())
        .map_err(|_| Error::new(Code::InvalidArgument, "the text is not UTF-8").within(place()))?;
    let builder = assemble(&text).within(place)?;
    let file = if zip { builder.build_zip() } else { builder.build() };
    if verify {
        Module::load(file.clone()).within(place)?;
    }
    input::write(&output, &file)
}

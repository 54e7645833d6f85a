//! The verbs.
//!
//! Not here: what they do; each has its file.

mod asm;
mod bench;
mod dump;
mod run;

use raddle_status::{Code, Error, Result};
use std::ffi::OsString;

const HELP: &str = "\
usage: raddle VERB [FLAGS] [FILES]

verbs:
  run     call a function of a module, in the place of iree-run-module
  bench   time a function of a module
  dump    write a module as text
  asm     make a module from text

raddle VERB --help says more. A file named - is standard input or output.
The exit code is 0 or the number of the status that is printed on standard error.
";

/// Runs the verb that the first argument names.
pub fn run(arguments: &[OsString]) -> Result {
    let Some((verb, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Err(Error::new(Code::InvalidArgument, "a verb is missing"));
    };
    match verb.to_str() {
        Some("run") => run::run(rest),
        Some("bench") => bench::run(rest),
        Some("dump") => dump::run(rest),
        Some("asm") => asm::run(rest),
        Some("help" | "--help") => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            let verb = verb.to_string_lossy();
            Err(Error::new(Code::InvalidArgument, format!("there is no verb '{verb}'; see raddle --help")))
        }
    }
}

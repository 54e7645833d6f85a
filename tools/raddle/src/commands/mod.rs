//! The verbs.
//!
//! Not here: what they do; each has its file.

mod asm;
mod batch;
mod bench;
mod dump;
mod run;
mod trace;

use raddle_status::{Code, Error, Result};
use std::ffi::OsString;

const HELP: &str = "\
usage: raddle VERB [FLAGS] [FILES]

verbs:
  run     call a function of a module, in the place of iree-run-module
  batch   call a function for every item of a file, many at a time
  bench   time a function of a module
  trace   draw what raddle batch --trace wrote
  dump    write a module as text
  asm     make a module from text

raddle VERB --help says more. A file named - is standard input or output.
The exit code is 0 or the number of the status that is printed on standard error; raddle batch has one more.
";

/// Runs the verb that the first argument names; returns the exit code.
pub fn run(arguments: &[OsString]) -> Result<u8> {
    let Some((verb, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Err(Error::new(Code::InvalidArgument, "a verb is missing"));
    };
    let done = match verb.to_str() {
        Some("batch") => return batch::run(rest),
        Some("run") => run::run(rest),
        Some("bench") => bench::run(rest),
        Some("trace") => trace::run(rest),
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
    };
    done.map(|()| 0)
}

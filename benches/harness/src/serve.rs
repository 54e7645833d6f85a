//! The `main` of a peer's program.

use crate::{Answer, Request};
use std::process::ExitCode;

/// Reads the request from the command line, prints the answer and leaves.
///
/// `version` is the library's, unless the answer has a better one. The process exits without joining what the case has started: programs that wake each other run until then.
pub fn serve(version: &str, answer: impl FnOnce(&Request) -> Answer) -> ExitCode {
    let request = match Request::parse(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let mut answer = answer(&request);
    if answer.version.is_empty() {
        answer.version = version.to_owned();
    }
    println!("{}", serde_json::to_string(&answer).expect("numbers and texts"));
    std::process::exit(0);
}

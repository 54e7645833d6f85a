//! Runs one program within a limit of time.

use crate::Result;
use bench_harness::{Answer, Request};
use std::path::Path;
use std::process::{Command, Stdio};

/// How long one program may take. Unit: seconds. The longest case takes about fifteen where it goes well.
const LIMIT_S: u64 = 120;

/// Its answer.
///
/// # Errors
/// Why there is none: a failure of the peer, which the report shows.
pub fn ask(program: &Path, request: &Request) -> Result<Answer> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &LIMIT_S.to_string()]).arg(program).args(request.words());
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("timeout(1): {error}"))?;
    match output.status.code() {
        Some(0) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let line = text.lines().last().unwrap_or_default();
            serde_json::from_str(line).map_err(|error| format!("its answer is none: {error}: {line}"))
        }
        Some(124) => Err(format!("ended after {LIMIT_S} s")),
        _ => {
            let text = String::from_utf8_lossy(&output.stderr);
            let last: Vec<_> = text.lines().filter(|line| !line.starts_with("note: ")).collect();
            let last = last.iter().rev().find(|line| !line.trim().is_empty()).copied().unwrap_or_default();
            Err(format!("{}: {last}", output.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_the_program_said_last() {
        let request = Request::parse(["-c", "a=b"].map(str::to_owned));
        assert!(request.is_err());
        let request = Request::parse(["graphs/chain".to_owned()]).unwrap();
        assert!(ask(Path::new("false"), &request).unwrap_err().contains("exit status: 1"));
        assert!(ask(Path::new("true"), &request).unwrap_err().contains("its answer is none"));
    }
}

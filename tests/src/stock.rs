//! Runs functions with `iree-run-module`, each in a process of its own and under a time limit.

use raddle_status::Code;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// What a run led to.
#[derive(Clone, Debug, PartialEq)]
pub enum Ran {
    /// The results, one text each: `i32=5`; the elements of lists follow their list.
    Results(Vec<String>),
    /// The name of the status.
    Failed(String),
    /// The process died, of this.
    Crashed(String),
    /// The time limit ended it.
    Hung,
}

/// The installed tool.
#[derive(Clone, Debug)]
pub struct Stock(OsString);

/// How long a run may take. Unit: seconds. A run takes 15 ms.
const LIMIT_S: &str = "10";

impl Stock {
    /// The tool that `RADDLE_IREE_RUN_MODULE` names, or else the one in the PATH, if there is one.
    pub fn find() -> Option<Stock> {
        let tool = std::env::var_os("RADDLE_IREE_RUN_MODULE").unwrap_or_else(|| "iree-run-module".into());
        let works = Command::new(&tool).arg("--help").output().is_ok_and(|output| output.status.success());
        works.then_some(Stock(tool))
    }

    /// The tool; `None` after saying so where it is not installed.
    ///
    /// # Panics
    /// If it is not installed although `RADDLE_STOCK_REQUIRED` says that it must be, as in continuous integration.
    pub fn find_or_say() -> Option<Stock> {
        let found = Stock::find();
        let required = std::env::var_os("RADDLE_STOCK_REQUIRED").is_some();
        assert!(
            found.is_some() || !required,
            "iree-run-module is not installed; tests/with-stock installs it"
        );
        if found.is_none() {
            println!(
                "NOT COMPARED: iree-run-module is not installed; tests/with-stock installs and compares"
            );
        }
        found
    }

    /// Calls a function of a module file.
    ///
    /// # Panics
    /// If `timeout(1)` is missing.
    pub fn run(&self, module: &Path, function: &str, inputs: &[String]) -> Ran {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", LIMIT_S]).arg(&self.0);
        command.arg(format!("--module={}", module.display())).arg(format!("--function={function}"));
        command.args(inputs.iter().map(|input| format!("--input={input}")));
        let output = command.output().expect("timeout(1) is installed");
        let told = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => Ran::Results(results(&String::from_utf8_lossy(&output.stdout))),
            Some(1) => Ran::Failed(code(&told)),
            Some(124 | 137) => Ran::Hung,
            other => {
                use std::os::unix::process::ExitStatusExt;
                let signal = output.status.signal().or(other.map(|code| code - 128)).unwrap_or_default();
                Ran::Crashed(format!("signal {signal}"))
            }
        }
    }
}

/// The texts behind `result[0]: ` and `child_list[0]: `.
fn results(printed: &str) -> Vec<String> {
    let marks = ["result[", "child_list["];
    let lines = printed.lines().filter(|line| marks.iter().any(|mark| line.starts_with(mark)));
    lines.filter_map(|line| Some(line.split_once("]: ")?.1.to_owned())).collect()
}

/// The first name of a status in the text, behind places; codes without a name print as nothing.
fn code(told: &str) -> String {
    let word = |part: &str| part.split([';', '\n']).next().unwrap_or_default().trim().to_owned();
    let is_known = |name: &String| name == "OK" || Code::ALL.iter().any(|code| code.name() == name);
    told.split(": ").map(word).find(is_known).unwrap_or_else(|| "nameless".to_owned())
}

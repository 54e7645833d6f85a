//! The command that measures raddle beside its peers. What it can be told: [`HELP`].
//!
//! | module | owns |
//! |---|---|
//! | `peers` | who is measured, and which program answers for them |
//! | `building` | builds the programs |
//! | `plan` | which cases, at which sizes, how often |
//! | `process` | runs one program within a limit of time |
//! | `measure` | runs them in turn |
//! | `record` | raw results in files, with the machine |
//! | `machine` | what is said about it |
//! | `figures` | from raw results to minimum and median |
//! | `report`, `losses`, `growth`, `plot` | the report and its pictures |

#![forbid(unsafe_code)]

mod building;
mod figures;
mod growth;
mod losses;
mod machine;
mod measure;
mod options;
mod peers;
mod plan;
mod plot;
mod process;
mod record;
mod report;

use options::Options;
use plan::Plan;
use std::path::PathBuf;
use std::process::ExitCode;

/// A failure is a text for the person who called.
type Result<T> = std::result::Result<T, String>;

const HELP: &str = "\
cargo run --release --manifest-path benches/Cargo.toml --package bench-drive -- COMMAND [FILTER...]

quick    every case at its usual size, at the largest worker count, three processes each: under five minutes
full     every case at its usual size, at every worker count, ten processes each; then the curves of `grow`
grow     how cost grows: every case at growing sizes, three processes each
list     what there is
report   writes REPORT.md and its plots from the results that are kept

A FILTER is a part of a case's name (`graphs/`, `chain`) or of a peer's (`tokio`); of each kind, any one must match.
Each run ends with its tables. Raw results go to the build folder, or with --keep to results/<machine>/, where the
report finds them; --keep refuses on a machine that is busy, since what is kept is quoted.
--processes N   instead of three or ten
--with-heavy    quick measures the peers that take minutes to build, too (wasmtime)
--busy          --keep all the same; the load is kept with the results";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of this workspace.
fn root() -> PathBuf {
    // Of the build: the driver is run where it was built, as its peers are.
    let drive = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    drive.parent().map(PathBuf::from).unwrap_or(drive)
}

fn run(words: &[String]) -> Result<()> {
    let (command, rest) = words.split_first().ok_or(HELP)?;
    let options = Options::parse(rest)?;
    match command.as_str() {
        "quick" => measure::run(&[Plan::quick(&options)], &options),
        "full" => measure::run(&[Plan::full(&options), Plan::grow(&options)], &options),
        "grow" => measure::run(&[Plan::grow(&options)], &options),
        "list" => {
            peers::print();
            plan::print();
            Ok(())
        }
        "report" => report::write(&root()),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("no command `{other}`\n\n{HELP}")),
    }
}

//! The checks of this repository as commands; `cargo xtask help` lists them.
//!
//! | command | module |
//! |---|---|
//! | models | `models`, `record`, `heads` |
//! | mutants | `mutants`, `invariants` |
//! | tidy | `tidy` |
//! | instructions | `instructions` |
//! | install-capi | `capi` |
//! | ci | `ci` |
//!
//! Below them: `catalogue` (builds the models and asks each what it claims), `process` (runs a program within
//! limits), `source` (Rust text apart into code and comments), `tree` (files of the repository), `table`, `options`.

#![forbid(unsafe_code)]

mod capi;
mod catalogue;
mod ci;
mod heads;
mod instructions;
mod invariants;
mod models;
mod mutants;
mod options;
mod process;
mod record;
mod source;
mod table;
mod tidy;
mod tree;

use options::Options;
use std::process::ExitCode;

/// A failure is a text for the person who called.
type Result<T> = std::result::Result<T, String>;

const HELP: &str = "\
cargo xtask models [--deep] [--record] [--limit SECONDS] [--jobs N] [FILTER]
    Explores every model; --deep with three preemptions those that have a smaller bound; --record writes
    docs/models.txt and the heads of the files of models.
cargo xtask mutants [--all] [--check] [--no-run] [--limit SECONDS] [--jobs N] [FILTER]
    Shows every model failing under its mutants; writes docs/invariants.md, or compares it (--check).
    --all runs each mutant on all models that declare it, --no-run looks at the declarations only.
cargo xtask tidy [--shrink]
    Checks the rules that a text can be checked for; --shrink lowers the numbers in red-zone.txt.
cargo xtask instructions [--record] [--jobs N] [FILTER]
    Counts the instructions of the key paths under valgrind; --record writes docs/instructions.txt.
cargo xtask install-capi [--debug] PREFIX
    Builds the C library and installs it below PREFIX: libraddle.so and .a, the headers, files for pkg-config and CMake.
cargo xtask ci [--list] [FILTER]
    Runs the stages of .ci/run.";

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

fn run(words: &[String]) -> Result<()> {
    let root = tree::root()?;
    let (command, rest) = words.split_first().ok_or(HELP)?;
    match command.as_str() {
        "models" => models::run(&root, &Options::parse(rest, &["deep", "record"], &["limit", "jobs"])?),
        "mutants" => {
            mutants::run(&root, &Options::parse(rest, &["all", "check", "no-run"], &["limit", "jobs"])?)
        }
        "instructions" => instructions::run(&root, &Options::parse(rest, &["record"], &["jobs"])?),
        "tidy" => tidy::run(&root, &Options::parse(rest, &["shrink"], &[])?),
        "install-capi" => capi::install(&root, &Options::parse(rest, &["debug"], &[])?),
        "ci" => ci::run(&root, &Options::parse(rest, &["list"], &[])?),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(format!("no command `{other}`\n\n{HELP}")),
    }
}

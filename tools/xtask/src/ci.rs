//! `cargo xtask ci`: the stages of continuous integration, each with a budget of time.
//!
//! A stage that fails doesn't keep the others from running: one run shows everything. A stage over its budget is
//! marked; one that takes four times its budget is ended by `timeout(1)`, with everything it started.

use crate::options::Options;
use crate::{Result, instructions, table, tree};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the README tells users to run.
const TEST_COMMAND: &str = "cargo test --workspace";

/// How long one example may run. Unit: seconds. Guess: they show things that take milliseconds.
const EXAMPLE_LIMIT_S: u64 = 60;

const ARM: &str = "aarch64-unknown-linux-gnu";

struct Stage {
    name: &'static str,
    /// Unit: seconds, on two cores with nothing built. Guesses, a few times what the stage takes.
    budget_s: u64,
    /// Returns a note for the table.
    run: fn(&Site) -> Result<String>,
}

/// After how many times its budget a stage is ended: it hangs, whatever else the machine does.
const LIMIT_BUDGETS: u64 = 4;

/// How long the installation of IREE's tools may take. Unit: seconds. It takes ten; without a network pip gives up.
const INSTALL_LIMIT_S: u64 = 60;

const STAGES: [Stage; 19] = [
    Stage { name: "tests", budget_s: 370, run: tests },
    // After the tests, whose builds it shares.
    Stage { name: "stock", budget_s: 90, run: stock },
    Stage { name: "fmt", budget_s: 20, run: fmt },
    Stage { name: "clippy", budget_s: 110, run: clippy },
    Stage { name: "clippy under the model checker", budget_s: 80, run: clippy_model },
    Stage { name: "docs", budget_s: 40, run: docs },
    Stage { name: "models", budget_s: 300, run: models },
    Stage { name: "mutants", budget_s: 70, run: mutants },
    Stage { name: "kit", budget_s: 70, run: kit },
    Stage { name: "tidy", budget_s: 20, run: tidy },
    Stage { name: "parquet", budget_s: 150, run: parquet },
    Stage { name: "examples", budget_s: 230, run: examples },
    Stage { name: "instructions", budget_s: 140, run: instructions },
    Stage { name: "hosts", budget_s: 130, run: hosts },
    Stage { name: "sanitizer", budget_s: 170, run: sanitizer },
    Stage { name: "panic=abort", budget_s: 120, run: panic_abort },
    Stage { name: "aarch64", budget_s: 30, run: arm },
    Stage { name: "benches", budget_s: 170, run: benches },
    Stage { name: "fuzz targets", budget_s: 50, run: fuzz },
];

/// Runs the stages that the filter admits.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    let start = Instant::now();
    let stages: Vec<&Stage> = STAGES.iter().filter(|stage| options.admits(&[stage.name])).collect();
    options.expect_any(stages.len(), "stage")?;
    for stage in stages {
        if options.has("list") {
            println!("{}", stage.name);
            continue;
        }
        println!("\n== {} (budget {} s)", stage.name, stage.budget_s);
        let site = Site::new(root, stage);
        let result = (stage.run)(&site);
        let took = site.start.elapsed().as_secs_f64();
        let is_over = took > stage.budget_s as f64;
        let (word, note) = match result {
            Ok(note) => (if is_over { "ok, OVER BUDGET" } else { "ok" }, note),
            Err(text) => {
                failed.push(stage.name);
                ("FAILED", text)
            }
        };
        println!("== {}: {word}, {took:.1} s", stage.name);
        let cells = [stage.name, &stage.budget_s.to_string(), &format!("{took:.1}"), word, &note];
        rows.push(cells.map(str::to_owned).to_vec());
    }
    if options.has("list") {
        return Ok(());
    }
    println!();
    table::print(&["stage", "budget s", "took s", "result", "note"], &rows);
    println!("total {:.1} s", start.elapsed().as_secs_f64());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// Where and until when a stage runs its programs.
struct Site {
    root: PathBuf,
    target: PathBuf,
    start: Instant,
    limit: Duration,
}

impl Site {
    fn new(root: &Path, stage: &Stage) -> Site {
        Site {
            root: root.to_owned(),
            target: tree::target(root),
            start: Instant::now(),
            limit: Duration::from_secs(stage.budget_s * LIMIT_BUDGETS),
        }
    }

    /// Runs one line of words, with its output shown.
    fn call(&self, line: &str) -> Result<()> {
        self.call_with(line, &[], self.limit)
    }

    fn call_with(&self, line: &str, variables: &[(&str, &str)], limit: Duration) -> Result<()> {
        let set: String = variables.iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
        println!("$ {set}{line}");
        let left = limit.min(self.limit.saturating_sub(self.start.elapsed())).as_secs().max(1);
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", &left.to_string()]).args(line.split_whitespace());
        command.current_dir(&self.root).envs(variables.iter().copied()).stdin(Stdio::null());
        let status = command.status().map_err(|error| format!("timeout: {error}"))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(124) => Err(format!("ended after {left} s: {line}")),
            _ => Err(format!("{status}: {line}")),
        }
    }

    /// Runs one line with a folder of build outputs of its own, so that its flags don't throw away the usual ones.
    fn call_apart(&self, folder: &str, line: &str, variables: &[(&str, &str)]) -> Result<()> {
        let folder = self.target.join(folder).display().to_string();
        let variables = [&[("CARGO_TARGET_DIR", folder.as_str())], variables].concat();
        self.call_with(line, &variables, self.limit)
    }
}

fn nothing() -> Result<String> {
    Ok(String::new())
}

fn tests(site: &Site) -> Result<String> {
    let readme = std::fs::read_to_string(site.root.join("README.md")).unwrap_or_default();
    if !readme.lines().any(|line| line.trim() == TEST_COMMAND) {
        return Err(format!("README.md has no line `{TEST_COMMAND}`"));
    }
    site.call(TEST_COMMAND)?;
    nothing()
}

/// Scripts and random programs, compared with IREE's own tool.
fn stock(site: &Site) -> Result<String> {
    if site.call_with("tests/with-stock --install", &[], Duration::from_secs(INSTALL_LIMIT_S)).is_err() {
        println!("NOT COMPARED: iree-run-module can't be installed");
        return Ok("NOT COMPARED: iree-run-module can't be installed".to_owned());
    }
    site.call("tests/with-stock")?;
    Ok("scripts and 2,000 random programs".to_owned())
}

fn fmt(site: &Site) -> Result<String> {
    site.call("cargo fmt --all --check")?;
    nothing()
}

fn clippy(site: &Site) -> Result<String> {
    site.call("cargo clippy --workspace --all-targets -- -D warnings")?;
    // What can't be packaged can't be published. In this stage, as it has fetched what packages are resolved with.
    site.call("cargo package --workspace --exclude xtask --exclude raddle-tests --no-verify --offline --allow-dirty")?;
    nothing()
}

fn clippy_model(site: &Site) -> Result<String> {
    let below = "cargo clippy -p raddle-sync -p raddle-wait -p raddle-task --all-targets -- -D warnings";
    let above = "cargo clippy -p raddle-vm -p raddle -p raddle-capi --lib --test loom_* -- -D warnings";
    for line in [below, above] {
        site.call_apart("loom", line, &[("RUSTFLAGS", "--cfg raddle_loom")])?;
    }
    nothing()
}

fn docs(site: &Site) -> Result<String> {
    let line = "cargo doc --workspace --no-deps --document-private-items";
    site.call_with(line, &[("RUSTDOCFLAGS", "-D warnings")], site.limit)?;
    nothing()
}

fn models(site: &Site) -> Result<String> {
    site.call("cargo xtask models")?;
    // What is told of models that fail or hang.
    let target = site.target.join("loom").display().to_string();
    let variables = [("RUSTFLAGS", "--cfg raddle_loom"), ("CARGO_TARGET_DIR", &target)];
    site.call_with("cargo test -p raddle-sync --profile model --test reports", &variables, site.limit)?;
    nothing()
}

fn mutants(site: &Site) -> Result<String> {
    site.call("cargo xtask mutants --check")?;
    nothing()
}

/// The kit for users, which the test command leaves out: its feature would slow everything.
fn kit(site: &Site) -> Result<String> {
    let lint = "cargo clippy -p raddle-sync -p raddle-wait --features raddle-wait/model --all-targets -- -D warnings";
    // Whoever checks a source of his own builds all that he depends on with the feature.
    let above = "cargo check -p raddle --features raddle-wait/model";
    let tests = "cargo test -p raddle-wait --features model --test lost_wakeup --test model_kit";
    let doc = "cargo test -p raddle-wait --features model --doc model";
    [lint, above, tests, doc].iter().try_for_each(|line| site.call(line))?;
    nothing()
}

fn tidy(site: &Site) -> Result<String> {
    site.call("cargo xtask tidy")?;
    nothing()
}

/// Batches over tables, whose feature the test command leaves out: its dependencies take longer to build than all the rest.
fn parquet(site: &Site) -> Result<String> {
    let is_theirs = |name: &str| {
        let folders = [
            "crates/runtime/src/batch/",
            "tools/raddle/",
            "tests/inputs/",
            "docs/batch.md",
            "tools/xtask/src/ci.rs",
        ];
        name.ends_with("Cargo.toml")
            || name == "Cargo.lock"
            || folders.iter().any(|folder| name.starts_with(folder))
    };
    if !has_changed(&site.root, is_theirs) {
        return Ok("not built: neither it nor batches changed".to_owned());
    }
    site.call("cargo clippy -p raddle -p raddle-cli --features parquet --all-targets -- -D warnings")?;
    site.call("cargo test -p raddle-cli --features parquet --test tables --test guide")?;
    Ok("tables that pyarrow wrote, and the guide".to_owned())
}

fn examples(site: &Site) -> Result<String> {
    // All at once: a build of one package has other features of what it depends on, and builds that anew.
    site.call("cargo build --profile example --workspace --exclude xtask --examples")?;
    let mut count = 0;
    for folder in tree::crates(&site.root)? {
        for stem in tree::stems(&folder.join("examples")) {
            let program = site.target.join("example/examples").join(stem).display().to_string();
            site.call_with(&program, &[], Duration::from_secs(EXAMPLE_LIMIT_S))?;
            count += 1;
        }
    }
    Ok(format!("{count} examples ran"))
}

fn instructions(site: &Site) -> Result<String> {
    if !instructions::is_installed() {
        println!("not counted: valgrind is not installed");
        return Ok("NOT COUNTED: valgrind is not installed".to_owned());
    }
    site.call("cargo xtask instructions")?;
    nothing()
}

/// The C library in every host, under sanitizers and valgrind; the test command runs what needs only compilers.
fn hosts(site: &Site) -> Result<String> {
    let line = "cargo test --package raddle-capi --test hosts";
    site.call_with(line, &[("RADDLE_HOSTS", "all")], site.limit)?;
    nothing()
}

fn sanitizer(site: &Site) -> Result<String> {
    site.call("tests/with-sanitizer")?;
    Ok("devices, executables and the virtual machine under AddressSanitizer".to_owned())
}

fn panic_abort(site: &Site) -> Result<String> {
    let line = "cargo build --release --workspace --exclude xtask --config profile.release.panic=\"abort\"";
    site.call_apart("abort", line, &[])?;
    let program = site.target.join("abort/release/aborts").display().to_string();
    site.call(&program)?;
    let output = Command::new(&program).arg("panic").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    // A signal, SIGABRT, and no exit status.
    match output.status.code() {
        None if text.contains("a task that panics") => {
            Ok("a process works, and one whose task panics aborts".to_owned())
        }
        _ => Err(format!("a task that panics does not abort: {}, {text}", output.status)),
    }
}

fn arm(site: &Site) -> Result<String> {
    let output =
        Command::new("rustup").args(["target", "list", "--installed"]).current_dir(&site.root).output();
    let list = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !list.lines().any(|line| line == ARM) {
        println!("not checked: the standard library of {ARM} is not installed");
        return Ok("NOT CHECKED: its standard library is not installed".to_owned());
    }
    site.call(&format!("cargo check --workspace --exclude xtask --target {ARM}"))?;
    Ok("compiled, not run".to_owned())
}

fn benches(site: &Site) -> Result<String> {
    if !site.root.join("benches/Cargo.toml").is_file() {
        return Ok("there are none".to_owned());
    }
    let is_theirs = |name: &str| {
        name.starts_with("benches/")
            || name.ends_with("Cargo.toml")
            || (name.starts_with("crates/") && name.contains("/src/"))
    };
    if !has_changed(&site.root, is_theirs) {
        return Ok("not built: neither they nor a crate changed".to_owned());
    }
    // wasmtime alone takes as long as all the others, and wasm3 wants libclang: those who measure build them.
    let line = "cargo check --manifest-path benches/Cargo.toml --workspace --exclude bench-peer-wasmtime --exclude bench-peer-wasm3 --all-targets";
    site.call_apart("benches", line, &[])?;
    let line = "cargo test --manifest-path benches/Cargo.toml --package bench-drive --package bench-graphs \
                --package bench-harness --package bench-machines --package under-tokio";
    site.call_apart("benches", line, &[])?;
    // The examples that need other runtimes live there, so that the product does not depend on them.
    for example in ["under-tokio", "in-loops --bin tokio", "in-loops --bin smol"] {
        let line = format!("cargo run --quiet --manifest-path benches/Cargo.toml --package {example}");
        site.call_apart("benches", &line, &[])?;
    }
    Ok("checked; its tests and the examples under tokio and smol ran".to_owned())
}

/// Whether such a file changed since the branch left `origin/main`. Where that is not known, as in a clone whose `main` is the
/// change itself: yes, since the last commit says nothing of those before it.
fn has_changed(root: &Path, is_meant: impl Fn(&str) -> bool) -> bool {
    let git = |words: &[&str]| {
        let output = Command::new("git").args(words).current_dir(root).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "HEAD"]);
    let fork = git(&["merge-base", "HEAD", "origin/main"]).filter(|fork| Some(fork) != head.as_ref());
    let names = fork.and_then(|fork| git(&["diff", "--name-only", &fork, "HEAD"]));
    names.is_none_or(|names| names.lines().any(is_meant))
}

fn fuzz(site: &Site) -> Result<String> {
    let manifest = "tests/fuzz/Cargo.toml";
    if !site.root.join(manifest).is_file() {
        return Ok("there are none".to_owned());
    }
    site.call_apart("fuzz", &format!("cargo check --manifest-path {manifest}"), &[])?;
    nothing()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(budget_s: u64) -> Site {
        Site::new(Path::new("."), &Stage { name: "x", budget_s, run: |_| nothing() })
    }

    #[test]
    fn a_program_that_fails_or_takes_too_long_fails_its_stage() {
        assert_eq!(site(60).call("true"), Ok(()));
        assert!(site(60).call("false").unwrap_err().contains("false"));
        assert!(site(0).call("sleep 600").unwrap_err().contains("ended after 1 s"));
    }

    fn has_test(file: &Path, test: &str) -> bool {
        std::fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {test}()")))
    }

    /// What stands between two heads of the page on verification as `file::test`.
    fn named_tests(root: &Path, from: &str, to: &str) -> Vec<(String, String)> {
        let page = std::fs::read_to_string(root.join("docs/verification.md")).unwrap();
        let (_, page) = page.split_once(from).unwrap();
        let (page, _) = page.split_once(to).unwrap();
        let names = page.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::"));
        names.map(|(file, test)| (file.to_owned(), test.to_owned())).collect()
    }

    #[test]
    fn the_tests_that_the_page_of_verification_names_are_there() {
        let root = tree::root().unwrap();
        let (from, to) = ("## Waits and tasks: fault and test", "## The runtime and its misuse");
        let names = named_tests(&root, from, to);
        assert!(names.len() > 50, "{names:?}");
        for (file, test) in names {
            let is_there = ["task", "wait"]
                .iter()
                .any(|folder| has_test(&root.join(format!("crates/{folder}/tests/{file}.rs")), &test));
            assert!(is_there, "{file}::{test}");
        }
    }

    #[test]
    fn the_tests_of_devices_that_the_page_of_verification_names_are_there() {
        let root = tree::root().unwrap();
        let names = named_tests(&root, "## Devices and executables: promise and test", "\n## ");
        let mut count = 0;
        for (place, test) in names.iter().filter(|(_, test)| test != "f") {
            let Some((folder, file)) = place.split_once('/') else { continue };
            let places = match file.starts_with("src/") {
                true => vec![format!("crates/{folder}/{file}.rs")],
                false => ["crates", "tools"].map(|above| format!("{above}/{folder}/tests/{file}.rs")).into(),
            };
            let is_there = places.iter().any(|place| has_test(&root.join(place), test));
            assert!(is_there, "{folder}/{file}::{test}");
            count += 1;
        }
        assert!(count > 80, "{count} names");
    }

    #[test]
    fn budgets_stay_within_what_is_promised() {
        let sum: u64 = STAGES.iter().map(|stage| stage.budget_s).sum();
        assert!(sum <= 2400, "{sum}");
        assert!(
            STAGES
                .iter()
                .filter(|stage| stage.name.starts_with('m'))
                .map(|stage| stage.budget_s)
                .sum::<u64>()
                <= 720
        );
    }
}

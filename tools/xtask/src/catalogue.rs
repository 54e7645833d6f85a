//! The catalogue of models: builds every `tests/loom_*.rs` of the crates and asks each model what it claims.
//!
//! Models are built in a folder of their own (`loom` below the target folder), since the cfg changes every crate.

use crate::options::Options;
use crate::process::{self, Ended, Fate};
use crate::{Result, tree};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a model that is over its limit has to say so by itself, before it is killed. Guess.
const MARGIN: Duration = Duration::from_secs(10);

/// How long a model may take to describe itself. Guess.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(20);

/// A file of models.
#[derive(Debug)]
struct ModelFile {
    /// Relative to the root: `crates/wait/tests/loom_slot.rs`.
    path: String,
    package: String,
    stem: String,
}

/// A mutant that a model declares to kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The mutant's name.
    pub mutant: String,
    /// What the failure must say.
    pub text: String,
}

/// What a model says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The model's name, which is its test's.
    pub name: String,
    /// `exhaustive`, or a number of preemptions.
    pub bound: String,
    /// The claim.
    pub claim: String,
    /// Why it has a bound, if it says so.
    pub because: Option<String>,
    /// What it kills.
    pub kills: Vec<Kill>,
}

/// A model that can be run.
#[derive(Debug)]
pub struct Model {
    /// What it says about itself.
    pub about: Description,
    /// The file it is declared in.
    pub path: String,
    binary: PathBuf,
    test: String,
    folder: PathBuf,
    scratch: PathBuf,
}

impl Model {
    /// Runs this model alone in a process. `variables` are those of the tool's own that shall be set.
    pub fn run(&self, variables: &[(&str, &str)], limit: Duration) -> Result<Ended> {
        let mut command = clean(&self.binary, &self.folder, limit + MARGIN);
        command.args(["--exact", &self.test, "--nocapture", "--test-threads", "1"]);
        command.env("RADDLE_MODEL_LIMIT", limit.as_secs().max(1).to_string());
        command.envs(variables.iter().copied());
        process::run_limited(&mut command, limit + MARGIN, &self.scratch)
    }
}

/// All models, and what is wrong with their declarations.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// The models, by file and place in it.
    pub models: Vec<Model>,
    /// Faults, for people.
    pub faults: Vec<String>,
}

impl Catalogue {
    /// Builds and asks all models.
    pub fn collect(root: &Path, options: &Options) -> Result<Catalogue> {
        let files = find(root)?;
        if files.is_empty() {
            return Err("there is no tests/loom_*.rs in any crate".to_owned());
        }
        let target = tree::target(root).join("loom");
        let artifacts = build(root, &target, &files)?;
        let mut catalogue = Catalogue::default();
        for file in &files {
            let binary = artifacts
                .iter()
                .find(|artifact| artifact.source.ends_with(&file.path))
                .ok_or(format!("cargo built no program for {}", file.path))?;
            catalogue.ask(root, &target, file, &binary.program, options)?;
        }
        catalogue.find_twins();
        Ok(catalogue)
    }

    fn ask(
        &mut self,
        root: &Path,
        target: &Path,
        file: &ModelFile,
        binary: &Path,
        options: &Options,
    ) -> Result<()> {
        let scratch = target.join("output");
        let folder = root.join(file.path.split("/tests/").next().unwrap_or_default());
        let list = process::run_limited(
            clean(binary, &folder, DESCRIBE_LIMIT).args(["--list", "--format", "terse"]),
            DESCRIBE_LIMIT,
            &scratch,
        )?;
        let tests = parse_tests(&list.output);
        if tests.is_empty() {
            self.faults.push(format!("{} compiled to no test", file.path));
        }
        let models: Vec<Model> = tests
            .into_iter()
            .map(|test| Model {
                about: Description::default(),
                path: file.path.clone(),
                binary: binary.to_owned(),
                test,
                folder: folder.clone(),
                scratch: scratch.clone(),
            })
            .collect();
        let jobs = options.number("jobs", process::cores());
        let answers = process::parallel(jobs as usize, &models, |model| {
            model.run(&[("RADDLE_MODEL_DESCRIBE", "1")], DESCRIBE_LIMIT)
        });
        for (mut model, answer) in models.into_iter().zip(answers) {
            match describe(&model.test, &answer?) {
                Ok(about) => {
                    model.about = about;
                    self.models.push(model);
                }
                Err(fault) => self.faults.push(format!("{}: {fault}", file.path)),
            }
        }
        Ok(())
    }

    /// Two models of one name would share a record.
    fn find_twins(&mut self) {
        let mut names: Vec<&str> = self.models.iter().map(|model| model.about.name.as_str()).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.faults.push(format!("two models are named {}", pair[0]));
        }
    }
}

/// A program without the variables that could change what it explores.
fn clean(binary: &Path, folder: &Path, limit: Duration) -> Command {
    let mut command = process::with_limit(binary, limit);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["LOOM_", "RADDLE_", "RUST_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name.as_ref());
        }
    }
    command
}

fn find(root: &Path) -> Result<Vec<ModelFile>> {
    let mut files = Vec::new();
    for folder in tree::crates(root)? {
        for stem in tree::stems(&folder.join("tests")).into_iter().filter(|stem| stem.starts_with("loom_")) {
            let path = tree::relative(root, &folder.join(format!("tests/{stem}.rs")));
            files.push(ModelFile { path, package: tree::package_name(&folder)?, stem });
        }
    }
    Ok(files)
}

/// A test program that cargo built.
#[derive(Debug, PartialEq, Eq)]
struct Artifact {
    source: PathBuf,
    program: PathBuf,
}

fn build(root: &Path, target: &Path, files: &[ModelFile]) -> Result<Vec<Artifact>> {
    let mut command = process::cargo(root);
    command.args(["test", "--no-run", "--profile", "model", "--message-format=json-render-diagnostics"]);
    command.arg("--target-dir").arg(target).env("RUSTFLAGS", "--cfg raddle_loom");
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    let mut packages: Vec<&str> = files.iter().map(|file| file.package.as_str()).collect();
    packages.dedup();
    packages.iter().for_each(|package| {
        command.args(["--package", package]);
    });
    let mut stems: Vec<&str> = files.iter().map(|file| file.stem.as_str()).collect();
    stems.sort_unstable();
    stems.dedup();
    stems.iter().for_each(|stem| {
        command.args(["--test", stem]);
    });
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err("the models do not build".to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(parse_artifact).collect())
}

fn parse_artifact(line: &str) -> Option<Artifact> {
    let is_artifact = line.contains("\"reason\":\"compiler-artifact\"");
    let path = |key| field(line, key).map(PathBuf::from);
    is_artifact.then(|| Some(Artifact { source: path("src_path")?, program: path("executable")? }))?
}

/// The text of a field in one line of JSON that cargo wrote; `None` also for `null`.
fn field(line: &str, key: &str) -> Option<String> {
    let start = line.find(&format!("\"{key}\":\""))? + key.len() + 4;
    let mut text = String::new();
    let mut chars = line[start..].chars();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

fn parse_tests(list: &str) -> Vec<String> {
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

fn describe(test: &str, ended: &Ended) -> std::result::Result<Description, String> {
    let name = test.rsplit("::").next().unwrap_or(test);
    if ended.fate != Fate::Exited(true) {
        return Err(format!(
            "{test} does not describe itself, and ends as {:?}\n{}",
            ended.fate,
            ended.tail(5)
        ));
    }
    let about = parse_description(&ended.output).ok_or(format!("{test} declares no model"))?;
    if about.name != name {
        return Err(format!("the test {test} declares a model of another name: {}", about.name));
    }
    if about.kills.is_empty() {
        return Err(format!("{test} kills no mutant: nobody has seen it fail"));
    }
    match about.kills.iter().find(|kill| is_vague(&kill.text)) {
        Some(kill) => {
            Err(format!("{test} kills {} with a text that any failure has: {:?}", kill.mutant, kill.text))
        }
        None => Ok(about),
    }
}

fn parse_description(output: &str) -> Option<Description> {
    let mut about = Description::default();
    for line in output.lines() {
        // The test harness writes the test's name before the first line.
        if let Some((_, rest)) = line.split_once("describe ").filter(|_| about.name.is_empty()) {
            let (name, rest) = rest.split_once(" bound ")?;
            let (bound, claim) = rest.split_once(" claim ")?;
            about = Description {
                name: name.to_owned(),
                bound: bound.to_owned(),
                claim: claim.to_owned(),
                ..Description::default()
            };
        } else if let Some(reason) = line.strip_prefix("because ") {
            about.because = Some(reason.to_owned());
        } else if let Some((mutant, text)) =
            line.strip_prefix("kills ").and_then(|rest| rest.split_once(" text "))
        {
            about.kills.push(Kill { mutant: mutant.to_owned(), text: text.to_owned() });
        }
    }
    (!about.name.is_empty()).then_some(about)
}

/// Whether a text says nothing: it is in what the test harness prints for every failure.
fn is_vague(text: &str) -> bool {
    const ANY: &str = "running 1 test\nthread 'main' panicked at crates/wait/src/slot.rs:1:1:\nFAILED\nfailures:\n\
        test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
        called `Result::unwrap()` on an `Err` value: assertion failed: assertion `left == right` failed\n";
    text.trim().is_empty() || ANY.contains(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(output: &str) -> Ended {
        Ended { fate: Fate::Exited(true), output: output.to_owned(), took: Duration::ZERO }
    }

    #[test]
    fn a_description_is_read_behind_the_harness_words() {
        let about = describe(
            "fire",
            &ended("running 1 test\ntest fire ... describe fire bound exhaustive claim it fires once\nbecause of costs\nkills a.b text twice or more\nok\n"),
        )
        .unwrap();
        assert_eq!(
            (about.name.as_str(), about.bound.as_str(), about.claim.as_str()),
            ("fire", "exhaustive", "it fires once")
        );
        assert_eq!(about.because.as_deref(), Some("of costs"));
        assert_eq!(about.kills, [Kill { mutant: "a.b".to_owned(), text: "twice or more".to_owned() }]);
    }

    #[test]
    fn a_test_without_a_model_or_with_another_name_is_a_fault() {
        assert!(describe("fire", &ended("ok\n")).unwrap_err().contains("declares no model"));
        let other = describe("fire", &ended("describe fires bound 2 claim x\n"));
        assert!(other.unwrap_err().contains("another name"));
    }

    #[test]
    fn a_model_that_kills_nothing_is_a_fault() {
        let idle = describe("fire", &ended("describe fire bound 2 claim x\n"));
        assert!(idle.unwrap_err().contains("kills no mutant"));
    }

    #[test]
    fn a_text_that_every_failure_has_is_a_fault() {
        for text in ["", " ", "panicked at", "FAILED", "assertion failed"] {
            assert!(is_vague(text), "{text}");
        }
        assert!(!is_vague("resumed twice"));
    }

    #[test]
    fn artifacts_are_read_from_what_cargo_writes() {
        let line = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"loom_a","src_path":"/x/tests/loom_a.rs"},"executable":"/x/t/loom_a-1"}"#;
        let artifact = parse_artifact(line).unwrap();
        assert_eq!(
            (artifact.source, artifact.program),
            ("/x/tests/loom_a.rs".into(), "/x/t/loom_a-1".into())
        );
        assert_eq!(parse_artifact(&line.replace("\"/x/t/loom_a-1\"", "null")), None);
    }

    #[test]
    fn an_empty_list_has_no_tests() {
        assert!(parse_tests("").is_empty());
        assert_eq!(parse_tests("a: test\nm::b: test\n"), ["a", "m::b"]);
    }
}

//! `raddle run` prints what `iree-run-module` prints, for every program of `tests/programs/hal/expected.txt`.

use std::path::Path;
use std::process::Command;

struct Call {
    line: String,
    flags: Vec<String>,
    expected: String,
}

fn calls(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()) {
        match (line.strip_prefix("$ run --"), calls.last_mut()) {
            (Some(flags), _) => calls.push(Call {
                line: line.to_owned(),
                flags: flags.split(" --").map(|flag| format!("--{flag}")).collect(),
                expected: String::new(),
            }),
            (None, Some(call)) => call.expected.push_str(&format!("{line}\n")),
            (None, None) => panic!("a line before the first call: {line}"),
        }
    }
    calls
}

#[test]
fn programs_print_what_stock_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/hal");
    let calls = calls(&std::fs::read_to_string(folder.join("expected.txt")).unwrap());
    assert!(calls.len() > 50, "calls are missing");
    for call in calls {
        for device in ["--device=local-task", "--device=local-sync"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
            command.current_dir(&folder).arg("run").args(&call.flags).arg(device);
            let output = command.output().unwrap();
            let (stdout, stderr) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            // Errors are told in words of our own; what was printed before them is the same.
            let is_success =
                !call.expected.contains("; invoking function") && !call.expected.contains("NOT_FOUND;");
            assert_eq!(output.status.success(), is_success, "{}: {stderr}", call.line);
            match is_success {
                true => assert_eq!(stdout, call.expected, "{} {device}", call.line),
                false => assert!(call.expected.starts_with(&*stdout) && !stderr.is_empty(), "{}", call.line),
            }
        }
    }
}

#[test]
fn tensors_are_compared_with_what_is_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/hal");
    let run = |expected: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_raddle"));
        let flags = ["run", "--module=abs.sync.vmfb", "--function=abs", "--input=f32=-2", expected];
        let output = command.current_dir(&folder).args(flags).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = run("--expected_output=f32=2");
    assert!(code == Some(0) && text.contains("[SUCCESS]"), "{text}");
    let (code, text) = run("--expected_output=f32=3");
    assert!(code == Some(9) && text.contains("[FAILED] result[0]: "), "{text}");
}
